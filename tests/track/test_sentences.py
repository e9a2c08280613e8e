"""What is said of an error has no key and no password, however they are spelled."""

from __future__ import annotations

import pytest

from vaak.track.sentences import sentence_of, without_keys


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("refused by https://me:hunter2@api.example/graphql", "refused by https://***@api.example/graphql"),
        ("no s3://key@bucket/one", "no s3://***@bucket/one"),
        ("postgresql+psycopg://me:pa/ss@wo/rd@host/results is away", "postgresql+psycopg://***@host/results is away"),
        ("postgresql://me@example.com:p/w@host/results", "postgresql://***@host/results"),
        ("s3://bucket/one@two, http://host:9471/metrics", "s3://bucket/one@two, http://host:9471/metrics"),
    ],
)
def test_a_password_in_an_address_is_taken_out_whole(said, told):
    assert without_keys(said) == told


def test_a_key_that_another_one_begins_with_leaves_no_end_of_that(monkeypatch):
    monkeypatch.setenv("SHORT_TOKEN", "abcdef")
    monkeypatch.setenv("VAAK_LONG_KEY", "abcdef0123456789")
    assert sentence_of(ValueError("401 for abcdef0123456789, not abcdef\nmore")) == "ValueError: 401 for ***, not ***"
