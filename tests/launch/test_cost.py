"""Time, money, disk and traffic of a stage, and of a curriculum."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from vaak.errors import BadInput
from vaak.launch.cost import curriculum_totals, stage_cost
from vaak.launch.cost_plan import stages_of
from vaak.launch.cost_tables import memory_rows, notes_of, storage_rows, time_rows
from vaak.launch.hardware import GIB, Hardware, filled, gpu_named, gpu_names, room_for_tensors
from vaak.recipe import load_recipe

EIGHT, ONE = Hardware("h100", 8), Hardware("l40s", 1)


def test_two_hundred_billion_tokens_on_eight_gpus_by_hand():
    cost = stage_cost(load_recipe("pt-s1"), Hardware("h100", 8, mfu=0.4, price_per_gpu_hour=2.5), trace=False)
    assert cost.steps == 381_470 and cost.tokens == 381_470 * 524_288
    assert cost.hours is not None and cost.gpu_hours is not None
    # 6 operations for each number of the layers and of the head (which 2,047 of 2,048 positions reach), and causal attention.
    layers, head = 6 * 28 * 50_331_648, 6 * 2048 * 217_209 * 2047 / 2048
    attention = 12 * 28 * 2048 * 2049 / 2
    assert cost.flops_per_token == pytest.approx(layers + head + attention)
    assert cost.tokens_per_s_per_gpu == pytest.approx(989e12 * 0.4 / cost.flops_per_token)
    assert cost.hours == pytest.approx(cost.tokens / (8 * cost.tokens_per_s_per_gpu) / 3600)
    assert cost.gpu_hours == pytest.approx(8 * cost.hours) and cost.price == pytest.approx(2.5 * cost.gpu_hours)
    assert cost.step_seconds == pytest.approx(3600 * cost.hours / cost.steps)
    assert cost.corpus_bytes_read == pytest.approx(2.2 * cost.tokens)
    assert cost.staging_bytes_per_s == pytest.approx(2.2 * 8 * cost.tokens_per_s_per_gpu)
    assert cost.upload_bytes_per_s == pytest.approx(cost.checkpoint_full_bytes / (1000 * cost.step_seconds))
    assert (cost.microbatch_rows, cost.accumulation) == (2, 16) and cost.memory is None and cost.fits is None


def test_the_memory_and_the_largest_microbatch_of_a_small_stage():
    cost = stage_cost(load_recipe("pt-s2-tiny"), Hardware("rtx4090", 1))
    assert cost.memory is not None and cost.fits and cost.largest_microbatch == 2
    again = stage_cost(load_recipe("pt-s2-tiny", ["microbatch_rows=2"]), Hardware("rtx4090", 1))
    assert again.memory is not None and again.memory.peak > cost.memory.peak and again.accumulation == 1
    assert json.loads(json.dumps(cost.to_dict()))["memory"]["parts"]["weights"] == cost.memory.parts["weights"]
    rows = {row[0]: row[1] for row in memory_rows([cost])}
    assert (
        rows["fits"] == "yes" and rows["largest microbatch"] == "2 × 1" and rows["microbatch × accumulation"] == "1 × 2"
    )


def test_a_row_too_large_for_a_gpu_does_not_fit():
    recipe = load_recipe("pt-s2-tiny", ["context=262144", "tokens_per_step=262144", "microbatch_rows=1"])
    cost = stage_cost(recipe, Hardware("rtx4090", 1))
    assert cost.fits is False and cost.largest_microbatch is None
    rows = {row[0]: row[1] for row in memory_rows([cost])}
    assert rows["fits"] == "NO" and rows["largest microbatch"] == "none"


def test_what_the_length_is_needed_for_is_not_invented():
    cost = stage_cost(load_recipe("sft"), EIGHT, trace=False)
    unknown = [cost.tokens, cost.steps, cost.hours, cost.gpu_hours, cost.price, cost.corpus_bytes_read]
    assert unknown == [None] * 6 and any("need the corpora" in note for note in cost.notes)
    assert cost.disk_bytes == 6 * cost.checkpoint_full_bytes + 20 * cost.checkpoint_model_bytes
    both = [stage_cost(load_recipe("pt-s3"), EIGHT, trace=False), cost]
    totals = curriculum_totals(both)
    assert totals["price"] is None and totals["disk_bytes"] == both[0].disk_bytes + both[1].disk_bytes
    rows = {row[0]: row[1:] for row in time_rows(both)}
    assert rows["dollars"] == ["220", "–", "–"]
    assert [note for note in notes_of(both) if note.startswith("sft: ")]


def test_passes_are_counted_where_the_corpora_are_here():
    cost = stage_cost(load_recipe("sft-tiny", ["length={passes: 1}"]), ONE, trace=False)
    assert cost.steps and cost.tokens == cost.steps * 2048 and cost.price
    far = load_recipe("sft-tiny", ["length={passes: 1}", "corpora=['s3://bucket/corpus']"])
    assert stage_cost(far, ONE, trace=False).steps is None


def test_a_curriculum_is_the_sum_of_its_stages():
    stages = [stage_cost(one, EIGHT, trace=False) for one in stages_of(["pt-s1", "pt-s2"])]
    totals = curriculum_totals(stages)
    assert totals["price"] == pytest.approx(sum(one.price or 0 for one in stages))
    assert storage_rows(stages)[0][1] == "22.3 GB"


def test_a_project_file_stands_for_its_stages():
    project = str(files("vaak.demo").joinpath("project.yaml"))
    stages = stages_of([project], ["length={steps: 7}"])
    assert [one.name for one in stages] == ["smoke", "pt-s1", "pt-s2", "sft"]
    assert all(one.planned_steps == 7 and one.codec == "embedded" for one in stages)
    assert stages[2].mixture.streams["paired"].share == 0.95, "a stage's own overrides"
    assert stage_cost(stages[2], Hardware("l40s", 1), trace=False).tokens == 7 * 1024


@pytest.mark.parametrize(
    "hardware,overrides,words",
    [
        (Hardware("h10", 8), [], "did you mean h100?"),
        (Hardware("tpu", 8), [], "name one of h100"),
        (Hardware("h100", 0), [], "0 GPUs cannot train"),
        (Hardware("h100", 8, mfu=1.5), [], "an MFU of 1.5"),
        (Hardware("h100", 8, price_per_gpu_hour=-1), [], "a price of -1"),
        (Hardware("h100", 7), [], "does not divide by 7 processes"),
        (Hardware("h100", 8), ["microbatch_rows=3"], "do not divide by a microbatch of 3"),
        (Hardware("h100", 8), ["parallel.shards=3"], "does not divide 8 processes"),
    ],
)
def test_what_cannot_be_costed_is_refused_with_the_remedy(hardware, overrides, words):
    with pytest.raises(BadInput, match=words):
        stage_cost(load_recipe("pt-s1", overrides), hardware, trace=False)


@pytest.mark.parametrize("name", gpu_names())
def test_the_table_of_gpus_is_whole(name):
    gpu = gpu_named(name.upper())
    assert 10 < gpu.memory_gib < 300 and 1e14 < gpu.flops < 1e16 and 0 < gpu.mfu < 1 and gpu.dollars_per_hour > 0
    assert filled(Hardware(name, 2)) == Hardware(name, 2, gpu.mfu, gpu.dollars_per_hour)
    assert 0.8 * gpu.memory_gib * GIB < room_for_tensors(gpu) < gpu.memory_gib * GIB
