"""Plans over a corpus of twelve languages: shares, fingerprints, what is left out, and refusals."""

import numpy as np
import pytest

from tests.mixture.conftest import CODEC
from vaak.corpus import CorpusWriter, Sample, open_corpus
from vaak.errors import BadInput
from vaak.grammar.tokenizer import train_tokenizer
from vaak.mixture import MixtureSettings, check_unchanged, load_plan, realised_mass, solve_plan
from vaak.mixture.plan import StageKind
from vaak.mixture.row_reader import RowReader

PRETRAIN = MixtureSettings.model_validate(
    {"streams": {"raw": {"share": 0.82}, "paired": {"share": 0.08, "tiers": ["clean"]}, "text": {"share": 0.10}}}
)
QUALITY = MixtureSettings.model_validate(
    {
        "streams": {
            "paired": {"share": 0.7, "tiers": ["clean"]},
            "raw": {"share": 0.2, "tiers": ["clean"]},
            "text": {"share": 0.1},
        }
    }
)
SFT = MixtureSettings.model_validate(
    {
        "streams": {
            "paired": {
                "share": 1.0,
                "sources": {"street": 0.65, "studio": 0.20, "custom": 0.10, "anchor": 0.05},
                "languages": {"caps": {"en": 0.55}, "fixed": {"hi": 0.15}, "rest": {"share": 0.30, "floor": 0.02}},
            }
        }
    }
)


@pytest.fixture
def solve(corpus, tokenizer, vocabulary, cache):
    def solved(settings=PRETRAIN, kind: StageKind = "pretrain", corpora=None, **changes):
        given = {"context": 1024, "seed": 1, "tokenizer": tokenizer, "vocabulary": vocabulary, "cache_folder": cache}
        if not {"total_tokens", "passes", "total_rows"} & set(changes):
            given["total_rows"] = 2400
        return solve_plan(settings, corpora or [corpus], stage_kind=kind, **(given | changes))

    return solved


@pytest.mark.parametrize(("settings", "kind"), [(PRETRAIN, "pretrain"), (QUALITY, "pretrain"), (SFT, "sft")])
def test_the_mass_of_a_small_plan_is_what_was_wanted(solve, corpus, vocabulary, tokenizer, settings, kind):
    """300 steps of 8 rows: every stream, source and language within 0.2 points, in tokens that were really served."""
    plan = solve(settings, kind)
    assert plan.n_rows == 2400 and sum(one.wanted_share for one in plan.cells) == pytest.approx(1.0)
    reader, mass = RowReader(plan, [corpus], vocabulary, tokenizer), realised_mass()
    for start in range(0, 2400, 8):
        mass.add(reader.batch(range(start, start + 8)))
    for by in ("stream", "source", "language"):
        for name, (wanted, realised) in mass.beside(plan, by).items():
            assert realised == pytest.approx(wanted, abs=0.002), (by, name)
    assert sum(mass.targets.values()) == pytest.approx(plan.target_tokens, rel=0.003)
    prompts = sum(one.prompt_tokens for one in plan.cells) if kind == "sft" else 0
    assert sum(mass.prompts.values()) == pytest.approx(prompts, rel=0.02)


def test_sft_counts_codes_and_marks_as_targets_and_text_as_prompt(solve):
    plan = solve(SFT, "sft")
    for one in plan.cells:
        for part in one.parts:
            assert part.targets == part.codes + 2 * part.samples
            assert part.tokens == part.codes + part.prompt_tokens + 2 * part.samples


def test_length_in_target_tokens_and_in_passes(solve):
    assert solve(total_tokens=1_000_000).target_tokens == pytest.approx(1_000_000, rel=0.002)
    plan = solve(SFT, "sft", passes=1.5)
    assert plan.target_tokens == pytest.approx(1.5 * sum(one.available_tokens for one in plan.cells), rel=0.01)
    with pytest.raises(BadInput, match="one positive length"):
        solve(total_tokens=5, passes=1.0)


def test_a_plan_is_the_same_twice_and_survives_saving(solve, tmp_path):
    plan = solve()
    assert solve().fingerprint == plan.fingerprint
    plan.save(tmp_path)
    again = load_plan(tmp_path)
    assert again.fingerprint == plan.fingerprint and again.cells == plan.cells and again.cache == plan.cache
    (tmp_path / "plan.json").write_text((tmp_path / "plan.json").read_text().replace('"rows": ', '"rows": 1'))
    with pytest.raises(BadInput, match="own fingerprint"):
        load_plan(tmp_path)


def test_a_changed_thing_is_named(solve, without_hindi):
    saved = solve()
    check_unchanged(saved, solve(), "run")
    for what, now in {
        "seed": solve(seed=2),
        "mixture": solve(QUALITY),
        "corpora": solve(corpora=[without_hindi]),
        "gold pack": solve(excluded_ids=["s1"]),
        "length": solve(total_rows=800),
    }.items():
        with pytest.raises(BadInput, match=f"changed since then: {what};"):
            check_unchanged(saved, now, "run")


def test_what_was_left_out_is_counted(solve, corpus):
    plan = solve()
    assert any(note.startswith("paired: left out, held out for evaluation: ") for note in plan.notes)
    assert any(note.startswith("paired: left out, transcript is not native: ") for note in plan.notes)
    excluded = [corpus.groups["raw", "ta", "wild"].sample(i).sample_id for i in range(3)]
    held_out = int(corpus.groups["raw", "ta", "wild"].column("held_out")[:3].sum())
    noted = [note for note in solve(excluded_ids=excluded).notes if note.startswith("raw: left out, in the gold pack")]
    assert noted == [f"raw: left out, in the gold pack: ta {3 - held_out}"]


