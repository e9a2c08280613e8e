"""Writing a checkpoint beside a training that goes on, so that it is whole or not there; and reading its tensors back.

What is to be saved is first copied into memory of the host; from then on training may change it, and a thread of every process
writes its part. Tensors are stored as safetensors and everything else as JSON or YAML: loading runs no code.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions

from vaak.checkpoint.folder import (
    COMPLETE,
    MANIFEST,
    MODEL,
    TRAINING,
    Checkpoint,
    checkpoints_folder,
    remove_checkpoint,
    step_folder,
    step_name,
    what_lacks,
)
from vaak.errors import BadInput
from vaak.model.open import save_model_files
from vaak.model.speech_lm import SpeechLM
from vaak.storage.files import hash_json, list_files, sha256_file, sync_folder, write_bytes, write_json
from vaak.storage.tensors import read_tensors, shapes_of, write_tensors, written_by


@dataclass(frozen=True)
class Content:
    """What one checkpoint holds. Every process gives its own tensors, whole or its part of them; the rest is the first one's.

    weights: the model's by the names of the transformers model. training: the optimizer's and the random state by name, or
    None to save the model alone. state: plain JSON values, saved as state.json. files: further files by name (recipe.yaml,
    tokenizer.json).
    """

    step: int
    weights: Mapping[str, Tensor]
    training: Mapping[str, Tensor] | None
    state: Mapping[str, Any]
    files: Mapping[str, bytes]


class Saver:
    """Saves the checkpoints of one run, one at a time. On several processes all of them call the same methods in step.

    model: gives the configuration and vocabulary. group: of the processes, apart from the one that training uses, since both
    are used at once; None for one process.
    """

    def __init__(self, run: str | Path, model: SpeechLM, group: dist.ProcessGroup | None = None) -> None:
        self.run, self.model, self.group = Path(run), model, group
        self.rank = 0 if group is None else dist.get_rank(group)
        self._stager = DefaultStager(StagingOptions(torch.cuda.is_available(), False, False, False))
        self._thread: threading.Thread | None = None
        self._saved: Checkpoint | None = None
        self._failure: BaseException | None = None

    @property
    def running(self) -> bool:
        """Whether a save goes on in this process."""
        return self._thread is not None and self._thread.is_alive()

    def stage(self, content: Content) -> Content:
        """A copy in memory of the host of what is to be saved: training may change it from now on. No save may be running."""
        assert not self.running, "the copies of a save that goes on are in use"
        staged = self._stager.stage({MODEL: dict(content.weights), TRAINING: dict(content.training or {})})
        assert isinstance(staged, dict)
        full = content.training is not None
        return replace(content, weights=staged[MODEL], training=staged[TRAINING] if full else None)

    def begin(
        self,
        staged: Content,
        then: Callable[[Checkpoint | OSError], None] = lambda _: None,
        held: Callable[[int], str | None] = lambda _: None,
    ) -> None:
        """Write what `stage` gave in the background.

        then: called on every process at the end, from the thread, with the checkpoint or with why there is none.
        held: who holds a lease on the checkpoint of a step, if anybody; one that is held is not replaced, and the save fails.
        """
        assert not self.running, "two saves never overlap"
        self._saved = self._failure = None

        def work() -> None:
            result: Checkpoint | OSError
            try:
                result = self._saved = self._write(staged, held)
            except Exception as error:
                result = error if isinstance(error, OSError) else OSError(f"{type(error).__name__}: {error}")
                self._failure = result
                if self.rank == 0:  # what is there of it would keep a full disk full
                    shutil.rmtree(_part(self.run, staged.step), ignore_errors=True)
            except BaseException as error:
                self._failure = error
                return
            then(result)

        self._thread = threading.Thread(target=work, name=f"save-{staged.step}", daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> Checkpoint | None:
        """Wait for the save that goes on; the checkpoint, or None if none was begun. Raises `OSError` if it failed."""
        if self._thread is None:
            return None
        self._thread.join(seconds)
        if self._failure is not None:
            raise self._failure
        return self._saved

    def close(self) -> None:
        """Give the copies' memory back. A save that goes on is left to end or die: it is never half chosen."""
        if not self.running:
            self._stager.close()

    def _write(self, content: Content, held: Callable[[int], str | None]) -> Checkpoint:
        """Into a folder beside, which gets its name once every file is on disk and in the manifest; the mark comes last.

        After the last exchange only the first process is at work: whether others live does not matter any more.
        """
        part, folder = _part(self.run, content.step), step_folder(self.run, content.step)
        self._together(lambda: self._prepare(part, content) if self.rank == 0 else None)
        write_tensors(part / MODEL, content.weights, self.group)
        if content.training is not None:
            write_tensors(part / TRAINING, content.training, self.group)
        hashed = self._together(lambda: self._hashed(part))
        if self.rank:
            return Checkpoint(folder, content.step, "", True, content.training is not None)
        manifest = _manifest(self.run, part, content, hashed)
        return _complete(self.run, part, content, manifest, held)

    def _prepare(self, part: Path, content: Content) -> None:
        """Make the folder, without what kills have left of earlier ones."""
        for remains in part.parent.glob(".step-*.part"):
            shutil.rmtree(remains)
        part.mkdir(parents=True)
        save_model_files(self.model, part)
        for name, data in content.files.items():
            write_bytes(part / name, data)
        write_json(part / "state.json", dict(content.state))

    def _hashed(self, folder: Path) -> list[dict[str, Any]]:
        """Of the files that this process wrote, in the form of a manifest, each read back from the disk's folder."""
        files = [path for part in (MODEL, TRAINING) for path in written_by(self.rank, folder / part)]
        if self.rank == 0:
            files += [folder / name for name in list_files(folder) if "/" not in name]
        return [
            {"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": sha256_file(path)}
            for path in files
        ]

    def _together(self, work: Callable[[], Any]) -> list[Any]:
        """The result of some work on each process, on each; raises on all of them if it failed on one."""
        found, problem = None, None
        try:
            found = work()
        except Exception as error:  # whatever it is, the others must hear of it instead of waiting
            problem = (getattr(error, "errno", None), str(error) or type(error).__name__)
        everyone = [(found, problem)]
        if self.group is not None:
            everyone = [(None, None)] * dist.get_world_size(self.group)
            dist.all_gather_object(everyone, (found, problem), group=self.group)
        for _, failed in everyone:
            if failed is not None:
                raise OSError(*failed)
        return [result for result, _ in everyone]


