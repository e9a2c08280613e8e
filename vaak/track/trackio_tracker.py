"""trackio: curves and sounds on a local page (`trackio show`), from an SQLite file, without an account or a network.

trackio's own `log` only warns of what it could not write, writes twice a second from a thread, and asks the Hub for a user
name. What is told here is written when `log` returns, or raises; so it goes to the storage beneath, which is why the
versions of trackio are bounded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vaak.errors import BadInput
from vaak.track.tracker import Row, Sound


class TrackioTracker:
    """The run named `run` in `project`, begun or continued, in the folder TRACKIO_DIR (default: ~/.cache/huggingface/trackio).

    The same row told twice is there once. Steps may come in any order: each row has the one that it was told at. Raises
    `BadInput` for a project that trackio cannot name a file by and a TRACKIO_DIR on a network disk.
    """

    def __init__(self, run: str, *, project: str = "vaak") -> None:
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

    def log(self, values: Mapping[str, Any], step: int) -> None:
        """A row at `step`."""
        self.log_many([(values, step)])

    def log_many(self, rows: Sequence[Row]) -> None:
        """All of them in one transaction, which costs about as much as one row."""
        self._storage.bulk_log(
            project=self._project,
            run=self._run,
            metrics_list=[dict(values) for values, _ in rows],
            steps=[step for _, step in rows],
            log_ids=[self._identity(values, step) for values, step in rows],
        )

    def _identity(self, values: Mapping[str, Any], step: int) -> str:
        """The same for the same row, so that trackio leaves out what is told again."""
        text = json.dumps([self._run, step, dict(values)], sort_keys=True, default=str)
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
