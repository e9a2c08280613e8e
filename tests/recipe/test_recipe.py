"""Recipes: the specification's numbers, refusals that name the nearest key, and a round trip through YAML."""

from itertools import pairwise
from pathlib import Path

import pytest

from vaak.errors import BadInput
from vaak.recipe import check_peak, load_recipe, resolve_path, save_recipe, split_batch, stage_names, steps_of
from vaak.recipe.load import STAGES

BIG = ["smoke-0.6b", "smoke-1b", "pt-s1", "pt-s2", "pt-s3", "sft"]
TINY = ["smoke-tiny", "pt-s1-tiny", "pt-s2-tiny", "pt-s3-tiny", "sft-tiny"]


@pytest.mark.parametrize(
    ("name", "context", "tokens_per_step", "peak", "floor", "warmup"),
    [
        ("smoke-0.6b", 2048, 262_144, 2e-4, 1e-5, 0.05),
        ("smoke-1b", 2048, 262_144, 1.5e-4, 1e-5, 0.05),
        ("pt-s1", 2048, 524_288, 1e-4, 1e-5, 0.08),
        ("pt-s2", 2048, 524_288, 5e-5, 5e-6, 0.03),
        ("pt-s3", 4096, 262_144, 3e-5, 3e-6, 0.02),
        ("sft", 2048, 262_144, 1e-5, 1e-6, 0.03),
    ],
)
def test_stages_have_the_numbers_of_the_table(name, context, tokens_per_step, peak, floor, warmup):
    recipe = load_recipe(name)
    assert (recipe.context, recipe.tokens_per_step) == (context, tokens_per_step)
    assert (recipe.schedule.peak_lr, recipe.schedule.min_lr, recipe.schedule.warmup_ratio) == (peak, floor, warmup)
    assert recipe.schedule.kind == "cosine" and recipe.precision == "bf16" and recipe.activation_checkpointing == "full"
    assert recipe.compile == (recipe.kind == "pretrain")
    optimizer = recipe.optimizer
    assert (optimizer.betas, optimizer.eps, optimizer.weight_decay, optimizer.grad_clip) == (
        (0.9, 0.95),
        1e-8,
        0.1,
        1.0,
    )


@pytest.mark.parametrize("chain", [[*BIG[2:], "sft-later"], TINY[1:]])
def test_each_stage_may_follow_the_one_before(chain):
    for parent, stage in pairwise(map(load_recipe, chain)):
        check_peak(stage, parent)


def test_lengths_of_the_stages():
    assert 5_000 <= (load_recipe("smoke-0.6b").planned_steps or 0) <= 10_000
    for name, least, most in (("pt-s1", 200e9, 250e9), ("pt-s2", 20e9, 30e9), ("pt-s3", 10e9, 20e9)):
        assert least <= (load_recipe(name).length.tokens or 0) <= most
    assert 1.0 <= (load_recipe("sft").length.passes or 0) <= 1.5


@pytest.mark.parametrize(("big", "tiny"), zip(["smoke-0.6b", *BIG[2:]], TINY, strict=True))
def test_tiny_counterparts_have_the_same_shape(big, tiny):
    large, small = load_recipe(big), load_recipe(tiny)
    assert small.kind == large.kind and small.schedule.warmup_ratio == large.schedule.warmup_ratio
    if tiny == "pt-s3-tiny":  # the example has no long-form raw audio
        assert all(rule.long_form_only for rule in small.mixture.streams.values())
        return
    shares = {name: (rule.share, rule.tiers, rule.long_form_only) for name, rule in large.mixture.streams.items()}
    assert shares == {
        name: (rule.share, rule.tiers, rule.long_form_only) for name, rule in small.mixture.streams.items()
    }
    assert large.mixture.languages == small.mixture.languages
    assert small.corpora == ("example:corpus",) and small.model.config is not None


def test_sft_shares():
    for name in ("sft", "sft-tiny"):
        rule = load_recipe(name).mixture.streams["paired"]
        assert list((rule.sources or {}).values()) == [0.65, 0.20, 0.10, 0.05]
        assert rule.languages is not None and rule.languages.rest is not None
        assert rule.languages.caps | rule.languages.fixed == {"en": 0.55, "hi": 0.15}
        assert (rule.languages.rest.share, rule.languages.rest.floor) == (0.30, 0.02)
        assert load_recipe(name).mixture.transcript_kinds == ("native",)


