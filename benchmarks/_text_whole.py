"""One whole text build in an interpreter of its own: `_text_whole.py CONFIG PROCESSES` prints seconds, CPU seconds and what was kept."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path


def main() -> None:
    from vaak.text.build import build_text
    from vaak.text.settings import load_settings

    started = time.monotonic()
    report = build_text(load_settings(Path(sys.argv[1])), int(sys.argv[2]))
    seconds = time.monotonic() - started
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    told = {
        "seconds": seconds,
        "cpu_seconds": sum(one.ru_utime + one.ru_stime for one in used),
        "main_cpu_seconds": used[0].ru_utime + used[0].ru_stime,
        "read": sum(row["read"] for row in report["sources"]),
        "kept": sum(row["kept"] for row in report["sources"]),
        "tokens": sum(row["tokens"] for row in report["sources"]),
    }
    print(json.dumps(told))


if __name__ == "__main__":  # the workers import this file
    main()
