"""The outcome of an audit: plain data for programs. Its page for people is `vaak.audit.html`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vaak.audit.chance import RATES, chance_of_missing
from vaak.audit.finding import Finding
from vaak.audit.limits import loosened_entries
from vaak.audit.listening import Listened
from vaak.audit.sampling import Stratum
from vaak.page import Bins


@dataclass(frozen=True)
class Check:
    """One check and what it found. `evidence` holds the ids of all samples at fault among the `examined`.

    `loosened` says which of its limits tolerate more than the ones that ship, such as ("share 0 → 0.05",).
    """

    name: str
    about: str
    severity: str
    limit: Mapping[str, Any]
    passed: bool
    examined: int
    evidence: tuple[str, ...]
    detail: str
    loosened: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        if not self.examined:
            return "nothing to examine"
        return "holds" if self.passed else "fails"


def judge(name: str, about: str, limit: Mapping[str, Any], finding: Finding) -> Check:
    """A check passes while the samples at fault are at most the tolerated share of those examined."""
    passed = len(finding.evidence) <= limit["share"] * finding.examined
    thresholds = {key: value for key, value in limit.items() if key != "severity"}
    found = (passed, finding.examined, finding.evidence, finding.detail)
    return Check(name, about, limit["severity"], thresholds, *found, loosened_entries(name, limit))


@dataclass(frozen=True)
class AuditReport:
    """All that an audit found. `histograms` maps a measure to language to counts; `listening` is not part of `to_dict`."""

    corpus: str
    corpus_id: str
    codec: str | None
    seed: int
    strata: tuple[Stratum, ...]
    checks: tuple[Check, ...]
    histograms: Mapping[str, Mapping[str, Bins]]
    listening: tuple[Listened, ...]
    pack: str | None = None  # the id of the gold pack that the corpus was compared with

    @property
    def loosened(self) -> tuple[str, ...]:
        """Limits that tolerate more than the ones that ship, with the check's name."""
        return tuple(f"{check.name} {words}" for check in self.checks for words in check.loosened)

    @property
    def missing(self) -> dict[float, float]:
        """By share of faulty samples: the chance that none of them, wherever in the corpus they are, was examined."""
        samples, examined = (sum(getattr(one, name) for one in self.strata) for name in ("samples", "examined"))
        return {rate: chance_of_missing(samples, examined, rate) for rate in RATES}

    @property
    def passed(self) -> bool:
        """No check of severity "error" failed."""
        return all(check.passed for check in self.checks if check.severity == "error")

    def to_dict(self) -> dict[str, Any]:
        """Everything but the sound, as plain JSON values."""
        return {
            "corpus": self.corpus,
            "corpus_id": self.corpus_id,
            "codec": self.codec,
            "seed": self.seed,
            "passed": self.passed,
            "samples": sum(stratum.samples for stratum in self.strata),
            "examined": sum(stratum.examined for stratum in self.strata),
            "pack": self.pack,
            "loosened": list(self.loosened),
            "chance_of_missing": _by_rate(self.missing),
            "strata": [
                asdict(one) | {"rarest_fault": one.rarest_fault, "chance_of_missing": _by_rate(one.missing)}
                for one in self.strata
            ],
            "checks": [
                {
                    **asdict(check),
                    "limit": dict(check.limit),
                    "evidence": list(check.evidence),
                    "loosened": list(check.loosened),
                    "verdict": check.verdict,
                }
                for check in self.checks
            ],
            "histograms": {
                measure: {
                    language: {"edges": list(bins.edges), "counts": list(bins.counts)}
                    for language, bins in by_language.items()
                }
                for measure, by_language in self.histograms.items()
            },
            "listened": [
                {"sample_id": one.item.sample.sample_id, "level_dbfs": max(one.level_dbfs, -200.0), "error": one.error}
                for one in self.listening
            ],
        }

    def write_html(self, path: str | Path) -> Path:
        """Write the report as one self-contained page with histograms and players."""
        from vaak.audit.html import report_page

        return report_page(self).write(path)


def _by_rate(chances: Mapping[float, float]) -> dict[str, float]:
    return {f"{rate:g}": chance for rate, chance in chances.items()}
