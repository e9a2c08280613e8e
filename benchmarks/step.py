"""What a training step costs: against a padded loop and the Hugging Face Trainer, in memory, beside the loop, as sizes double.

    python benchmarks/step.py                     everything, one line per figure, sides in turn, medians of ratios
    python benchmarks/step.py --small             in sizes that say little, to see that it runs
    python benchmarks/step.py --precision fp32    all sides in fp32 (by default in what Vaak chooses on this machine)
    python benchmarks/step.py --json FILE         the figures as a list as well

All sides train one architecture with the same weights on the same documents in every optimizer step, with the same threads,
precision, AdamW (fused) and clipping; each has memory allocated as its own users would, which Vaak's loop changes on a CPU. Where there is a GPU the sizes are those of one, and the share of its peak (MFU) that
a Qwen3-1.7B shape reaches is printed. Needs the `dev` extra (accelerate, for the Trainer).
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _step_documents import (
    DISTRIBUTION,
    documents_of,
    filled_rows,
    padded_step,
    sft_corpus,
    sft_lengths,
    sft_reader,
    tokenizer_of_words,
)
from _step_loop import loop_recipe, save_tokenizer, time_loop
from _step_memory import MB, Case, measured, measured_here, ready
from _step_sides import PaddedLoop, free_as_usual, own_side, own_stepper, plain_model, synchronise
from _step_speed import PEAKS, model_speed
from _step_trainer import steps_in_turn
from codec import Figure, at_least, at_most

from vaak.grammar.vocabulary import Vocabulary
from vaak.host import Precision, choose_device, choose_precision
from vaak.mixture import PackedBatch, RowReader
from vaak.model.open import create_model
from vaak.model.settings import ModelSettings

# Qwen3-1.7B's tokenizer has 151,669 ids; with 65,536 codes and four control tokens that is 217,209.
QWEN_IDS, XCODEC2 = 151_669, 65_536


def body(hidden: int, layers: int, heads: int, kv_heads: int, head_dim: int, intermediate: int) -> dict[str, Any]:
    return {
        "model_type": "qwen3",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "intermediate_size": intermediate,
        "max_position_embeddings": 8192,
    }


QWEN3_06B, QWEN3_17B = body(1024, 28, 16, 8, 128, 3072), body(2048, 28, 16, 8, 128, 6144)


@dataclass(frozen=True)
class Sizes:
    """What is run. A default is what a CPU of two cores does in a few minutes.

    A step of fine-tuning has `rows` rows, for the peers cut into batches of about `each` documents; eight is the Trainer's
    default. A step of full rows has `filled` rows, for the peers in
    `filled_padded` batches. `microbatch` are the rows that Vaak computes at once. `memory` and `doubled` are (base ids,
    codes, context, rows), `loop` (codes, context, rows, microbatch, steps).
    """

    body: dict[str, Any] = field(default_factory=lambda: body(256, 6, 4, 2, 64, 768))
    codes: int = XCODEC2
    documents: int = 3_000
    context: int = 2_048
    rounds: int = 3
    rows: int = 2
    warm_rows: int = 1
    microbatch: int = 2
    each: int = 8
    filled: int = 2
    filled_padded: int = 1
    memory: tuple[int, int, int, int] = (QWEN_IDS, XCODEC2, 1_024, 1)
    doubled: tuple[int, int, int, int] = (380, 16_384, 1_024, 1)
    loop: tuple[int, int, int, int, int] = (4_096, 1_024, 4, 1, 10)
    speed: dict[str, Any] = field(default_factory=lambda: body(256, 6, 4, 2, 64, 768))
    # Each case of `doubled` in a process of its own, without which peaks of memory say nothing.
    apart: bool = True


SMALLEST = body(32, 2, 2, 1, 16, 64)
SMALL = Sizes(
    SMALLEST, 256, 100, 512, rounds=2, memory=(380, 512, 128, 1), doubled=(380, 256, 128, 1), loop=(256, 256, 2, 1, 4),
    speed=SMALLEST, apart=False,
)  # fmt: skip
GPU = Sizes(
    QWEN3_06B, XCODEC2, 20_000, rounds=10, rows=12, warm_rows=12, microbatch=2, each=4, filled=12, filled_padded=6,
    memory=(QWEN_IDS, XCODEC2, 2_048, 4), doubled=(QWEN_IDS, 32_768, 2_048, 2), loop=(XCODEC2, 2_048, 16, 2, 30),
    speed=QWEN3_17B,
)  # fmt: skip


def told(name: str, value: float, unit: str, against: str) -> Figure:
    """A figure that claims nothing."""
    figure = Figure(name, value, unit, 0.0, True, against)
    print(f"{name} {value:,.3f} {unit} ({against}): no limit", flush=True)
    return figure


def reader_of(folder: Path, sizes: Sizes) -> RowReader:
    tokenizer = tokenizer_of_words()
    sft_corpus(folder / "sft", tokenizer, sizes.documents, sizes.codes, sizes.context)
    return sft_reader(folder / "sft", tokenizer, sizes.context, folder / "cache")


def sft_steps(reader: RowReader, sizes: Sizes) -> list[list[PackedBatch]]:
    """A step of `warm_rows` rows to warm up, and those that are measured."""
    steps, at = [], 0
    for rows in [sizes.warm_rows] + [sizes.rows] * sizes.rounds:
        each = min(sizes.microbatch, rows)
        steps.append([reader.batch(range(first, first + each)) for first in range(at, at + rows, each)])
        at += rows
    return steps


def full_steps(vocabulary: Vocabulary, sizes: Sizes) -> list[list[PackedBatch]]:
    rows = min(sizes.microbatch, sizes.filled)
    each = sizes.filled // rows
    return [
        [filled_rows(vocabulary, rows, sizes.context, step * each + i) for i in range(each)]
        for step in range(sizes.rounds + 1)
    ]


def speeds(
    kind: str,
    want: float,
    steps: Sequence[Sequence[PackedBatch]],
    padded: int,
    vocabulary: Vocabulary,
    sizes: Sizes,
    precision: Precision,
    folder: Path,
) -> list[Figure]:
    """Useful tokens a second of the three sides, and ours by each of theirs."""
    device = choose_device("auto")
    model = create_model(ModelSettings(config=sizes.body), vocabulary, 1).to(device)
    batches = [padded_step(step, padded, vocabulary.end_of_text_id, device) for step in steps]
    loop = PaddedLoop.of(plain_model(model), precision)
    of_trainer = plain_model(model)
    losses: dict[str, list[float]] = {"vaak": [], "padded": []}
    own = own_side(own_stepper(model, precision), steps)
    others: dict[str, Callable[[int], Any]] = {
        "vaak": lambda number: losses["vaak"].append(own(number)),
        "padded": lambda number: losses["padded"].append(loop.step(batches[number])),
    }
    spent = steps_in_turn(of_trainer, batches, others, precision, folder / "trainer")
    documents = [documents_of(step) for step in steps]
    tokens = [sum(len(one.ids) for one in each) for each in documents]
    positions = sum(one["labels"].numel() for step in batches[1:] for one in step)
    shape = f"{sum(map(len, documents[1:])) / padded / (len(steps) - 1):.1f} documents a batch"
    if kind == "sft":
        shape += f", {sum(tokens[1:]) / positions:.0%} of its positions useful"
    figures = []
    for side in ("vaak", "padded", "trainer"):
        rate = float(np.median([n / one.clock for n, one in zip(tokens[1:], spent[side][1:], strict=True)]))
        figures.append(told(f"{kind}, {side}", rate, "useful tokens/s", f"{precision}, vocabulary {vocabulary.size:,}"))
    for side, name in (("padded", "a padded loop with full logits"), ("trainer", "the Trainer")):
        ratios = np.array(spent[side][1:]) / np.array(spent["vaak"][1:])  # [rounds, (clock, work)]
        clock, work = np.median(ratios, axis=0).tolist()
        figures.append(at_least(f"{kind}, speed by {side}", clock, want, f"{name}, {shape}", "x"))
        if device.type == "cpu":
            figures.append(told(f"{kind}, processor time of {side}", work, "x", "Vaak's, the same steps"))
    off = abs(losses["vaak"][0] / losses["padded"][0] - 1)
    figures.append(at_most(f"{kind}, first loss apart", off, 1e-3, "the padded loop's, same weights and documents"))
    return figures


def fine_tuning(folder: Path, sizes: Sizes, precision: Precision) -> list[Figure]:
    reader = reader_of(folder, sizes)
    steps = sft_steps(reader, sizes)
    median = float(np.median(sft_lengths(sizes.documents, sizes.context)))
    kept = steps[1:]
    used = [len(one.ids) for step in kept for one in documents_of(step)]
    fill = sum(used) / sum(batch.input_ids.size for step in kept for batch in step)
    figures = [
        told("sft, median document", median, "tokens", f"{DISTRIBUTION}; rows of {sizes.context:,}"),
        told(
            "sft, rows filled", fill, "of 1", f"{len(used)} documents of the steps below, median {np.median(used):.0f}"
        ),
    ]
    fewest = min(len(documents_of(step)) for step in steps)
    padded = max(1, min(fewest, round(len(used) / len(kept) / sizes.each)))
    return figures + speeds("sft", 2.0, steps, padded, reader.vocabulary, sizes, precision, folder)


def full_rows(folder: Path, sizes: Sizes, precision: Precision) -> list[Figure]:
    vocabulary = tokenizer_of_words().vocabulary(sizes.codes)
    steps = full_steps(vocabulary, sizes)
    return speeds("full rows", 1.3, steps, sizes.filled_padded, vocabulary, sizes, precision, folder)


def memory(sizes: Sizes) -> list[Figure]:
    """The claim is about what losses and gradients need. AdamW's moments are the same on both sides, and are told beside it."""
    case = Case("vaak", sizes.body, *sizes.memory)
    own, peer = measured(case), measured(replace(case, side="padded"))
    where = "allocated on the GPU" if torch.cuda.is_available() else "VmHWM of a process, its libraries in it"
    what = f"vocabulary {case.vocabulary.size:,}, {case.rows} × {case.context:,} tokens, {own.parameters / 1e6:.1f}M parameters"
    figures = []
    for side, one in (("vaak", own), ("padded", peer)):
        of = f"{what}; {where}; {one.built / MB:,.0f} before; with AdamW's moments {one.with_moments / MB:,.0f}"
        figures.append(told(f"memory, {side} forward and backward", one.peak / MB, "MiB", of))
    against = f"a padded loop with full logits, nothing padded; {where}"
    figures.append(at_most("memory, forward and backward", own.peak / peer.peak, 0.4, against, "x"))
    figures.append(told("memory, with AdamW's moments", own.with_moments / peer.with_moments, "x", against))
    beyond = (own.peak - own.built) / (peer.peak - peer.built)
    return [*figures, told("memory, beyond the built model", beyond, "x", "forward and backward of both")]


