"""`vaak pack build`: its numbers by language or for all, and whose voices."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_doors import leave
from tests.corpus.toy import LANGUAGES, big_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return big_corpus(tmp_path_factory.mktemp("packs") / "corpus").folder


def test_built_as_asked_and_shown(corpus, tmp_path, capsys):
    build = ["pack", "build", str(corpus), "--ce", "6", "--out"]
    code, out, _ = leave([*build, str(tmp_path / "a"), "--extended", "5", "--probes", "1"], capsys)
    assert code == 0
    assert json.loads(out)["prompts"]["extended"] == dict.fromkeys(LANGUAGES, 5)
    assert json.loads(out)["prompts"]["minimal_pair"] == dict.fromkeys(LANGUAGES, 2)
    assert json.loads(out)["voices"]["heard"] > 0

    code, out, _ = leave([*build, str(tmp_path / "b"), "--extended", '{"hi": 3}', "--voices", "new-only"], capsys)
    assert code == 0 and json.loads(out)["prompts"]["extended"] == {"hi": 3}
    assert json.loads(out)["voices"]["heard"] == 0


@pytest.mark.parametrize("wish", ["--extended=many", "--extended=[1]", '--extended={"en": null}', "--voices=fresh"])
def test_a_wish_that_says_nothing_is_wrong_usage(corpus, tmp_path, capsys, wish):
    code, _, err = leave(["pack", "build", str(corpus), "--out", str(tmp_path / "pack"), wish], capsys)
    assert code == 2 and wish.split("=")[0] in err and not (tmp_path / "pack").exists()
