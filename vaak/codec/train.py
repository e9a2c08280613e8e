"""Trains a codec by a recipe: `vaak codec train RECIPE --out FOLDER`. Interrupted, it continues at the last saved step (on a CPU to the bit).

Two phases: spectra and pitch alone, then a critic joins. The batch of a step is a function of the seed and the step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from vaak.codec.crops import Crops, Cutter
from vaak.codec.listing import list_audio
from vaak.codec.material import Material, prepare
from vaak.codec.measure import measure, read_held_out
from vaak.codec.network import CodecNetwork
from vaak.codec.run import STATE, CodecRun
from vaak.codec.settings import CodecRecipe
from vaak.errors import BadInput, CheckFailed, Interrupted
from vaak.host import choose_device, choose_precision, keep_freed_memory
from vaak.storage.files import read_json, room_on_disk, write_bytes, write_json
from vaak.storage.locks import only_one
from vaak.track.jsonl import JsonlTracker

RECIPE = "recipe.json"
# Rows of metrics.jsonl come every so many steps.
_REPORT_EVERY = 25
# So many steps without a finite gradient, and nothing is learned any more.
_HOPELESS = 25
# What may change in a run that goes on: nothing that a saved state or the prepared audio depends on.
_MAY_CHANGE = {
    "steps", "peak_lr", "warmup", "decay", "weight_decay", "grad_clip", "ema", "priced_from", "losses", "precision", "held_out",
    "save_every", "measure_every", "batch", "start_from",
}  # fmt: skip

Progress = Callable[[float, float, str], None]
Say = Callable[[str], None]


def train_codec(
    recipe: CodecRecipe,
    out: Path,
    *,
    stop: Callable[[], bool] = lambda: False,
    on_step: Progress | None = None,
    say: Say = print,
) -> Path:
    """Trains (or continues) in folder `out`; writes out/codec/{model.safetensors,config.json} and returns that folder.

    `out` also keeps the recipe, the prepared audio (material/), the full state (state.safetensors) and the losses
    (metrics.jsonl). Raises `Interrupted`, with everything saved, once `stop()` is true; `BadInput` if there is no audio, if
    `out` belongs to another recipe or another process, or if a file is damaged; `CheckFailed` if training diverges.
    """
    with _only_here(out):
        _check_recipe(recipe, out, say)
        keep_freed_memory()
        audio, apart = list_audio(recipe.audio), list_audio(recipe.held_out) if recipe.held_out else []
        if both := {path.resolve() for path in audio} & {path.resolve() for path in apart}:
            raise BadInput(f"{min(both)} is in 'audio' and in 'held_out'; take it out of one of them")
        held_out = read_held_out(apart)
        # Before the audio is read, which may take hours: what is wrong with the rest is said at once.
        device = choose_device()
        run = CodecRun(recipe, choose_precision(recipe.precision, device), device)
        if (out / STATE).is_file():
            run.load(out)
        elif recipe.start_from is not None:
            run.start_from(_weights(Path(recipe.start_from)))
        material = prepare(audio, out / "material", recipe.seed, recipe.crop, recipe.variation, on_step, stop)
        say(f"{material.hours:.2f} hours of audio in {len(audio):,} files, {run.precision} on {device}")
        if run.step:
            say(f"continues at step {run.step:,}")
        tracker = JsonlTracker(out / "metrics.jsonl", resume_step=run.step, say=say)
        try:
            _train(run, material, held_out, tracker, out, stop, on_step)
        finally:
            tracker.close()
    return out / "codec"


@contextmanager
def _only_here(out: Path) -> Iterator[None]:
    """Hold the folder for this process; a folder that cannot be one, and a full disk, are said in one sentence."""
    with ExitStack() as held:
        try:
            out.mkdir(parents=True, exist_ok=True)
            held.enter_context(
                only_one(out / ".lock", f"{out} is in use by another training; wait for it, or name another folder")
            )
        except OSError as error:
            raise BadInput(f"{out} cannot be a training's folder ({error.strerror}); name another one") from error
        for left_by_a_kill in (*out.glob(".*.tmp"), *(out / "codec").glob(".*.tmp")):
            left_by_a_kill.unlink()
        with room_on_disk(out):
            yield


def _train(
    run: CodecRun,
    material: Material,
    held_out: Sequence[np.ndarray],
    tracker: JsonlTracker,
    out: Path,
    stop: Callable[[], bool],
    on_step: Progress | None,
) -> None:
    recipe, began, before, lost = run.recipe, time.monotonic(), run.step, 0

    def keep() -> None:
        run.save(out)
        save_codec(run.averaged, out / "codec", _about(run, material))

    for crops in _batches(Cutter(material, recipe.seed, recipe.variation, run.device), recipe, run.step):
        if stop():
            keep()
            raise Interrupted(f"stopped before step {run.step + 1:,} of {recipe.steps:,}; it is saved in {out}")
        losses = run.advance(crops)
        lost = lost + 1 if losses["skipped"] else 0
        if lost >= _HOPELESS:
            raise CheckFailed(f"no gradient is finite since step {run.step - lost + 1:,}; lower peak_lr, begin anew")
        pace = (run.step - before) / (time.monotonic() - began)
        if run.step % _REPORT_EVERY == 0:
            tracker.log(losses | {"steps_per_s": pace}, run.step)
        if on_step is not None:
            on_step(run.step, recipe.steps, f"mel {losses['mel']:.3f}  {pace:.2f} steps/s")
        if run.step % recipe.save_every == 0:
            keep()
        if held_out and not lost and (run.step % recipe.measure_every == 0 or run.step == recipe.steps):
            tracker.log(measure(run.averaged, run.prior, held_out), run.step)
    keep()


def _batches(cutter: Cutter, recipe: CodecRecipe, step: int) -> Iterator[Crops]:
    """The batches from a step on, each cut while the one before is trained on."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(cutter.crops, step, recipe.batch, recipe.crop)
        for at in range(step, recipe.steps):
            crops = following.result()
            following = pool.submit(cutter.crops, at + 1, recipe.batch, recipe.crop)
            yield crops


