"""`vaak cost`: a table, the same as JSON, and one sentence for what cannot be costed."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_doors import leave


def test_help_has_examples(capsys):
    code, out, _ = leave(["cost", "--help"], capsys)
    assert code == 0 and "vaak cost pt-s1 --gpus 8" in out


def test_a_small_stage_as_json(capsys):
    arguments = [
        "cost",
        "pt-s2-tiny",
        "sft-tiny",
        "--gpus",
        "1",
        "--gpu",
        "l40s",
        "--price",
        "2",
        "--mfu",
        "0.2",
        "--json",
    ]
    code, out, error = leave(arguments, capsys)
    content = json.loads(out)
    assert code == 0 and error == ""
    assert content["hardware"] == {"gpu": "l40s", "gpus": 1, "mfu": 0.2, "price_per_gpu_hour": 2.0}
    first, second = content["stages"]
    assert (
        first["name"] == "pt-s2-tiny" and first["steps"] == 600 and first["fits"] and first["largest_microbatch"] == 2
    )
    assert first["price"] == pytest.approx(2 * first["gpu_hours"])
    assert sum(first["memory"]["parts"].values()) == first["memory"]["peak"]
    assert content["all"]["price"] == pytest.approx(first["price"] + second["price"])


def test_the_tables_hold_the_curriculum(capsys):
    code, out, _ = leave(["cost", "pt-s1", "pt-s2", "--no-memory", "--microbatch", "4"], capsys)
    assert code == 0 and "memory of one GPU" not in out
    for words in ("on 8 × h100", "40% of the peak", "pt-s2", "381,470", "8.65", "4,153", "full checkpoint", "22.3 GB"):
        assert words in out


def test_memory_is_shown_by_what_it_is_for(capsys):
    code, out, _ = leave(["cost", "pt-s2-tiny", "--gpus", "1"], capsys)
    assert code == 0
    for words in ("weights, float32", "optimizer state", "activations", "room for tensors", "largest microbatch"):
        assert words in out


@pytest.mark.parametrize(
    "arguments,words",
    [
        (["pt-s1", "--gpu", "h10"], "did you mean h100?"),
        (["pt-s1", "--gpus", "7"], "does not divide by 7 processes"),
        (["pt-s9"], "there is no recipe 'pt-s9'"),
        (["pt-s1", "--microbatch", "0"], "a microbatch of 0 rows"),
        (["pt-s1", "--set", "model.path=Qwen/Qwen3-1.7B-Bose"], "did you mean Qwen/Qwen3-1.7B-Base"),
        (["pt-s1", "--set", "contxt=4096"], "did you mean 'context'"),
    ],
)
def test_what_cannot_be_costed_is_one_sentence(arguments, words, capsys):
    code, out, error = leave(["cost", *arguments], capsys)
    assert code == 2 and out == "" and words in error and len(error.strip().splitlines()) == 1
