"""The configuration of a source, and what is said when something is wrong with it."""

from __future__ import annotations

import pytest

from vaak.errors import BadInput
from vaak.text.sources import PLAIN, READERS, Source, read_source

WHERE = "text.yaml: sources.0"


@pytest.mark.parametrize("reader", READERS)
def test_a_source_read_from_what_was_saved_is_the_same(reader):
    tree = {"name": "a", "reader": reader, "files": ["x"]} | ({"language": "hi"} if reader in PLAIN else {})
    source = read_source(tree, WHERE)
    assert source.tier == ("instruction" if reader == "oig" else "clean")
    assert read_source(source.model_dump(mode="json"), WHERE) == source


def test_languages_are_known_by_any_usual_tag():
    tree = {"name": "a", "reader": "oig", "files": "x", "languages": ["hin", "English", "hi"], "language": "en-IN"}
    source = read_source(tree, WHERE)
    assert (source.languages, source.language, source.files) == (("hi", "en"), "en", ("x",))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reader": "fine-web"}, r"'reader': there is no reader 'fine-web'; did you mean 'fineweb'\?"),
        ({"reader": "redpajama_v2"}, r"did you mean 'redpajama-v2'\?"),
        ({"reader": "xml"}, r"there is no reader 'xml'; use redpajama-v2, fineweb"),
        ({"lang": "hi"}, r"unknown key 'lang'; did you mean 'language'\?"),
        ({"file": ["x"]}, r"unknown key 'file'; did you mean 'files'\?"),
        ({"zzz": 1}, r"unknown key 'zzz'; use name, reader, files"),
        ({"files": None, "hub": {"dataset": "a/b", "splt": "x"}}, r"unknown key 'hub\.splt'; did you mean 'split'\?"),
        ({"files": None, "hub": {}}, r"'hub\.dataset' is missing; add it"),
        ({"name": None}, r"'name' is missing; add it"),
        ({"files": []}, "give either `files` or `hub`"),
        ({"hub": {"dataset": "a/b"}}, "give either `files` or `hub`"),
        ({"files": [""]}, "'files': holds an empty name"),
        ({"languages": []}, "'languages': is empty"),
        ({"languages": ["xx"]}, "'languages': language tag 'xx' is unknown"),
        ({"language": "hi"}, "`language` is for jsonl, parquet, plain, oig; leave it out of fineweb"),
        ({"text_field": "body"}, "`text_field` is for jsonl, parquet; leave it out of fineweb"),
        ({"documents": "line"}, "`documents` is for plain; leave it out of fineweb"),
        ({"reader": "jsonl"}, "nothing says the language of jsonl documents; add `language: hi`"),
        (
            {"reader": "plain", "language": "en", "documents": "page"},
            "'documents': Input should be 'file', 'line' or 'paragraph'",
        ),
        ({"tier": "Very Good"}, "tier 'Very Good' has other signs"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(change, said):
    tree = {"name": "a", "reader": "fineweb", "files": ["x"]} | change
    tree = {key: value for key, value in tree.items() if value is not None}
    with pytest.raises(BadInput, match=said) as refused:
        read_source(tree, WHERE)
    assert str(refused.value).startswith(f"{WHERE}: ") and "\n" not in str(refused.value)


def test_a_source_that_is_no_mapping_is_refused():
    with pytest.raises(BadInput, match=r"sources\.0 is no mapping; a source has keys such as"):
        read_source("fineweb", WHERE)


def test_a_source_does_not_change():
    source = read_source({"name": "a", "reader": "oig", "files": "x"}, WHERE)
    with pytest.raises(ValueError, match="frozen"):
        source.name = "b"  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(source, Source)