def overhead(folder: Path, sizes: Sizes) -> list[Figure]:
    codes, context, rows, microbatch, steps = sizes.loop
    tokenizer = tokenizer_of_words()
    corpus = sft_corpus(folder / "loop-corpus", tokenizer, sizes.documents // 2, codes, context)
    device = choose_device("auto")
    recipe = loop_recipe(
        corpus,
        save_tokenizer(tokenizer, folder / "tokenizer"),
        sizes.body,
        context=context,
        tokens_per_step=rows * context,
        microbatch_rows=microbatch,
        length={"steps": steps},
        precision="bf16" if device.type == "cuda" else "fp32",
    )
    one = time_loop(recipe, folder / "run", device)
    parts = ", ".join(f"{name} {getattr(one, name) / one.whole:.1%}" for name in ("forward", "backward", "optimizer"))
    against = f"{one.steps} steps of {one.whole / one.steps:.2f} s with loader, clipping and meters; {parts}, side by side where several threads are"
    return [at_most("loop, all but model and optimizer", one.overhead * 100, 2.0, against, "%")]


def doublings(sizes: Sizes) -> list[Figure]:
    """Seconds and memory as one size after the other doubles, beside what the operations alone would say."""
    base = Case("vaak", sizes.body, *sizes.doubled)
    deeper = {**base.body, "num_hidden_layers": 2 * base.body["num_hidden_layers"]}
    cases = {
        "": base,
        "context": replace(base, context=2 * base.context),
        "vocabulary": replace(base, codebook=2 * base.codebook),
        "depth": replace(base, body=deeper),
    }
    measure = measured if sizes.apart else measured_here
    peaks = {name: measure(case).with_moments for name, case in cases.items()}
    seconds = _step_seconds(cases)
    figures = []
    for name, case in list(cases.items())[1:]:
        times = f"{np.median(seconds['']):.2f} s before; operations say {case.flops / base.flops:.2f}"
        ratio = float(np.median(np.array(seconds[name]) / np.array(seconds[""])))
        figures.append(told(f"{name} doubled, seconds a step", ratio, "x", times))
        held = f"{peaks[''] / MB:,.0f} MiB before, libraries and optimizer in it"
        figures.append(told(f"{name} doubled, peak memory", peaks[name] / peaks[""], "x", held))
    return figures


def _step_seconds(cases: dict[str, Case], rounds: int = 5) -> dict[str, list[float]]:
    """Of each round but the first, the cases in turn."""
    device = choose_device("auto")
    steps = {name: ready(case)[0] for name, case in cases.items()}
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            synchronise(device)
            if number:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def utilisation(sizes: Sizes, precision: Precision) -> list[Figure]:
    """Model FLOPs a second, and on a GPU whose peak is known their share of it."""
    device = choose_device("auto")
    on_gpu = device.type == "cuda"
    base = QWEN_IDS if on_gpu else 380
    speed = model_speed(sizes.speed, Vocabulary(base, sizes.codes, 0), sizes.context, precision, device)
    name = torch.cuda.get_device_name(device) if on_gpu else "no CUDA device, so no MFU"
    of = f"{speed.parameters / 1e6:,.0f}M parameters, rows of {sizes.context:,}, {precision}, checkpointing {speed.checkpointing}; {name}"
    figures = [told("model FLOPs", speed.flops_per_s / 1e9, "GFLOP/s", of)]
    if on_gpu:
        figures.append(told("tokens of a 1.7B shape", speed.tokens_per_s, "tokens/s", of))
        peak = next((value for card, value in PEAKS.items() if card in name), math.nan)
        known = f"peak {peak / 1e12:.0f} TFLOP/s dense bf16" if peak == peak else "peak unknown"
        mfu = speed.flops_per_s / peak
        print(f"mfu {f'{mfu:.1%}' if peak == peak else 'unknown'} ({known}, {of})")
        if peak == peak:
            figures.append(told("mfu", mfu * 100, "%", f"{known}; {of}"))
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--small", action="store_true", help="Small sizes, to see that it runs; the figures say little."
    )
    parser.add_argument("--precision", choices=("fp32", "bf16"), help="of all sides in the comparison of speeds")
    chosen = parser.parse_args()
    on_gpu = torch.cuda.is_available()
    sizes = SMALL if chosen.small else GPU if on_gpu else Sizes()
    precision = choose_precision(chosen.precision or "auto", choose_device("auto"))
    free_as_usual()  # for the peers; Vaak's own steps keep what is freed, as its loop does
    with tempfile.TemporaryDirectory(prefix="vaak-bench-") as name:
        folder = Path(name)
        parts: list[Callable[[], list[Figure]]] = [
            lambda: fine_tuning(folder, sizes, precision),
            lambda: full_rows(folder, sizes, precision),
            lambda: memory(sizes),
            lambda: overhead(folder, sizes),
            lambda: doublings(sizes),
            lambda: utilisation(sizes, precision),
        ]
        figures = []
        for part in parts:
            figures += part()
            gc.collect()  # the Trainer and its model hold each other
            if on_gpu:
                torch.cuda.empty_cache()
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(figure) for figure in figures]))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
