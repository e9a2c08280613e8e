"""Training on a corpus that is larger than the disk: the same rows as from a local one, each shard fetched when it is due."""

from __future__ import annotations

import logging
import pickle
from itertools import islice

import numpy as np
import pytest

from tests.mixture.conftest import CODEC
from tests.mixture.test_plan import PRETRAIN, SFT
from vaak.corpus import Corpus, CorpusWriter, Sample, open_corpus, open_staged_corpus
from vaak.corpus.transfer import push_corpus
from vaak.errors import BadInput
from vaak.mixture import open_loader, solve_plan
from vaak.mixture.settings import MixtureSettings
from vaak.storage.cache import bytes_held, open_cache
from vaak.storage.objects import delete_object, open_objects, write_object
from vaak.storage.staging import Counters

WINDOW_TOKENS = 8192


@pytest.fixture(scope="module")
def solve(corpus, tokenizer, vocabulary, tmp_path_factory):
    cache = tmp_path_factory.mktemp("plans")

    def solved(settings=PRETRAIN, kind="pretrain", **more):
        given = {"context": 512, "seed": 3, "cache_folder": cache, "passes": 1.0, "window_tokens": WINDOW_TOKENS}
        corpora = more.pop("corpora", [corpus])
        given |= {"stage_kind": kind, "tokenizer": tokenizer, "vocabulary": vocabulary, **more}
        return solve_plan(settings, corpora, **given)

    return solved


def tokens_of(corpus: Corpus) -> dict[str, int]:
    """Bytes of each shard of tokens."""
    return {one["path"]: one["size"] for one in corpus.manifest["files"] if one["path"].endswith(".tokens.npy")}


def same(one, other) -> bool:
    arrays = ("input_ids", "labels", "position_ids", "rows")
    lists = ("doc_lens", "doc_stream", "doc_language", "doc_source")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays) and all(
        np.array_equal(a, b) for name in lists for a, b in zip(getattr(one, name), getattr(other, name), strict=True)
    )


