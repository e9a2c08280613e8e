"""One audit in an interpreter of its own, which has nothing else loaded, as `vaak audit` has not; what it took, as JSON.

`python benchmarks/_audit_run.py CORPUS PACK|- PROCESSES|-`; the report goes beside the corpus.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.audit.clean import ToneCodec, tokenizer
from vaak.audit import AuditReport, audit_corpus
from vaak.corpus import open_corpus
from vaak.corpus.pack import open_pack


def audited(corpus: Path, pack: Path | None, processes: int | None) -> AuditReport:
    """An audit of everything but the listening, from opening the corpus to the page."""
    opened, gold = open_corpus(corpus), open_pack(pack) if pack else None
    report = audit_corpus(
        opened, ToneCodec(), samples=10**9, tokenizer=tokenizer(), decode_per_language=0, pack=gold, processes=processes
    )
    report.write_html(corpus.with_suffix(".html"))
    return report


def main(corpus: str, pack: str, processes: str) -> None:
    tokenizer()  # made for the corpus: no part of an audit
    start = time.perf_counter()
    report = audited(Path(corpus), None if pack == "-" else Path(pack), None if processes == "-" else int(processes))
    seconds = time.perf_counter() - start
    own, workers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    # Not ru_maxrss: that begins with the memory of whoever started this process.
    peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    found = {
        "seconds": seconds,
        "mebibytes": int(peak) / 1024,
        "own_cpu": own.ru_utime + own.ru_stime,
        "workers_cpu": workers.ru_utime + workers.ru_stime,
        "report": report.to_dict(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
