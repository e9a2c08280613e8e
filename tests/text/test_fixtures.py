"""The folder tests/data/text keeps its own rules: real documents of twelve languages, each with what must become of it."""

import re
from collections import Counter

import pytest

from tests.text.dumps import FILES, REAL, all_documents
from vaak.languages import LANGUAGES, script_of
from vaak.text.document import REASONS

FIELDS = {"id", "text", "language", "source", "file", "licence", "expect"}
OPTIONAL = {"also", "really", "note", "clean_has", "clean_lacks"}
MARKUP = re.compile(r"<[^>\n]*>|(?:https?:)?//\S+")


def shingles(text: str) -> set[str]:
    """Runs of six letters, digits or signs, whatever stands between them."""
    letters = re.sub(r"\W+", "", text)
    return {letters[at : at + 6] for at in range(max(1, len(letters) - 5))}


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_has_forty_documents_to_keep_and_some_to_drop(code: str) -> None:
    expected = Counter(document["expect"] for document in all_documents(code))
    assert expected["keep"] >= 40
    assert len(expected) >= 4 and sum(expected.values()) - expected["keep"] >= 5


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_document_has_every_field_and_names_where_it_is_from(code: str) -> None:
    for document in all_documents(code):
        assert FIELDS <= document.keys() <= FIELDS | OPTIONAL, document["id"]
        assert document["language"] == code and document["id"].startswith(f"{code}-")
        assert document["licence"] and document["file"]
        assert re.search(r"\((?:Debian|PyPI|npm)\) \S*\d", document["source"]), document["id"]
        assert document["expect"] in ("keep", *REASONS)
        assert set(document.get("also", ())) <= set(REASONS) - {document["expect"]}


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_is_kept_is_long_enough_and_in_the_script_of_its_language(code: str) -> None:
    for document in all_documents(code):
        if document["expect"] == "keep":
            bare = " ".join(MARKUP.sub(" ", document["text"]).split())
            assert 128 <= len(bare) <= len(document["text"]) <= 2000, document["id"]
            shares = script_of(bare)
            assert shares[LANGUAGES[code].script] > 0.5, document["id"]


@pytest.mark.parametrize("code", LANGUAGES)
def test_documents_of_one_language_are_distinct_unless_a_note_says_so(code: str) -> None:
    known = all_documents(code)
    assert len({document["id"] for document in known}) == len({document["text"] for document in known}) == len(known)
    found = [shingles(document["text"]) for document in known]
    for at, document in enumerate(known):
        for before in range(at):
            shared = len(found[at] & found[before]) / min(len(found[at]), len(found[before]))
            notes = document.get("note", "") + known[before].get("note", "")
            assert shared < 0.5 or "another document here" in notes, (known[before]["id"], document["id"])


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_cleaning_must_leave_and_remove_stands_in_the_raw_text(code: str) -> None:
    checked = 0
    for document in all_documents(code):
        bare = " ".join(MARKUP.sub("", document["text"]).split())
        for piece in document.get("clean_has", ()):
            assert piece in bare or piece in document["text"], (document["id"], piece)
        for piece in document.get("clean_lacks", ()):
            assert piece in document["text"], (document["id"], piece)
            assert not any(piece in kept for kept in document.get("clean_has", ())), (document["id"], piece)
        checked += bool(document.get("clean_has") or document.get("clean_lacks"))
    assert checked >= 8


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_document_of_another_language_says_which(code: str) -> None:
    planted = [document for document in all_documents(code) if document["expect"] == "wrong language"]
    assert len(planted) >= 2
    assert all(document["really"] != code and "planted" in document["note"] for document in planted)


@pytest.mark.parametrize("code", LANGUAGES)
def test_several_packages_feed_each_language(code: str) -> None:
    sources = Counter(document["source"] for document in all_documents(code))
    assert len(sources) >= 8
    assert max(sources.values()) <= 0.5 * sum(sources.values())


def test_romanised_sentences_have_five_words_and_no_indic_letter() -> None:
    known = all_documents("romanised")
    assert len(known) >= 60 and len({document["text"].lower() for document in known}) == len(known)
    assert all(count >= 20 for count in Counter(document["language"] for document in known).values())
    assert {document["language"] for document in known} == {"hi", "ta", "bn"}
    for document in known:
        assert document["script"] == "Latn" and document["expect"] == "romanised" and document["licence"]
        assert len(document["text"].split()) >= 5 and set(script_of(document["text"])) == {"Latin"}, document["id"]


def test_the_folder_is_small_and_its_readme_names_every_package() -> None:
    assert sum(path.stat().st_size for path in REAL.iterdir()) < 2_000_000
    readme = (REAL / "README.md").read_text(encoding="utf-8")
    for name in FILES:
        for document in all_documents(name):
            assert document["source"] in readme, document["source"]
