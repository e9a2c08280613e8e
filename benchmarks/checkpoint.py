"""What a checkpoint costs: the loop's time, the disk's room, the time to resume, to list and to prune.

A save beside the training is compared with one that is waited for, in turn, on the same model; a resumed run's first batch at
step 3 with one at step 9 million; listing and pruning 1,000 checkpoints with reading their marks and removing their folders
bare. Prints one line per figure: `python benchmarks/checkpoint.py [--json PATH]`; `--small` is a quick look whose figures say
little.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import torch
from codec import Figure, at_most

from vaak.checkpoint import Checkpoint, Content, Saver, find_checkpoint, list_checkpoints, prune, weights_of
from vaak.checkpoint.folder import COMPLETE, step_folder
from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture import open_loader
from vaak.model import ModelSettings, create_model
from vaak.model.speech_lm import SpeechLM
from vaak.recipe import CheckpointSettings, OptimizerSettings, Recipe
from vaak.train.loop import train
from vaak.train.optimizer import build_optimizer, optimizer_tensors
from vaak.train.stage import prepare

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.train.toy_stage import make_corpus, make_recipe

ROUNDS, RESUMES = 5, 7
# 60 M parameters: 720 MB a checkpoint.
LARGE = {"hidden_size": 512, "num_hidden_layers": 8, "intermediate_size": 2048, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 64}  # fmt: skip
SMALL = {**LARGE, "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 128}
VOCABULARY = Vocabulary(base_size=32_000, codebook_size=4_096, end_of_text_id=0)
FAR = 9_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--small", action="store_true", help="a small model and 100 checkpoints")
    arguments = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures += measured(folder, arguments.small)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=2))
    return 0 if all(figure.holds for figure in figures) else 1


def measured(folder: Path, small: bool) -> Iterator[Figure]:
    yield from save_figures(folder / "saves", SMALL if small else LARGE)
    yield from resume_figures(folder / "resumes")
    yield from retention_figures(folder / "many", 100 if small else 1_000)


def save_figures(run: Path, body: dict[str, int]) -> Iterator[Figure]:
    """The loop is a forward and backward pass and an update of the same few rows."""
    model, optimizer = stepped_model(body)
    saver, step = Saver(run, model), 0

    def content() -> Content:
        state = {"step": step, "rng": []}
        training = {**optimizer_tensors(model, optimizer), "rng/0": torch.get_rng_state()}
        return Content(step, weights_of(model), training, state, {})

    def seconds_of(work: Callable[[], object]) -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    def waited_for() -> None:
        saver.begin(saver.stage(content()))
        saver.wait()

    alone, beside, held, whole = [], [], [], []
    for turn in range(ROUNDS + 1):
        step += 1
        saved = seconds_of(waited_for)
        alone.append(seconds_of(lambda: one_step(model, optimizer)))
        step += 1
        begun = seconds_of(lambda: saver.begin(saver.stage(content())))
        steps = 0.0, 0
        while saver.running:
            steps = steps[0] + seconds_of(lambda: one_step(model, optimizer)), steps[1] + 1
        saver.wait()
        if turn:  # the first one allocates
            whole.append(saved)
            held.append(begun)
            beside.append(steps)
    size = sum(path.stat().st_size for path in list_checkpoints(run)[-1].path.rglob("*") if path.is_file())
    parameters = sum(parameter.numel() for parameter in model.parameters())
    saver.close()
    shutil.rmtree(run)
    usual = statistics.median(alone[1:])
    slowed = [seconds - count * usual for seconds, count in beside]
    share = statistics.median(h / w for h, w in zip(held, whole, strict=True))
    all_told = statistics.median((h + max(s, 0.0)) / w for h, s, w in zip(held, slowed, whole, strict=True))
    yield at_most("loop held by a save beside it", share, 0.25, f"one that is waited for ({statistics.median(whole):.2f} s, {parameters / 1e6:.0f} M parameters)", "×")  # fmt: skip
    yield at_most("held, and steps slowed while it writes", all_told, 1.0, "one that is waited for, same cores", "×")
    yield at_most(
        "bytes of a full checkpoint", size / parameters, 12.1, "4 for weights, 8 for two moments", "per parameter"
    )


def stepped_model(body: dict[str, int]) -> tuple[SpeechLM, torch.optim.Optimizer]:
    model = create_model(ModelSettings(config={"model_type": "qwen3", **body}), VOCABULARY, seed=0)
    optimizer = build_optimizer(model, OptimizerSettings(), 1e-4)
    one_step(model, optimizer)
    return model, optimizer


def one_step(model: SpeechLM, optimizer: torch.optim.Optimizer) -> None:
    ids = torch.arange(128).reshape(1, 128)
    model.lm(ids, use_cache=False).logits[:, :, :64].float().logsumexp(-1).sum().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def resume_figures(folder: Path) -> Iterator[Figure]:
    """From the start of `prepare` to the first batch in hand; plan, corpus and model are the same."""
    folder.mkdir()
    recipe = make_recipe(make_corpus(folder), length={"steps": 10_000_000}, pack=None)
    runs = [interrupted(recipe, folder / "near", 3), interrupted(recipe, folder / "far", FAR)]
    seconds: list[list[float]] = [[], []]
    for _ in range(RESUMES):
        for run, found in zip(runs, seconds, strict=True):
            began = time.perf_counter()
            stage = prepare(recipe, run, None, True, lambda _: None)
            row = stage.step * recipe.rows_per_step
            loader = open_loader(
                stage.plan,
                stage.data.corpora,
                stage.data.vocabulary,
                stage.data.tokenizer,
                start_row=row,
                microbatch_rows=4,
            )
            with closing(loader):
                next(loader)
            found.append(time.perf_counter() - began)
    near, far = (statistics.median(found[1:]) for found in seconds)
    yield at_most(f"resume at step {FAR:,}", far / near, 1.2, f"at step 3 ({near:.2f} s to the first batch)", "×")


def interrupted(recipe: Recipe, run: Path, step: int) -> Path:
    """A run that has a checkpoint of that step, with as many steps trained as it takes to have moments."""
    asked = iter([False, True])
    try:
        train(recipe, run, stop=lambda: next(asked), say=lambda _: None)
    except Exception as stopped:
        assert "stopped after step 1" in str(stopped), stopped
    stage = prepare(recipe, run, None, True, lambda _: None)
    state = {**stage.state, "step": step, "row": step * recipe.rows_per_step}
    training = {**optimizer_tensors(stage.model, stage.optimizer), "rng/0": torch.get_rng_state()}
    old = find_checkpoint(run).path
    files = {name: (old / name).read_bytes() for name in ("recipe.yaml", "plan.json", "tokenizer.json")}
    saver = Saver(run, stage.model)
    saver.begin(saver.stage(Content(step, weights_of(stage.model), training, state, files)))
    saver.wait()
    return run


def retention_figures(run: Path, count: int) -> Iterator[Figure]:
    """Small checkpoints with all their files, copied; of a policy that keeps five and twenty."""
    model, optimizer = stepped_model(SMALL)
    saver = Saver(run, model)
    saver.begin(saver.stage(Content(1, weights_of(model), dict(optimizer_tensors(model, optimizer)), {"step": 1}, {})))
    first = saver.wait()
    assert first is not None
    copies(first, run, count)
    bare = run.with_name("bare")
    shutil.copytree(run, bare, copy_function=link)
    seconds = {"list": [], "marks": []}
    for _ in range(5):
        began = time.perf_counter()
        found = list_checkpoints(run)
        middle = time.perf_counter()
        marks = [json.loads((path / COMPLETE).read_bytes()) for path in sorted((run / "checkpoints").iterdir())]
        seconds["list"].append(middle - began)
        seconds["marks"].append(time.perf_counter() - middle)
        assert len(found) == len(marks) == count
    listing, marking = (statistics.median(found) for found in seconds.values())
    yield at_most(f"list {count:,} checkpoints", listing / marking, 3.0, f"reading their marks bare ({listing * 1e3:.0f} ms)", "×")  # fmt: skip
    began = time.perf_counter()
    done = prune(run, CheckpointSettings(milestones=None))
    pruning = time.perf_counter() - began
    assert (len(done.removed), len(done.model_only)) == (count - 25, 20)
    began = time.perf_counter()
    for path in sorted((bare / "checkpoints").iterdir())[: count - 25]:
        shutil.rmtree(path)
    removing = time.perf_counter() - began
    yield at_most(f"prune {count:,} checkpoints", pruning / removing, 5.0, f"removing as many folders bare ({pruning:.2f} s)", "×")  # fmt: skip


def copies(first: Checkpoint, run: Path, count: int) -> None:
    for step in range(2, count + 1):
        shutil.copytree(first.path, step_folder(run, step), copy_function=link)


def link(source: str, target: str) -> None:
    """A file with the content of another, that takes no room: thousands of copies would fill a disk."""
    Path(target).hardlink_to(source)


if __name__ == "__main__":
    sys.exit(main())
