"""What a published model says of itself: its figures per language as a short markdown table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vaak.errors import BadInput
from vaak.evaluate.database import is_address, shown
from vaak.evaluate.store import open_results
from vaak.evaluate.summaries import error_words, proxy_words, summary

_COLUMNS = ("language", "items", "stopped", "length", "DNSMOS", "similarity", "errors heard (95% interval)")


def evaluation_notes(db: str | Path, checkpoint_id: str) -> str | None:
    """A markdown table of a checkpoint's newest finished evaluation, or None while it has none.

    Raises `BadInput` if `db` is not there or no results database.
    """
    if not is_address(db) and not Path(db).is_file():
        raise BadInput(f"{shown(db)} is not there; name the results database that the sidecar writes")
    results = open_results(db)
    try:
        finished = [row for row in results.finished() if row["checkpoint_id"] == checkpoint_id]
        if not finished:
            return None
        found = summary(results, checkpoint_id, finished[-1]["pack_id"])
    finally:
        results.close()
    rows = [_row(code, one) for code, one in found["languages"].items()] + [_row("all", found["all"])]
    lines = [_COLUMNS, tuple("---" for _ in _COLUMNS), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    last = finished[-1]
    proxies = f"{words}\n\n" if (words := proxy_words(found["languages"])) else ""
    return (
        f"{table}\n\n{proxies}A {last['level']} evaluation of {found['items']} items of pack `{last['pack_id'][:16]}` "
        f"with {last['instruments']}.\n"
    )


def _row(code: str, one: dict[str, Any]) -> tuple[str, ...]:
    figures = (one.get(name) for name in ("stop_rate", "duration_ratio_median", "dnsmos", "similarity"))
    words, _ = error_words(one, None if code == "all" else code)
    return (code, str(one["items"]), *("–" if one is None else f"{one:.3f}" for one in figures), words)