@pytest.mark.parametrize("settings,kind", [(PRETRAIN, "pretrain"), (SFT, "sft")])
def test_a_corpus_larger_than_its_cache_gives_the_same_batches(
    corpus, solve, s3, tokenizer, vocabulary, tmp_path, settings, kind
):
    push_corpus(corpus.folder, s3)
    sizes = tokens_of(corpus)
    limit = sum(sizes.values()) // 2
    staged = open_staged_corpus(s3, tmp_path / "cache", limit)
    assert not list(staged.folder.rglob("*.tokens.npy")) and staged.id == corpus.id
    plan, here = solve(settings, kind), solve(settings, kind, corpora=[staged])
    assert plan.fingerprint == here.fingerprint
    given = {"microbatch_rows": 4, "workers": 2, "start_row": 24}
    local = open_loader(plan, [corpus], vocabulary, tokenizer, **given)
    remote = open_loader(here, [staged], vocabulary, tokenizer, **given)
    batches = -(-plan.n_rows // 4)
    for one, other in islice(zip(local, remote, strict=True), batches):
        assert same(one, other)
        assert bytes_held(open_cache(tmp_path / "cache", limit)) <= limit
    remote.close()
    again = open_loader(here, [staged], vocabulary, tokenizer, microbatch_rows=4, start_row=24 + 4 * batches)
    assert same(next(again), next(local))


@pytest.fixture(scope="module")
def long(tmp_path_factory, tokenizer):
    """A corpus of two long groups, raw and paired, each of twenty shards."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("long") / "corpus"
    writer = CorpusWriter(folder, "long", codec=CODEC, shard_tokens=8192)
    for i in range(820):
        writer.add("raw", Sample(f"r{i}", "radio", "en"), rng.integers(0, 512, 200))
        paired = Sample(f"p{i}", "studio", "en", transcript="word vaak speech", transcript_kind="native")
        writer.add("paired", paired, rng.integers(0, 512, 200))
    writer.freeze()
    return open_corpus(folder)


LONG = MixtureSettings.model_validate({"streams": {"raw": {"share": 0.5}, "paired": {"share": 0.5}}})


def share_fetched(corpus, solve, s3, tokenizer, vocabulary, cache, window_tokens) -> tuple[float, Counters]:
    """Bytes that one pass through a cache of two fifths of the corpus fetches, as a share of the corpus."""
    total = sum(tokens_of(corpus).values())
    staged = open_staged_corpus(s3, cache, 2 * total // 5)
    assert staged.staged is not None
    plan = solve(LONG, corpora=[staged], window_tokens=window_tokens)
    loader = open_loader(plan, [staged], vocabulary, tokenizer, microbatch_rows=1)
    for _ in islice(loader, plan.n_rows):
        pass
    loader.close()
    counters = staged.staged.counters()
    return counters.bytes_fetched / total, counters


def test_rows_of_a_long_cell_lie_together_so_that_a_shard_comes_twice_and_not_for_every_row(
    long, solve, s3, tokenizer, vocabulary, tmp_path
):
    push_corpus(long.folder, s3)
    given = long, solve, s3, tokenizer, vocabulary
    near, counters = share_fetched(*given, tmp_path / "near", WINDOW_TOKENS)
    far, _ = share_fetched(*given, tmp_path / "far", 1 << 27)
    # A stretch begins and ends within shards, so each of these belongs to two.
    assert 0.9 < near < 2.8 and far > 3 * near
    assert counters.misses < counters.hits / 10


def test_a_cache_that_is_too_small_for_the_rows_of_now_is_said_once(
    corpus, long, solve, s3, tokenizer, vocabulary, tmp_path, caplog
):
    for number, (one, settings, words) in enumerate(((corpus, PRETRAIN, "will wait for shards"), (long, LONG, None))):
        push_corpus(one.folder, f"{s3}/{number}")
        limit = 2 * sum(tokens_of(one).values()) // 5
        staged = open_staged_corpus(f"{s3}/{number}", tmp_path / str(number), limit)
        loader = open_loader(solve(settings, corpora=[staged]), [staged], vocabulary, tokenizer, microbatch_rows=1)
        with caplog.at_level(logging.WARNING):
            for _ in islice(loader, 40):
                pass
        loader.close()
        assert [words in record.message for record in caplog.records] == ([True] if words else [])
        caplog.clear()


def test_an_edited_shard_is_never_trained_on(long, solve, s3, tokenizer, vocabulary, tmp_path):
    push_corpus(long.folder, s3)
    path = next(iter(tokens_of(long)))
    data = bytearray((long.folder / path).read_bytes())
    data[-1] ^= 1
    write_object(open_objects(s3), path, bytes(data))
    staged = open_staged_corpus(s3, tmp_path / "cache", 1 << 30)
    plan = solve(LONG, corpora=[staged])
    loader = open_loader(plan, [staged], vocabulary, tokenizer, microbatch_rows=8)
    with pytest.raises(BadInput, match="came damaged 3 times"):
        for _ in islice(loader, plan.n_rows // 8 + 1):
            pass


def test_another_process_opens_a_staged_corpus_itself(long, s3, tmp_path):
    push_corpus(long.folder, s3)
    staged = open_staged_corpus(s3, tmp_path / "cache", 1 << 20)
    group = staged.groups["raw", "en", "clean"]
    assert group.tokens(3).tolist() == long.groups["raw", "en", "clean"].tokens(3).tolist()
    again = pickle.loads(pickle.dumps(staged))  # our own bytes: the way to another process
    assert (
        again.id == staged.id
        and again.groups["raw", "en", "clean"].flat(5, 900).tolist() == group.flat(5, 900).tolist()
    )
    for one in (staged, again):
        assert one.staged is not None
        one.staged.close()


def test_tables_come_once_and_a_half_push_is_refused(long, s3, tmp_path, proxy):
    push_corpus(long.folder, s3)
    first = open_staged_corpus(s3, tmp_path / "cache", 1 << 20)
    asked = len(proxy.asked("GET"))
    assert open_staged_corpus(s3, tmp_path / "cache", 1 << 20).id == first.id
    again = [one.path.rsplit("/", 1)[1].split("?")[0] for one in proxy.asked("GET")[asked:]]
    assert not [name for name in again if name.endswith((".npy", ".parquet"))] and "MANIFEST.json" in again
    delete_object(open_objects(s3), "MANIFEST.json")
    with pytest.raises(BadInput, match="no corpus is there"):
        open_staged_corpus(s3, tmp_path / "other", 1 << 20)
