"""Is a document of the language that its source says? By script first, then by two classifiers and frequent words."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache, lru_cache

from vaak.languages import LANGUAGES
from vaak.text.identifying.classifiers import Answer, ask_cld2, ask_langid, plain_of, sample_of
from vaak.text.identifying.function_words import ending_of, languages_of_endings, languages_of_words
from vaak.text.identifying.romanised import latin_words
from vaak.text.identifying.scripts import OTHER, script_shares

# English words stand in Latin letters in ordinary Indic text: names of firms, terms, acronyms. A review of a telephone in
# Hindi has 39% of its letters in Latin words; above that a document is no longer text of its language with English in it.
MOST_LATIN = 0.4
# A name in the script of a neighbour is quoted, not written in: a tenth is already a sentence or a menu of languages.
MOST_FOREIGN = 0.10
# Characters that the classifiers and word lists see, in three pieces. On documents of 1,500 characters 300 were enough to tell
# the twelve languages apart, 450 find 97% of Bhojpuri and 92% of Maithili in a Hindi source, 600 find 99% and 93%.
SAMPLE = 450

# Votes by which another language must beat the one that the source says.
TIE = 0.15
LONG_WORD = 4  # shorter Indic words end by chance as the endings do
# The classifier that cannot know the language which the other names has half a vote.
UNKNOWN_TO_CLD2 = ("gom",)
UNKNOWN_TO_LANGID = ("bh",)
UNKNOWN_TO_BOTH = ("mni", "bpy")  # the words speak for all three

# Latin text is English when what speaks for it (its share of English function words, and this much for each classifier)
# outweighs its share of Indic marks, and is not next to nothing: a tenth of the words of French are English ones too.
ENGLISH_CLD2, ENGLISH_LANGID = 0.25, 0.15
LEAST_ENGLISH = 0.35
# Other Latin text is of a language only if both classifiers are this sure of it, it has few Indic marks, and it is one with
# much text on the web: romanised Tamil is called Javanese, Kannada Estonian, Hindi Somali, and mostly by one of the two.
CERTAIN = 0.5
MOST_MARKS = 0.35
MAJOR = "fr de es pt it nl id tl vi tr pl ro cs sk sv da no hu hr sw"

_ONE_LANGUAGE = {
    language.script: language.code
    for language in LANGUAGES.values()
    if sum(other.script == language.script for other in LANGUAGES.values()) == 1 and language.script != "Latin"
}
_INDIC_WORD = re.compile("[\u0900-\u0963\u0970-\u09e3\u09f0-\u09fb\u200c\u200d'’]+")


@dataclass(frozen=True)
class Verdict:
    """`reason`: "wrong language", "mixed script", "romanised", or None: it is what the source says.

    `language`: what was found, a code of the table of languages or of another language, None if that is not known.
    `scores`: shares of scripts, the classifiers' answers and confidences, the votes: what a person needs to judge the verdict.
    Who was not asked, because no answer could have changed it, has none.
    """

    reason: str | None
    language: str | None
    scores: dict[str, float | str] = field(default_factory=dict)


def identify(text: str, language: str) -> Verdict:
    """Compare `text` with the `language` (code of the table) that its source says. Never raises on any string.

    Text without letters is what the source says: there is nothing against it, and the filters drop it.
    """
    shares = script_shares(text)
    scores: dict[str, float | str] = {f"script {name}": round(share, 4) for name, share in shares.items()}
    if not shares:
        return Verdict(None, None, scores)
    own = LANGUAGES[language].script
    script = own
    if not _is_written_in(own, shares):
        script = next(iter(shares))
        if script == own or shares.get(own, 0.0) > MOST_FOREIGN or not _is_written_in(script, shares):
            return Verdict("mixed script", None, scores)
    if script in _ONE_LANGUAGE:
        found = _ONE_LANGUAGE[script]  # the classifiers know no second language in these scripts
        return Verdict(None if found == language else "wrong language", found, scores)
    if script == OTHER:
        answer = ask_cld2(plain_of(sample_of(text, SAMPLE), "Latin"))
        return Verdict("wrong language", answer.language, {**scores, **_told("cld2", answer)})
    sample = plain_of(sample_of(text, SAMPLE), script)
    if script == "Latin":
        reason, found, told = _of_latin(sample, language)
    else:
        reason, found, told = _of_indic(sample, script, language)
    return Verdict(None if found == language and reason != "romanised" else reason, found, scores | told)


def _is_written_in(script: str, shares: dict[str, float]) -> bool:
    """Whether the text is of this script: other scripts, and Latin in an Indic one, stay within their limits."""
    latin = 0.0 if script == "Latin" else shares.get("Latin", 0.0)
    return latin <= MOST_LATIN and 1.0 - shares.get(script, 0.0) - latin <= MOST_FOREIGN


def _of_latin(sample: str, language: str) -> tuple[str, str | None, dict[str, float | str]]:
    """Reason (if it is not the language of the source), language and scores of Latin text."""
    words = latin_words(sample)
    against = max(words.romanised, LEAST_ENGLISH)
    if language == "en" and words.english > against:  # CLD2 could only speak for English too
        return "wrong language", "en", {"english words": round(words.english, 3)}
    cld2 = ask_cld2(sample)
    for_english = words.english + (ENGLISH_CLD2 * cld2.confidence if cld2.language == "en" else 0.0)
    told: dict[str, float | str] = {
        "english words": round(words.english, 3),
        "romanised words": round(words.romanised, 3),
        **_told("cld2", cld2),
    }
    if for_english > against:  # langid, the slow one, could only speak for English too
        return "wrong language", "en", told
    probabilities = ask_langid(sample, "Latin")
    langid = Answer(*next(iter(probabilities.items())))
    told |= _told("langid", langid)
    if for_english + ENGLISH_LANGID * probabilities["en"] > against:
        return "wrong language", "en", told
    agreed = cld2.language == langid.language and min(cld2.confidence, langid.confidence) >= CERTAIN
    if agreed and langid.language in MAJOR.split() and words.romanised <= MOST_MARKS:
        return "wrong language", langid.language, told
    return "romanised", words.language, told


def _of_indic(sample: str, script: str, language: str) -> tuple[str, str | None, dict[str, float | str]]:
    """Reason (if it is not the language of the source), language and scores of Devanagari or Bengali script."""
    cld2 = ask_cld2(sample)
    votes: defaultdict[str, float] = defaultdict(float)
    for code, share in _word_votes(sample, script).items():
        votes[code] += 3.0 * share if code in UNKNOWN_TO_BOTH else share
    if script == "Bengali":
        for code in _by_letter_ra(sample):
            votes[code] += 1.0
    told = _told("cld2", cld2)
    if not votes and cld2.language is None:  # digits, or letters that make no words: nothing speaks against the source
        return "wrong language", language, told
    if not _is_decided(votes, cld2):
        probabilities = ask_langid(sample, script)
        langid = Answer(*next(iter(probabilities.items())))
        told |= _told("langid", langid)
        # Who cannot know the language that the other names has half a vote.
        langid_weight = 0.5 if cld2.language in UNKNOWN_TO_LANGID else 1.0
        cld2_weight = 0.5 if langid.language in UNKNOWN_TO_CLD2 and langid.confidence > 0.5 else 1.0
        for code, probability in probabilities.items():
            votes[code] += langid_weight * probability
        cld2 = Answer(cld2.language, cld2_weight * cld2.confidence)
    if cld2.language is not None:
        votes[cld2.language] += cld2.confidence
    found = max(votes, key=lambda code: votes[code])
    if votes[found] - votes.get(language, -1.0) < TIE:
        found = language
    told |= {f"votes {code}": round(count, 3) for code, count in sorted(votes.items(), key=lambda vote: -vote[1])[:3]}
    return "wrong language", found, told


def _is_decided(votes: defaultdict[str, float], cld2: Answer) -> bool:
    """Whether nothing that langid, the slow one, may say could change the language: at worst it gives all to the second."""
    if cld2.language is None:
        return False
    first = votes.get(cld2.language, 0.0) + 0.5 * cld2.confidence  # langid may halve CLD2's vote
    second = max((count for code, count in votes.items() if code != cld2.language), default=0.0)
    return first - second > 1.0 + TIE


def _word_votes(sample: str, script: str) -> dict[str, float]:
    """Frequent words and endings of each language against those of the one with most; a single word counts half."""
    hits: defaultdict[str, float] = defaultdict(float)
    for word in _INDIC_WORD.findall(sample):
        languages, weight = _mark_of(word, script)
        for code in languages:
            hits[code] += weight
    most = max(hits.values(), default=0.0)
    return {code: count / most * min(1.0, most / 2) for code, count in hits.items()}


@lru_cache(maxsize=1 << 16)  # words come again from document to document
def _mark_of(word: str, script: str) -> tuple[tuple[str, ...], float]:
    """The languages for which a word speaks, and how much for each."""
    known, ends = _marks(script)
    if languages := known.get(word):
        return languages, 1.0 / len(languages)
    if len(word) >= LONG_WORD and (ending := ending_of(word, ends)):
        return ends[ending], 0.5 / len(ends[ending])
    return (), 0.0


@cache
def _marks(script: str) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    return languages_of_words(script), languages_of_endings(script)


def _by_letter_ra(sample: str) -> tuple[str, ...]:
    """The languages whose letter ra the sample has: Assamese writes ৰ and never র, the others র and never ৰ."""
    assamese, bengali = sample.count("\u09f0"), sample.count("\u09b0")
    if assamese == bengali:
        return ()
    return ("as",) if assamese > bengali else ("bn", "mni", "bpy")


def _told(classifier: str, answer: Answer) -> dict[str, float | str]:
    return {classifier: answer.language or "unknown", f"{classifier} confidence": round(answer.confidence, 3)}
