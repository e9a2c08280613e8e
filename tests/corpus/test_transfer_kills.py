"""SIGKILL at random moments of push and pull: no half corpus ever opens, the next run continues, the id is the same."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.corpus.toy import write_corpus
from tests.storage.killed import killed
from vaak.corpus import open_corpus, verify_corpus
from vaak.corpus.transfer import pull_corpus, push_corpus
from vaak.errors import BadInput
from vaak.storage.objects import list_objects, open_objects

KILLS = 30

CHILD = """
import sys
from vaak.corpus import transfer
print("ready", flush=True)
print(getattr(transfer, sys.argv[1] + "_corpus")(sys.argv[2], sys.argv[3]).corpus_id)
"""


@pytest.fixture
def corpus(tmp_path: Path, proxy) -> Path:
    write_corpus(tmp_path / "corpus", shard_tokens=600)
    proxy.latency = 0.02  # so that a transfer takes about a second and there are moments to be killed at
    return tmp_path / "corpus"


@pytest.mark.slow
def test_a_push_survives_kills(corpus, s3, tmp_path):
    rng, url, kills, unfinished = random.Random(1), f"{s3}/0", 0, 0
    identity = open_corpus(corpus).id
    while kills < KILLS:
        kills += killed(CHILD, ["push", str(corpus), url], rng.uniform(0, 1.2))
        if "MANIFEST.json" in list_objects(open_objects(url)):
            assert pull_corpus(tmp_path / f"copy-{url[-4:]}".replace("/", "-"), url).corpus_id == identity
            url = f"{s3}/{kills}"  # it was done: begin another, so that all kills meet a running push
        else:
            unfinished += 1
            with pytest.raises(BadInput, match=r"is not finished|no corpus is there"):
                pull_corpus(tmp_path / "half", url)
            assert not (tmp_path / "half").exists()
    assert unfinished >= KILLS // 3
    assert push_corpus(corpus, url).corpus_id == identity
    assert pull_corpus(tmp_path / "copy", url).corpus_id == identity
    assert verify_corpus(tmp_path / "copy") == []
    assert "UNFINISHED.json" not in list_objects(open_objects(url))


@pytest.mark.slow
def test_a_pull_survives_kills(corpus, s3, tmp_path):
    rng, folder, kills, unfinished = random.Random(2), tmp_path / "copy-0", 0, 0
    identity = open_corpus(corpus).id
    push_corpus(corpus, s3)
    while kills < KILLS:
        kills += killed(CHILD, ["pull", str(folder), s3], rng.uniform(0, 1.2))
        if (folder / "MANIFEST.json").exists():
            assert pull_corpus(folder, s3).corpus_id == identity and verify_corpus(folder) == []
            folder = tmp_path / f"copy-{kills}"
        else:
            unfinished += 1
            with pytest.raises(BadInput, match="unfinished"):
                open_corpus(folder)
    assert unfinished >= KILLS // 3
    assert pull_corpus(folder, s3).corpus_id == identity
    assert verify_corpus(folder) == [] and open_corpus(folder).id == identity
    assert not (folder / ".parts").exists() and not (folder / "UNFINISHED.json").exists()