def save_checkpoint(
    run: str | Path,
    step: int,
    model: SpeechLM,
    *,
    state: Mapping[str, Any],
    tensors: Mapping[str, Tensor] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Checkpoint:
    """Save a model of one process and wait for it: `<run>/checkpoints/step-NNNNNNNN/`. The arguments are those of `Content`."""
    saver = Saver(run, model)
    saver.begin(saver.stage(Content(step, weights_of(model), tensors, state, files or {})))
    saved = saver.wait()
    saver.close()
    assert saved is not None
    return saved


def weights_of(model: SpeechLM) -> dict[str, Tensor]:
    """What a checkpoint stores of a model; a tied head is the embedding."""
    tied = model.config.tie_word_embeddings
    held = model.lm.state_dict()
    return {name: tensor for name, tensor in held.items() if not (tied and name.startswith("lm_head."))}


def load_tensors(folder: str | Path, wanted: Callable[[str], bool] = lambda _: True) -> dict[str, Tensor]:
    """The whole tensors of a full checkpoint that only training reads, by name; of these those that are wanted.

    Raises `BadInput` if it holds the model alone or a file is damaged.
    """
    return read_tensors(training_folder(folder), wanted)


def training_folder(folder: str | Path) -> Path:
    """Where a full checkpoint has what only training reads. Raises `BadInput` if it holds the model alone."""
    path = Path(folder) / TRAINING
    if not path.is_dir():
        raise BadInput(f"{folder} holds no optimizer state; start a new run from it with --parent instead of resuming")
    return path


def _part(run: Path, step: int) -> Path:
    return checkpoints_folder(run) / f".{step_name(step)}.part"


def _manifest(run: Path, part: Path, content: Content, hashed: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """The manifest of what was written. Raises `OSError` if it is not all that was to be."""
    files = sorted((file for of_one in hashed for file in of_one), key=lambda file: file["path"])
    names, present = [file["path"] for file in files], list_files(part)
    if names != present:
        raise OSError(f"{part} holds {len(present)} files and {len(names)} were written; is it on a shared disk?")
    missing = what_lacks(names)
    for name, tensors in ((MODEL, content.weights), (TRAINING, content.training)):
        # Those of this process, whole as they are in all parts together: what the disk gives back has their shapes.
        wanted = {key: tuple(tensor.shape) for key, tensor in (tensors or {}).items()}
        if wanted and not wanted.items() <= shapes_of(part / name).items():
            missing = missing or f"{name}/ as it was written"
    if missing:
        raise OSError(f"{part} reads back without {missing}")
    return {"run": run.resolve().name, "step": content.step, "files": files}


def _complete(
    run: Path, part: Path, content: Content, manifest: dict[str, Any], held: Callable[[int], str | None]
) -> Checkpoint:
    """Give the folder its name in place of an older one of that step, and then the mark."""
    folder = step_folder(run, content.step)
    write_json(part / MANIFEST, manifest)
    for one in (part / MODEL, part / TRAINING, part):
        if one.is_dir():
            sync_folder(one)
    if folder.exists():
        if holder := held(content.step):
            raise OSError(f"{folder} is there already and held by {holder}")
        remove_checkpoint(folder)
    os.replace(part, folder)
    sync_folder(folder.parent)
    identity = f"{manifest['run']}/{content.step}/{hash_json(manifest)}"
    write_json(folder / COMPLETE, {"id": identity})
    return Checkpoint(folder, content.step, identity, True, content.training is not None)