def test_fine_tuning_takes_native_transcripts_in_rows_of_like_lengths_and_later_data_opts_in_to_the_others():
    native, later = load_recipe("sft"), load_recipe("sft-later")
    assert native.mixture.length_buckets and native.mixture.transcript_kinds == ("native",)
    assert later.mixture.transcript_kinds == ("native", "code_mixed", "romanised")
    assert check_peak(later, native) == pytest.approx(5.0)


@pytest.mark.parametrize(("world", "accumulation"), [(8, 16), (16, 8), (32, 4)])
def test_microbatch_and_accumulation_follow_from_the_world_size(world, accumulation):
    recipe = load_recipe("pt-s1")
    assert split_batch(recipe.rows_per_step, world, recipe.microbatch_rows) == (2, accumulation)
    assert split_batch(recipe.rows_per_step, world) == (2, accumulation)


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(BadInput, match="does not divide by 7 processes"):
        split_batch(256, 7)
    with pytest.raises(BadInput, match="microbatch of 3"):
        split_batch(256, 8, 3)
    assert split_batch(9, 3) == (1, 3)


@pytest.mark.parametrize("name", stage_names())
def test_saved_resolved_and_read_again(name, tmp_path):
    recipe = load_recipe(name, ["seed=9", "corpora=[/data/one]"])
    save_recipe(recipe, tmp_path / "recipe.yaml")
    again = load_recipe(tmp_path / "recipe.yaml")
    assert again.model_dump(exclude={"tokenizer", "codec", "model"}) == recipe.model_dump(
        exclude={"tokenizer", "codec", "model"}
    )
    assert again.tokenizer == recipe.tokenizer and again.codec == recipe.codec and again.model == recipe.model


def test_overrides():
    recipe = load_recipe(
        "pt-s1-tiny",
        ["schedule.peak_lr=1e-4", "length={steps: 12}", "mixture.streams.raw.tiers=[clean]", "schedule.min_lr=0"],
    )
    assert recipe.schedule.peak_lr == 1e-4 and recipe.planned_steps == 12 and recipe.schedule.min_lr == 0
    assert recipe.mixture.streams["raw"].tiers == ("clean",) and recipe.mixture.streams["raw"].share == 0.82


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("schedule.peek_lr=1e-4", "unknown key 'schedule.peek_lr'; did you mean 'schedule.peak_lr'?"),
        ("optimizer.peak_lr=1e-4", "did you mean 'schedule.peak_lr'?"),
        ("mixture.streams.raw.shares=1", "did you mean 'mixture.streams.raw.share'?"),
        ("checkpoints.evry=5", "did you mean 'checkpoints.every'?"),
        ("frobnicate=1", "unknown key 'frobnicate'; remove it"),
        ("length.tokens=5", "exactly one of tokens, steps and passes"),
        ("context=1000", "not a multiple of the context"),
        ("schedule.peak_lr=fast", "'schedule.peak_lr'"),
        ("schedule.min_lr=1", "above peak_lr"),
        ("mixture.streams.raw.share=0.5", "stream shares add up to 0.680"),
        ("mixture.languages.caps={xx: 0.5}", "'xx' is unknown"),
        ("model.config=null", "either `path`"),
        ("checkpoints.every=-3", "'checkpoints.every': "),
        ("nothing", "not of the form"),
        ("corpora=[a", "is not YAML"),
    ],
)
def test_bad_overrides_are_one_sentence(override, words):
    with pytest.raises(BadInput) as caught:
        load_recipe("pt-s1-tiny", [override])
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(BadInput, match="did you mean 'pt-s1-tiny'"):
        load_recipe("pt-s1-tyny")


def test_paths_are_relative_to_the_recipe_file(tmp_path):
    text = (STAGES / "sft-tiny.yaml").read_text()
    text = text.replace("[example:corpus]", "[data/one, /data/two, 'example:corpus']") + "pack: pack\n"
    (tmp_path / "mine.yaml").write_text(text)
    recipe = load_recipe(tmp_path / "mine.yaml")
    assert recipe.corpora == (str(tmp_path / "data/one"), "/data/two", "example:corpus")
    assert (
        recipe.pack == str(tmp_path / "pack") and recipe.codec == "embedded" and recipe.tokenizer == "example:tokenizer"
    )


def test_paths_of_overrides_are_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("sft-tiny", ["corpora=[data]", "pack=pack"])
    assert recipe.corpora == (str(tmp_path / "data"),) and recipe.pack == str(tmp_path / "pack")
    save_recipe(recipe, tmp_path / "run" / "recipe.yaml")
    assert load_recipe(tmp_path / "run" / "recipe.yaml") == recipe


