"""trackio: curves and sounds on a local page (`trackio show`), from an SQLite file, without an account or a network.

trackio's own `log` only warns of what it could not write, writes twice a second from a thread, and asks the Hub for a user
name. What is told here is written when `log` returns, or raises; so it goes to the storage beneath, which is why the
versions of trackio are bounded.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vaak.errors import BadInput
from vaak.track.tracker import Row, Sound

# The file in a run's folder with what tells it from every other run of its name.
RUN_ID = "run-id"
# A folder that only somebody else may write.
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS)


class TrackioTracker:
    """The run named `run` in `project`, begun or continued, in the folder TRACKIO_DIR (default: ~/.cache/huggingface/trackio).

    folder: the run's, in which an id tells it from other runs of its name; without one all of a name are one run. The same row
    told twice is there once. Steps may come in any order: each row has the one that it was told at. Raises `BadInput` for a
    project that trackio cannot name a file by and a TRACKIO_DIR on a network disk.
    """

    def __init__(self, run: str, *, project: str = "vaak", folder: str | Path | None = None) -> None:
        from trackio import utils  # pyright: ignore[reportMissingImports]
        from trackio.sqlite_storage import SQLiteStorage  # pyright: ignore[reportMissingImports]

        try:
            SQLiteStorage.validate_project_name(project)
        except ValueError as error:
            raise BadInput(f"trackio cannot keep a project named {project!r} ({error}); give another name") from None
        if utils.get_storage_mode() != "sqlite":
            raise BadInput(f"{utils.TRACKIO_DIR} lies on a network disk, where SQLite is not safe; set TRACKIO_DIR")
        self._storage, self._media = SQLiteStorage, Path(utils.MEDIA_DIR)
        self._project, self._run = project, run
        self._folder, self._id = folder, ""

    def log(self, values: Mapping[str, Any], step: int) -> None:
        """A row at `step`."""
        self.log_many([(values, step)])

    def log_many(self, rows: Sequence[Row]) -> None:
        """All of them in one transaction, which costs about as much as one row."""
        if not self._id:  # not before there is a row: then a run that was refused has left no folder
            self._id = _id_of(self._run, self._folder)
        self._storage.bulk_log(
            project=self._project,
            run=self._run,
            run_id=self._id,
            metrics_list=[dict(values) for values, _ in rows],
            steps=[step for _, step in rows],
            log_ids=[self._row_id(values, step) for values, step in rows],
        )

    def _row_id(self, values: Mapping[str, Any], step: int) -> str:
        """The same for the same row, so that trackio leaves out what is told again."""
        text = json.dumps([self._id, step, dict(values)], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        """A table, and each sound beside it as `NAME/SOUND`: trackio's page plays no sound inside a table, where its name
        stands instead."""
        told: dict[str, Any] = {}
        plain = []
        for row in rows:
            cells = dict(row)
            for column, value in row.items():
                if isinstance(value, Sound):
                    cells[column] = f"{name}/{Path(value.name).stem}"
                    told[cells[column]] = self._kept(value, step)
            plain.append(cells)
        self.log({name: {"_type": "trackio.table", "_value": plain}, **told}, step)

    def _kept(self, sound: Sound, step: int) -> dict[str, Any]:
        """What stands for a sound in a row; its file is under its content's name, so that telling it again changes nothing."""
        from trackio.media import get_project_media_path  # pyright: ignore[reportMissingImports]

        folder = Path(get_project_media_path(project=self._project, run=self._run, step=step))
        file = folder / f"{hashlib.sha256(sound.data).hexdigest()[:12]}-{sound.name}"
        file.write_bytes(sound.data)
        return {"_type": "trackio.audio", "file_path": str(file.relative_to(self._media)), "caption": sound.name}

    def close(self) -> None:
        """Nothing is held open."""


def _id_of(run: str, folder: str | Path | None) -> str:
    """The name of a run and the random id in its folder, made by who asks first. The name alone where there is no such folder
    here, or none that we may write."""
    if folder is None or not Path(folder).is_dir():
        return run
    path, made = Path(folder) / RUN_ID, secrets.token_hex(8)
    try:
        if not path.exists():
            _put_once(path, made)
        return f"{run}-{path.read_text().strip()}"
    except OSError as error:
        if error.errno in _NOT_OURS:
            return run
        raise


def _put_once(path: Path, text: str) -> None:
    """Write a file whole, unless another process was first: training and sidecar may ask at once."""
    temporary = path.with_name(f".{path.name}.{text}")
    try:
        temporary.write_text(text + "\n")
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        except OSError:  # a disk without hard links
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
