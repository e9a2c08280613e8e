"""Batches: labels at every boundary, the same rows for every world size and start, nothing but the row number as state."""

import multiprocessing
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mixture.test_plan import PRETRAIN, SFT
from vaak.errors import BadInput, CheckFailed
from vaak.grammar.tokenizer import train_tokenizer
from vaak.mixture import RealisedMass, load_plan, open_loader, realised_mass, solve_plan
from vaak.mixture.documents import keeps_voice
from vaak.mixture.row_reader import RowReader


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


@pytest.mark.parametrize("kind", ["pretrain", "sft"])
def test_a_batch_written_in_place_is_its_rows_one_by_one(readers, kind):
    """`row` is the plain reference: documents from the grammar's own functions, labels of each document."""
    reader = readers[kind]
    numbers = [*range(0, 200), 1599, 1600, 4_000_003]
    batch = reader.batch(numbers)
    for b, number in enumerate(numbers):
        row = reader.row(number)
        n = len(row.ids)
        assert batch.input_ids[b, :n].tolist() == row.ids.tolist()
        assert (batch.input_ids[b, n:] == reader.vocabulary.end_of_text_id).all()
        assert batch.labels[b, :n].tolist() == row.labels.tolist() and (batch.labels[b, n:] == -100).all()
        padding = [512 - n] if n < 512 else []
        assert batch.doc_lens[b].tolist() == [*row.lengths.tolist(), *padding]
        cell = reader.plan.cells[row.cell].cell
        documents = len(row.lengths)
        for tags, names, name in (
            (batch.doc_stream, batch.streams, cell.stream),
            (batch.doc_language, batch.languages, cell.language),
            (batch.doc_source, batch.sources, cell.source),
        ):
            assert [names[tag] for tag in tags[b][:documents]] == [name] * documents
            assert tags[b][documents:].tolist() == [-1] * len(padding)


def test_a_row_says_where_its_tokens_are_stored(readers, corpus, vocabulary):
    reader = readers["pretrain"]
    for number in range(0, 300, 7):
        row = reader.row(number)
        cell = reader.plan.cells[row.cell].cell
        group = corpus.groups[cell.stream, cell.language, cell.tier]
        stored = np.concatenate([group.flat(start, stop) for start, stop in reader.stored(number)])
        if cell.stream == "text":
            assert row.ids.tolist() == stored.tolist()
        else:
            assert vocabulary.codes(row.ids[row.ids >= vocabulary.first_speech_id]).tolist() == stored.tolist()


def test_a_token_outside_the_vocabulary_is_named_by_its_rows(plans, corpus, vocabulary, tokenizer, monkeypatch):
    reader = RowReader(plans["pretrain"], [corpus], vocabulary, tokenizer)
    raw = next(n for n in range(100) if plans["pretrain"].cells[reader.place(n)[0]].cell.stream == "raw")
    part, _ = reader._part(*reader.place(raw))
    monkeypatch.setattr(part.group, "flat", lambda start, stop: np.full(stop - start, 60_000, np.uint16))
    with pytest.raises(BadInput, match=f"rows {raw} to {raw} hold ids"):
        reader.batch([raw])


def test_a_text_id_that_would_be_a_code_is_refused(plans, corpus, vocabulary, tokenizer, monkeypatch):
    reader = RowReader(plans["pretrain"], [corpus], vocabulary, tokenizer)
    text = next(n for n in range(1600) if plans["pretrain"].cells[reader.place(n)[0]].cell.stream == "text")
    part, _ = reader._part(*reader.place(text))
    code = vocabulary.first_speech_id + 3
    monkeypatch.setattr(part.group, "flat", lambda start, stop: np.full(stop - start, code, np.uint32))
    with pytest.raises(BadInput, match=f"the tokenizer has 0..{vocabulary.base_size - 1}"):
        reader.batch([text])


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


def served(plan, corpus, vocabulary, tokenizer, start, world, rows, steps, workers=0):
    """Batches of all ranks, by row number."""
    found = {}
    for rank in range(world):
        loader = open_loader(plan, [corpus], vocabulary, tokenizer, start_row=start, rank=rank, world=world,
                             microbatch_rows=rows, workers=workers)  # fmt: skip
        for batch in islice(loader, steps):
            for b, number in enumerate(batch.rows.tolist()):
                assert number not in found
                found[number] = (batch.input_ids[b], batch.labels[b], batch.doc_lens[b])
        loader.close()
    return found


