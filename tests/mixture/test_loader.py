"""Batches: labels at every boundary, the same rows for every world size and start, nothing but the row number as state."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mixture.test_plan import PRETRAIN, SFT
from vaak.errors import BadInput
from vaak.grammar.tokenizer import train_tokenizer
from vaak.mixture import RealisedMass, load_plan, open_loader, realised_mass, solve_plan
from vaak.mixture.index import keeps_voice
from vaak.mixture.loader import RowReader


@pytest.fixture(scope="module")
def plans(corpus, tokenizer, vocabulary, cache):
    given = {"context": 512, "total_rows": 1600, "seed": 3, "cache_folder": cache}
    given |= {"tokenizer": tokenizer, "vocabulary": vocabulary}
    return {
        "pretrain": solve_plan(PRETRAIN, [corpus], stage_kind="pretrain", **given),
        "sft": solve_plan(SFT, [corpus], stage_kind="sft", **given),
    }


@pytest.fixture(scope="module")
def readers(plans, corpus, vocabulary, tokenizer):
    return {kind: RowReader(plan, [corpus], vocabulary, tokenizer) for kind, plan in plans.items()}


@pytest.mark.parametrize("kind", ["pretrain", "sft"])
def test_a_batch_is_what_its_contract_says(readers, vocabulary, kind):
    batch = readers[kind].batch(range(40, 72))
    assert batch.input_ids.shape == batch.labels.shape == batch.position_ids.shape == (32, 512)
    assert batch.n_targets == (batch.labels != -100).sum() and batch.rows.tolist() == list(range(40, 72))
    assert batch.input_ids.max() < vocabulary.size
    for b, lengths in enumerate(batch.doc_lens):
        assert lengths.sum() == 512 and (lengths > 0).all()
        ends = np.cumsum(lengths)
        assert (batch.labels[b, ends - 1] == -100).all()
        streams = batch.doc_stream[b]
        assert len(streams) == len(batch.doc_language[b]) == len(batch.doc_source[b]) == len(lengths)
        assert (streams[:-1] >= 0).all() and len(set(streams[streams >= 0].tolist())) == 1
        for start, end, stream in zip(ends - lengths, ends, streams, strict=True):
            assert batch.position_ids[b, start:end].tolist() == list(range(end - start))
            labels, ids = batch.labels[b, start:end], batch.input_ids[b, start:end]
            counted = labels != -100
            assert (labels[:-1][counted[:-1]] == ids[1:][counted[:-1]]).all()
            if stream < 0:
                assert not counted.any()
            elif kind == "pretrain":
                assert counted.sum() == len(labels) - 1


def test_sft_targets_are_speech_start_to_speech_end_of_whole_documents(readers, vocabulary):
    batch = readers["sft"].batch(range(16))
    for b, lengths in enumerate(batch.doc_lens):
        for start, length, stream in zip(np.cumsum(lengths) - lengths, lengths, batch.doc_stream[b], strict=True):
            if stream < 0:
                continue
            ids, labels = batch.input_ids[b, start : start + length], batch.labels[b, start : start + length]
            assert ids[-1] == vocabulary.speech_end and (ids == vocabulary.speech_start).sum() == 1
            begin = int(np.flatnonzero(ids == vocabulary.speech_start)[0])
            assert labels[labels != -100].tolist() == ids[begin:].tolist()


def test_one_epoch_serves_every_kept_token_once(corpus, plans, readers, vocabulary):
    """The rows of one raw cell through its first epoch hold exactly the codes of its samples."""
    plan, reader = plans["pretrain"], readers["pretrain"]
    index = next(i for i, one in enumerate(plan.cells) if str(one.cell) == "raw/ta/street/wild")
    wanted = plan.cells[index].epoch_rows
    rows = [row for row in (reader.row(n) for n in range(plan.n_rows)) if row.cell == index][:wanted]
    assert len(rows) == wanted
    group = corpus.groups["raw", "ta", "wild"]
    kept = [group.tokens(i) for i in range(group.n_samples) if not group.sample(i).held_out]
    served = np.concatenate([vocabulary.codes(row.ids) for row in rows])
    assert np.bincount(served, minlength=512).tolist() == np.bincount(np.concatenate(kept), minlength=512).tolist()


def test_paired_rows_hold_the_transcript_the_voice_and_the_codes(corpus, plans, readers, vocabulary, tokenizer):
    reader = readers["pretrain"]
    number = next(n for n in range(1600) if plans["pretrain"].cells[reader.place(n)[0]].cell.stream == "paired")
    row = reader.row(number)
    document = row.ids[: row.lengths[0]]
    begin = int(np.flatnonzero(document == vocabulary.speech_start)[0])
    codes = vocabulary.codes(document[begin + 1 : -1])
    cell = plans["pretrain"].cells[row.cell].cell
    group = corpus.groups[cell.stream, cell.language, cell.tier]
    sample = next(group.sample(i) for i in range(group.n_samples) if np.array_equal(group.tokens(i), codes))
    prompt = document[:begin].tolist()
    expected = tokenizer.encode(sample.transcript or "")
    if sample.voice_description:
        voice = tokenizer.encode(sample.voice_description)
        expected = [vocabulary.voice_start, *voice, vocabulary.voice_end, *expected]
    assert prompt == expected


@given(
    st.sampled_from(["pretrain", "sft"]),
    st.integers(0, 5000),
    st.sampled_from([1, 2, 3, 8]),
    st.sampled_from([1, 2, 5]),
    st.data(),
)
@settings(max_examples=15, deadline=None)
def test_any_start_world_and_microbatch_serve_the_same_rows(
    plans, readers, corpus, vocabulary, tokenizer, kind, start, world, rows, data
):
    workers = data.draw(st.sampled_from([0, 2]))
    rank = data.draw(st.integers(0, world - 1))
    loader = open_loader(plans[kind], [corpus], vocabulary, tokenizer, start_row=start, rank=rank, world=world,
                         microbatch_rows=rows, workers=workers)  # fmt: skip
    for step, batch in enumerate(islice(loader, 2)):
        numbers = [start + rank + (step * rows + i) * world for i in range(rows)]
        assert batch.rows.tolist() == numbers
        for b, number in enumerate(numbers):
            alone = readers[kind].batch([number])
            assert np.array_equal(batch.input_ids[b], alone.input_ids[0])
            assert np.array_equal(batch.labels[b], alone.labels[0])
            assert np.array_equal(batch.doc_lens[b], alone.doc_lens[0])


def test_a_saved_plan_serves_the_same_rows(plans, corpus, vocabulary, tokenizer, readers, tmp_path):
    plans["sft"].save(tmp_path)
    again = RowReader(load_plan(tmp_path), [corpus], vocabulary, tokenizer)
    assert np.array_equal(again.batch(range(100, 120)).input_ids, readers["sft"].batch(range(100, 120)).input_ids)


def test_another_seed_is_another_order(corpus, tokenizer, vocabulary, cache, readers):
    other = solve_plan(PRETRAIN, [corpus], stage_kind="pretrain", context=512, total_rows=1600, seed=4, tokenizer=tokenizer,
                       vocabulary=vocabulary, cache_folder=cache)  # fmt: skip
    batch = RowReader(other, [corpus], vocabulary, tokenizer).batch(range(8))
    assert not np.array_equal(batch.input_ids, readers["pretrain"].batch(range(8)).input_ids)


def test_another_tokenizer_is_refused(plans, corpus, vocabulary):
    other = train_tokenizer(["another text altogether"] * 5, vocabulary.base_size)
    with pytest.raises(BadInput, match="another tokenizer"):
        open_loader(plans["sft"], [corpus], vocabulary, other, microbatch_rows=1)


def test_the_meter_survives_a_restart(readers):
    whole, first = realised_mass(), realised_mass()
    for start in (0, 8):
        whole.add(readers["sft"].batch(range(start, start + 8)))
    first.add(readers["sft"].batch(range(8)))
    again = RealisedMass.from_state(first.state())
    again.add(readers["sft"].batch(range(8, 16)))
    assert again.state() == whole.state() and again.shares("language") == whole.shares("language")


def test_voice_descriptions_are_kept_at_their_rate():
    samples = np.arange(20_000)
    assert keeps_voice(samples, 1.0).all() and not keeps_voice(samples, 0.0).any()
    assert keeps_voice(samples, 0.3).mean() == pytest.approx(0.3, abs=0.01)
    assert (keeps_voice(samples, 0.3) <= keeps_voice(samples, 0.6)).all()
