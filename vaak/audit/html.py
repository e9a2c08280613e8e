"""The audit as a page: the verdict first, then every check with its evidence, histograms, and samples to listen to."""

from __future__ import annotations

from collections import defaultdict

from markupsafe import Markup

from vaak.audit.chance import RATES
from vaak.audit.report import AuditReport, Check
from vaak.languages import LANGUAGES
from vaak.page import Cell, KeyFigure, Page, alarm, details, grid, histogram, in_language, key_figures, table, tabs

_SHOWN_IDS = 50
_UNITS = {
    "duration": "seconds",
    "characters per second": "characters per second",
    "characters per code": "characters per code",
}


def report_page(report: AuditReport) -> Page:
    """The page of a report, not yet written."""
    page = Page(
        f"Audit of {report.corpus}",
        f"Corpus {report.corpus_id[:12]}, codec {report.codec or 'none'}, gold pack {(report.pack or 'none')[:12]}, "
        f"seed {report.seed}.",
    )
    _verdict(page, report)
    _checks(page, report)
    _histograms(page, report)
    _listening(page, report)
    _coverage(page, report)
    return page


def _verdict(page: Page, report: AuditReport) -> None:
    failed = [check for check in report.checks if not check.passed]
    errors = [check for check in failed if check.severity == "error"]
    judged = [check for check in report.checks if check.examined]
    examined, samples = sum(one.examined for one in report.strata), sum(one.samples for one in report.strata)
    heard = len(report.listening)
    page.add(
        key_figures(
            [
                KeyFigure("Checks that hold", f"{len(judged) - len(failed)} of {len(judged)}", good=not errors),
                KeyFigure("Samples examined", f"{examined:,}", f"of {samples:,}"),
                KeyFigure(
                    "Samples to listen to",
                    f"{heard:,}",
                    f"{len({one.item.sample.language for one in report.listening})} languages",
                ),
            ]
        )
    )
    if report.loosened:
        words = f"limit loosened: {'; '.join(_spaced(one) for one in report.loosened)}"
        page.add(
            Markup('<p class="alarm error" role="note"><strong>Not the limits that ship:</strong> {}</p>').format(words)
        )
    # What stops a launch stands before what is only shown.
    for check in errors + [check for check in failed if check.severity != "error"]:
        found = f"{_words(check)}: {len(check.evidence):,} of {check.examined:,} samples. {check.about} {check.detail}"
        page.add(alarm("error" if check.severity == "error" else "warning", found))
    if not failed:
        page.add(alarm("good", "every check that had something to examine."))


def _checks(page: Page, report: AuditReport) -> None:
    rows = [
        [
            _words(check),
            _verdict_cell(check),
            check.severity,
            check.examined,
            len(check.evidence),
            _tolerated(check),
            check.detail or None,
        ]
        for check in report.checks
    ]
    columns = ["Check", "Verdict", "Severity", "Examined", "At fault", "Tolerated", "Detail"]
    page.section("Checks", table(rows, columns, caption="Every check, its limit and what it found"))
    page.add(
        details(
            "What each check asks", *(f"{_words(check)}: {check.about} {_thresholds(check)}" for check in report.checks)
        )
    )
    for check in report.checks:
        if check.evidence:
            more = len(check.evidence) - _SHOWN_IDS
            ids = ", ".join(check.evidence[:_SHOWN_IDS]) + (
                f" and {more:,} more in the JSON report" if more > 0 else ""
            )
            page.add(details(f"Samples at fault in “{_words(check)}”: {len(check.evidence):,}", ids))


def _words(check: Check) -> str:
    return check.name.replace("_", " ")


def _verdict_cell(check: Check) -> Markup:
    state, sign = {"holds": ("good", "✓ "), "fails": ("bad", "✗ ")}.get(check.verdict, ("", ""))
    return Markup('<span class="verdict {}">{}{}</span>').format(state, sign, check.verdict)


def _spaced(words: str) -> str:
    return words.replace("_", " ")


def _tolerated(check: Check) -> Cell | Markup:
    """The share that may be at fault; in red, with the words, where the user's limits tolerate more than ours."""
    share = check.limit["share"]
    words = f"{100 * share:.4g}%" if share else "none"
    if not check.loosened:
        return Cell(share, words)
    loosened = "; ".join(_spaced(one) for one in check.loosened)
    return Markup('{}<br><span class="verdict bad">limit loosened: {}</span>').format(words, loosened)


def _thresholds(check: Check) -> str:
    others = [f"{name} {value}".replace("_", " ") for name, value in check.limit.items() if name != "share"]
    return f"({', '.join(others)})" if others else ""


def _histograms(page: Page, report: AuditReport) -> None:
    panels = {
        measure.capitalize(): grid(
            *(
                histogram(bins, _name(language), _UNITS[measure], note=f"{sum(bins.counts):,} samples")
                for language, bins in by_language.items()
            )
        )
        for measure, by_language in report.histograms.items()
        if by_language
    }
    if panels:
        page.section(
            "Histograms by language", "The last bar of each holds everything beyond it too.", tabs(panels, "Measures")
        )


def _listening(page: Page, report: AuditReport) -> None:
    languages: dict[str, list[Markup]] = defaultdict(list)
    for one in report.listening:
        sample = one.item.sample
        text = in_language(sample.transcript, sample.language) if sample.transcript else Markup("no transcript")
        languages[sample.language].append(Markup('<div class="card">{}<p>{}</p></div>').format(one.sound, text))
    if languages:
        panels = {_name(language): grid(*cards) for language, cards in languages.items()}
        page.section(
            "Listen",
            "Drawn at random: the codes as the codec says them, and what was said to be in them.",
            tabs(panels, "Languages"),
        )


def _coverage(page: Page, report: AuditReport) -> None:
    whole = sum(one.samples for one in report.strata), sum(one.examined for one in report.strata)
    rows: list[list[object]] = [["the whole corpus", *whole, None, *map(_chance, report.missing.values())]]
    for one in report.strata:
        rarest = "none: all examined" if one.rarest_fault == 0 else f"below {one.rarest_fault:.2%}"
        name = f"{one.stream} {one.language} {one.tier}"
        rows.append(
            [name, one.samples, one.examined, Cell(one.rarest_fault, rarest), *map(_chance, one.missing.values())]
        )
    chances = [f"Missed in {100 * rate:g}%" for rate in RATES]
    columns = ["Stratum", "Samples", "Examined", "May hide", *chances]
    page.section(
        "Coverage",
        "“May hide”: a fault in fewer of the samples is missed with a chance of 5% or more. “Missed in 0.01%”: the chance that a fault "
        "which so many of the samples have, one at least, is in none of the examined ones.",
        table(rows, columns, caption="What was examined, and which faults may have been missed"),
    )


def _chance(chance: float) -> Cell:
    return Cell(chance, "none" if chance == 0 else f"{chance:.1%}" if chance >= 0.001 else "below 0.1%")


def _name(language: str) -> str:
    return LANGUAGES[language].name if language in LANGUAGES else language
