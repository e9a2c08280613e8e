"""Scoring again what was spoken before: a new metric or recogniser hears the speech that is kept, its checkpoint may be gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from vaak.checkpoint.claim import run_of
from vaak.corpus.pack_items import GoldPack
from vaak.evaluate.generations import generations_folder, missing_of
from vaak.evaluate.items import LEVELS, items_of
from vaak.evaluate.jobs import Job
from vaak.evaluate.places import Place, step_of
from vaak.evaluate.store import Results


def find_kept(
    results: Results, pack: GoldPack, instruments: str, places: Sequence[Place], rows: Sequence[dict[str, Any]]
) -> list[Job]:
    """What of these runs was evaluated with other instruments and not with these, and whose speech is kept here in full.

    rows: the finished evaluations of the pack. Each is a job at the highest level of its checkpoint, whose place is the
    folder of the speech.
    """
    mine = {(row["checkpoint_id"], row["level"]) for row in rows if row["instruments"] == instruments}
    highest = {row["checkpoint_id"]: row for level in LEVELS for row in rows if row["level"] == level}
    left = [row for identity, row in highest.items() if not {(identity, row["level"]), (identity, "full")} & mine]
    names = {name for place in places for name in place.run_names()} if left else set()
    jobs = []
    for row in left:
        identity, level = row["checkpoint_id"], row["level"]
        folder = generations_folder(results.folder, identity, pack.id)
        if run_of(identity) in names and folder.is_dir() and not missing_of(folder, items_of(pack, level)):
            at = datetime.fromisoformat(row["finished_at"]).timestamp()
            jobs.append(Job(identity, pack.id, level, instruments, step_of(identity) or 0, at, str(folder.resolve())))
    return jobs