def test_documents_longer_than_a_row_leave_and_are_counted(solve):
    plan = solve(SFT, "sft", context=256)
    note = next(note for note in plan.notes if "longer than a row of 256" in note)
    assert "en " in note and "ta " in note
    assert sum(one.share for one in plan.cells) == pytest.approx(1.0)


def test_tiers_and_long_form_filter(solve):
    assert {one.cell.tier for one in solve(QUALITY).cells} == {"clean"}
    long_form = MixtureSettings.model_validate({"streams": {"raw": {"share": 1.0, "long_form_only": True}}})
    plan = solve(long_form)
    assert any("left out, not long form" in note for note in plan.notes)
    assert sum(part.samples for one in plan.cells for part in one.parts) < sum(
        part.samples for one in solve().cells if one.cell.stream == "raw" for part in one.parts
    )


def test_a_language_that_is_missing_is_noted_and_its_share_goes_on(solve, without_hindi):
    plan = solve(corpora=[without_hindi])
    assert "raw: no hi data; its 15.0% go to the other languages" in plan.notes
    assert plan.shares("language")["en"][0] == pytest.approx(0.45)
    assert any(note.startswith("passed more than 4 times, by language: ") for note in plan.notes)


def test_two_corpora_fill_one_cell(solve, corpus, without_hindi, tokenizer, vocabulary):
    plan = solve(corpora=[corpus, without_hindi])
    assert all(len(one.parts) == 2 for one in plan.cells if one.cell.language == "en")
    reader = RowReader(plan, [without_hindi, corpus], vocabulary, tokenizer)
    assert reader.batch(range(64)).n_targets > 0
    with pytest.raises(BadInput, match="was not opened"):
        RowReader(plan, [corpus], vocabulary, tokenizer)


def one_group(folder, number, **codec):
    writer = CorpusWriter(folder, f"c{number}", codec=CODEC | codec)
    writer.add("raw", Sample(f"s{number}", "radio", "en"), np.arange(300) % 512)
    writer.freeze()
    return open_corpus(folder)


UNKNOWN = {"hash": None, "unknown": {"hash": "not given"}}


@pytest.mark.parametrize(
    "first,second,words",
    [
        ({}, UNKNOWN, "not known"),
        (UNKNOWN, UNKNOWN, "not known"),
        ({}, {**UNKNOWN, "name": "unknown"}, "not known"),
        ({}, {}, None),
        ({}, {"hash": "another"}, "different codecs"),
        ({}, {**UNKNOWN, "name": "xcodec2"}, "different codecs"),
        ({}, {**UNKNOWN, "tokens_per_second": 25}, "different codecs"),
    ],
)
def test_a_codec_that_nobody_knows_is_said_and_not_taken_for_another(solve, tmp_path, first, second, words):
    corpora = [one_group(tmp_path / str(number), number, **codec) for number, codec in enumerate((first, second))]
    raw = MixtureSettings.model_validate({"streams": {"raw": {"share": 1.0}}})
    if words == "different codecs":
        with pytest.raises(BadInput, match=words):
            solve(raw, corpora=corpora)
        return
    noted = [note for note in solve(raw, corpora=corpora).notes if note.startswith("codec: ")]
    assert len(noted) == (words is not None) and all(words in note and str(tmp_path) in note for note in noted)
    assert not any(note.startswith("codec: ") for note in solve(raw, corpora=corpora[1:]).notes)


def test_the_table_shows_wanted_planned_epochs_and_notes(solve):
    table = solve(SFT, "sft").table()
    for words in ("paired street", "65.00%", "wanted", "epochs", "prompt", "paired/en/street/wild", "notes"):
        assert words in table


def test_bad_input_is_one_sentence(solve, tokenizer, vocabulary):
    def settings(**streams):
        return MixtureSettings.model_validate({"streams": streams})

    with pytest.raises(BadInput, match="no tier 'golden'; its tiers are clean, wild"):
        solve(settings(raw={"share": 1.0, "tiers": ["golden"]}))
    with pytest.raises(BadInput, match="nothing of source 'nowhere'"):
        solve(settings(paired={"share": 1.0, "sources": {"nowhere": 1.0}}))
    with pytest.raises(BadInput, match=r"no paired sample passes the filters and fits into a row of 16"):
        solve(settings(paired={"share": 1.0}), context=16)
    with pytest.raises(BadInput, match="SFT stage wants raw"):
        solve(PRETRAIN, "sft")
    with pytest.raises(BadInput, match="SFT stage wants text"):
        solve(settings(paired={"share": 0.9}, text={"share": 0.1}), "sft")
    with pytest.raises(BadInput, match="ids of another tokenizer"):
        solve(tokenizer=train_tokenizer(["another text altogether"] * 5, vocabulary.base_size))
    with pytest.raises(BadInput, match="codebook of 512"):
        solve(vocabulary=tokenizer.vocabulary(1024))


def test_settings_that_do_not_add_up_are_refused():
    for tree, words in (
        ({"streams": {"raw": {"share": 0.5}}}, "add up to 0.500"),
        ({"streams": {"sound": {"share": 1.0}}}, "'sound' is unknown"),
        ({"streams": {"raw": {"share": 1.0, "sources": {"a": 0.2}}}}, "source shares add up to 0.200"),
        (
            {"streams": {"raw": {"share": 1.0}}, "languages": {"caps": {"en": 0.1}, "fixed": {}, "rest": None}},
            "less than 1",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            MixtureSettings.model_validate(tree)