def test_example_paths(monkeypatch, tmp_path):
    import vaak.demo

    monkeypatch.setattr(vaak.demo, "corpus_folder", lambda: tmp_path, raising=False)
    assert resolve_path("example:corpus") == tmp_path and str(resolve_path("/data/one")) == "/data/one"
    with pytest.raises(BadInput, match="names nothing in the embedded example"):
        resolve_path("example:corpse")


def test_a_corpus_may_be_an_address_and_nothing_else_may(tmp_path):
    text = (STAGES / "smoke-tiny.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("example:corpus", "s3://bucket/corpora/v1"))
    recipe = load_recipe(tmp_path / "mine.yaml", ["staging.folder=shards"])
    assert recipe.corpora == ("s3://bucket/corpora/v1",)
    assert recipe.staging.folder == str(Path.cwd() / "shards") and recipe.staging.limit_gb == 200
    assert load_recipe(tmp_path / "mine.yaml").staging.folder.startswith("~/")
    with pytest.raises(BadInput, match="a folder is needed here; `vaak corpus pull"):
        resolve_path("s3://bucket/corpora/v1")


def test_a_stage_has_a_lower_peak_than_its_parent():
    chain = [load_recipe(name) for name in ("pt-s1", "pt-s2", "pt-s3", "sft")]
    ratios = [check_peak(child, parent) for parent, child in pairwise(chain)]
    assert ratios == pytest.approx([5.0, 6.0, 10 / 3])
    with pytest.raises(BadInput, match="not below the 5e-05 of its parent pt-s2"):
        check_peak(load_recipe("pt-s1"), load_recipe("pt-s2"))
    allowed = load_recipe("pt-s1", ["allow_higher_peak=true"])
    assert check_peak(allowed, load_recipe("pt-s2")) == pytest.approx(20.0)


def test_a_ramp_reaches_its_end_and_stays_there():
    ramp = load_recipe("sft-tiny", ["alignment_prior={start: 0.4, end: 0.2, until: 0.5}"]).alignment_prior
    assert [ramp.at(step, 100) for step in (0, 25, 50, 99)] == pytest.approx([0.4, 0.3, 0.2, 0.2])
    whole = load_recipe("pt-s2-tiny").context_noise
    assert [whole.at(step, 100) for step in (0, 50, 100)] == pytest.approx([0.9, 0.55, 0.2])
    # The stages of the specification have none of the helps for small data, and AdamW.
    for name in BIG:
        recipe = load_recipe(name)
        assert recipe.alignment_prior.at(0, 1) == recipe.context_noise.at(0, 1) == 0
        assert recipe.optimizer.kind == "adamw"


def test_checkpoint_intervals():
    assert load_recipe("pt-s1").checkpoints.intervals[:2] == ((10_000, 1_000), (50_000, 5_000))
    assert load_recipe("pt-s1").checkpoints.intervals[2][1] == 10_000
    assert load_recipe("sft-tiny").checkpoints.intervals == ((100, 100),)


def test_steps_of_a_stage_that_counts_in_passes():
    class Planned:
        n_rows = 257

    assert steps_of(load_recipe("sft"), Planned()) == 3  # type: ignore[arg-type]
    assert steps_of(load_recipe("pt-s1-tiny"), Planned()) == 200  # type: ignore[arg-type]


@pytest.mark.parametrize("override", ["optimizer.betas=[0.9, 0.98]", "optimizer={grad_clip: 0.5}", "seed=2"])
def test_an_alignment_has_weight_decay_only_where_it_is_asked_for(override):
    from vaak.recipe import load_align_recipe

    assert load_align_recipe("dpo-tiny", [override]).optimizer.weight_decay == 0.0
    assert load_align_recipe("dpo-tiny", [override, "optimizer.weight_decay=0.1"]).optimizer.weight_decay == 0.1


def test_the_policy_of_an_alignment_and_of_a_stage_are_found_alike(tmp_path):
    from vaak.recipe import load_align_recipe, load_policy

    aligned = load_align_recipe("grpo-tiny", ["checkpoints.every=7"])
    save_recipe(aligned, tmp_path / "aligned.yaml")
    save_recipe(load_recipe("sft-tiny", ["checkpoints.every=9"]), tmp_path / "stage.yaml")
    assert load_policy(tmp_path / "aligned.yaml").every == 7 and load_policy(tmp_path / "stage.yaml").every == 9
    assert load_policy("grpo-tiny") == load_align_recipe("grpo-tiny").checkpoints
    assert load_policy("sft-tiny") == load_recipe("sft-tiny").checkpoints
    assert load_align_recipe(tmp_path / "aligned.yaml") == aligned