@given(st.sampled_from(["pretrain", "sft"]), st.integers(0, 4000), st.integers(0, 50), st.data())
@settings(max_examples=200)
def test_a_run_stopped_anywhere_goes_on_with_the_same_rows(
    plans, readers, corpus, vocabulary, tokenizer, kind, start, steps, data
):
    """Some steps of 24 rows on any number of ranks, then on another number: each rank has the rows of a run unstopped."""
    before, after = (data.draw(st.sampled_from([1, 2, 3, 8])) for _ in range(2))
    first = data.draw(st.integers(0, before - 1))
    running = open_loader(plans[kind], [corpus], vocabulary, tokenizer, start_row=start, rank=first, world=before,
                          microbatch_rows=1)  # fmt: skip
    for number, batch in enumerate(islice(running, min(steps, 3))):
        alone = readers[kind].batch([start + first + number * before])
        assert np.array_equal(batch.input_ids, alone.input_ids) and batch.rows.tolist() == alone.rows.tolist()
    running.close()
    resumed, rank, rows = start + steps * 24, data.draw(st.integers(0, after - 1)), data.draw(st.sampled_from([1, 3]))
    loader = open_loader(plans[kind], [corpus], vocabulary, tokenizer, start_row=resumed, rank=rank, world=after,
                         microbatch_rows=rows)  # fmt: skip
    for step, batch in enumerate(islice(loader, 24 // after // rows)):
        numbers = [resumed + rank + (step * rows + i) * after for i in range(rows)]
        alone = readers[kind].batch(numbers)
        assert batch.rows.tolist() == numbers
        assert np.array_equal(batch.input_ids, alone.input_ids) and np.array_equal(batch.labels, alone.labels)
        assert all(map(np.array_equal, batch.doc_lens, alone.doc_lens))
    loader.close()


@pytest.mark.parametrize("world", [1, 2, 3, 8])
def test_all_ranks_together_have_every_row_once(plans, readers, corpus, vocabulary, tokenizer, world):
    found = served(plans["pretrain"], corpus, vocabulary, tokenizer, 1001, world, 2, 3)
    assert sorted(found) == list(range(1001, 1001 + 6 * world))
    alone = readers["pretrain"].batch(sorted(found))
    for b, number in enumerate(sorted(found)):
        assert np.array_equal(found[number][0], alone.input_ids[b])


def test_worker_processes_serve_the_same_rows(plans, readers, corpus, vocabulary, tokenizer):
    found = served(plans["sft"], corpus, vocabulary, tokenizer, 17, 1, 2, 8, workers=4)
    assert sorted(found) == list(range(17, 33))
    alone = readers["sft"].batch(range(17, 33))
    assert all(np.array_equal(found[number][0], alone.input_ids[b]) for b, number in enumerate(sorted(found)))


def test_a_worker_that_dies_ends_the_training_with_a_sentence(plans, corpus, vocabulary, tokenizer):
    loader = open_loader(plans["sft"], [corpus], vocabulary, tokenizer, microbatch_rows=1, workers=1)
    next(loader)
    for child in multiprocessing.active_children():
        child.kill()
    with pytest.raises(CheckFailed, match="a worker that builds batches died"):
        for _ in range(10):
            next(loader)


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


def test_the_meter_says_how_often_data_was_passed(plans, readers):
    plan, meter = plans["sft"], realised_mass()
    for start in range(0, plan.n_rows, 50):
        meter.add(readers["sft"].batch(range(start, start + 50)))
    for by in ("stream", "source", "language"):
        wanted = {}
        for one in plan.cells:
            tokens, available = wanted.get(getattr(one.cell, by), (0.0, 0))
            wanted[getattr(one.cell, by)] = (tokens + one.target_tokens, available + one.available_tokens)
        epochs = meter.epochs(plan, by)
        assert epochs == pytest.approx(
            {name: tokens / available for name, (tokens, available) in wanted.items()}, rel=0.05
        )


def test_voice_descriptions_are_kept_at_their_rate():
    samples = np.arange(20_000)
    assert keeps_voice(samples, 1.0).all() and not keeps_voice(samples, 0.0).any()
    assert keeps_voice(samples, 0.3).mean() == pytest.approx(0.3, abs=0.01)
    assert (keeps_voice(samples, 0.3) <= keeps_voice(samples, 0.6)).all()