def _check_recipe(recipe: CodecRecipe, out: Path, say: Say) -> None:
    """Refuse a folder of another codec; say what changes in one that goes on; keep the recipe."""
    path, now = out / RECIPE, recipe.model_dump(mode="json")
    if (out / STATE).is_file():
        then = read_json(path)
        changed = sorted(key for key in now if key not in then or now[key] != then[key])
        if "critic" in changed and now["critic"] | {"joins": 0} == then["critic"] | {"joins": 0}:
            changed[changed.index("critic")] = "critic.joins"
        fixed = [key for key in changed if key not in _MAY_CHANGE | {"critic.joins", "name"}]
        if fixed:
            raise BadInput(f"{out} was begun with another '{fixed[0]}'; set it back, or name another folder")
        if changed:
            say(f"goes on with another {', '.join(changed)}")
    write_json(path, now)


def _about(run: CodecRun, material: Material) -> dict[str, Any]:
    return {
        "trained_steps": run.step,
        "recipe": run.recipe.model_dump(mode="json", exclude={"network", "audio", "held_out", "start_from"}),
        "continued": run.continued,
        "precision": run.precision,
        "hours": round(material.hours, 3),
        "files": len(material.lengths),
        "versions": {name: version(name) for name in ("vaak", "torch")},
    }


def _weights(folder: Path) -> dict[str, Any]:
    try:
        return load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise BadInput(
            f"start_from: {folder} holds no codec ({error}); name a folder with model.safetensors"
        ) from error


def save_codec(network: CodecNetwork, folder: Path, about: dict[str, Any]) -> None:
    """The two files of a codec: weights in half precision, and a configuration that says how to read them."""
    halves = {key: tensor.detach().half().cpu().contiguous() for key, tensor in network.state_dict().items()}
    write_bytes(folder / "model.safetensors", save(halves))
    write_json(folder / "config.json", {"kind": "vaak-fsq", "network": network.settings.to_dict()} | about)
