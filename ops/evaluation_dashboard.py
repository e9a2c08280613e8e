"""The dashboard of evaluation: does the sidecar keep up, and how well does the model speak."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from ops.panels import Panels, Query, curves, dashboard, listed, number

_SEE = "\n\nEvery number: docs/metrics.md, docs/evaluate.md."
_RUN = 'run=~"$run"'
_HELD_OUT = "Held-out judges gave no reward; docs/ops.md: VaakHeldOutAlarm."


def _sidecar(name: str) -> str:
    return f"vaak_sidecar_{name}{{{_RUN}}}"


def _of(figure: str) -> str:
    return f'vaak_evaluate_level_figure_language{{{_RUN},level=~"$level",figure="{figure}",language=~"$language"}}'


def _all(figure: str) -> str:
    return f'vaak_evaluate_level_figure{{{_RUN},level=~"$level",figure="{figure}"}}'


def _top() -> Panels:
    counted = ((None, "green"), (1, "orange"), (3, "red"))
    return (
        number("Newest checkpoint", "locale", f"The step of the newest complete one.{_SEE}", Query(_sidecar("newest_step")),
               none="no sidecar answers"),
        number("Evaluated", "locale", f"The step of the newest that is evaluated.{_SEE}", Query(_sidecar("evaluated_step"))),
        number("Waiting", "none", f"Checkpoints that wait for their evaluation. docs/ops.md: VaakSidecarBehind.{_SEE}",
               Query(_sidecar("waiting")), levels=counted),
        number("Failed in the last hour", "none", f"Evaluations. docs/ops.md: VaakSidecarFailing.{_SEE}",
               Query(f"round(increase({_sidecar('failed_total')}[1h]))"), levels=((None, "green"), (1, "red"))),
        number("Not told to trackers", "none", f"Entries that wait. docs/ops.md: VaakSidecarOutbox.{_SEE}", Query(_sidecar("outbox")),
               levels=counted, none="no tracker"),
        number("Held-out alarm", "none", f"1: the reward rises and other judges get worse. {_HELD_OUT}{_SEE}",
               Query(f"vaak_evaluate_held_out_alarm{{{_RUN}}}"), levels=((None, "green"), (1, "red")), none="not aligned"),
        listed("Alerts that fire now", "Of these runs. Each has a section in docs/ops.md.", f'ALERTS{{alertstate="firing",{_RUN}}}'),
    )  # fmt: skip


def _figures() -> Panels:
    by = "{{run}} {{level}} {{language}}"
    return (
        curves("Word error rate", "percentunit", f"Where a recogniser is trusted; over 1 where more is heard than was to say.{_SEE}",
               Query(_of("wer"), by), least=0),
        curves("Error rate of written units", "percentunit", f"Of languages that are counted so.{_SEE}", Query(_of("cer"), by), least=0),
        curves("Stopped by itself", "percentunit", f"Share of items that ended with the stop token.{_SEE}", Query(_of("stop_rate"), by),
               least=0, most=1),
        curves("Failures", "percentunit", f"Share of items that break a limit of sanity.{_SEE}", Query(_of("failure_rate"), by), least=0,
               most=1),
        curves("Length over the recording's", "none", f"Median over items.{_SEE}", Query(_of("duration_ratio_median"), by), least=0),
        curves("Naturalness (DNSMOS)", "none", f"Mean over items, 1 to 5.{_SEE}", Query(_of("dnsmos"), by)),
        curves("Similarity of the voice", "none", f"Mean over items that name a voice, cosine.{_SEE}", Query(_of("similarity"), by)),
        curves("Crashed", "percentunit", f"Share of items whose generation crashed: errors, never missing.{_SEE}",
               Query(_of("crashed"), by), least=0),
        curves("Step of the figures", "none", "The newest checkpoints come first, so it may go backwards: read the figures beside it."
               f"{_SEE}", Query(f"vaak_evaluate_step{{{_RUN}}}")),
    )  # fmt: skip


def _any() -> Panels:
    return (
        curves("Any figure, all languages together", "none", f"Choose it at the top.{_SEE}",
               Query(f'vaak_evaluate_level_figure{{{_RUN},level=~"$level",figure=~"$figure"}}', "{{run}} {{level}} {{figure}}"), width=8),
        curves("Any figure by language", "none", f"Choose it at the top.{_SEE}",
               Query(f'vaak_evaluate_level_figure_language{{{_RUN},level=~"$level",figure=~"$figure",language=~"$language"}}',
                     "{{run}} {{figure}} {{language}}"), width=8),
        curves("Any figure by kind of prompt", "none", f"Choose it at the top.{_SEE}",
               Query(f'vaak_evaluate_level_figure_kind{{{_RUN},level=~"$level",figure=~"$figure"}}', "{{run}} {{figure}} {{kind}}"), width=8),
    )  # fmt: skip


def _aligned() -> Panels:
    by = "{{run}} {{level}}"
    return (
        curves("Reward on the pack", "none", f"What the run was trained to raise. {_HELD_OUT}{_SEE}", Query(_all("reward"), by)),
        curves("Changes since the first checkpoint", "none", f"Reward and each held-out judge, on the same items. {_HELD_OUT}{_SEE}",
               Query(f"vaak_evaluate_held_out_change_figure{{{_RUN}}}", "{{run}} {{figure}}")),
        curves("Held-out word error rate", "percentunit", f"By another recogniser. {_HELD_OUT}{_SEE}", Query(_all("held_out_wer"), by), least=0),
        curves("Spread of the pitch", "none", f"Semitones; flat speech is what such rewards are known for. {_HELD_OUT}{_SEE}",
               Query(_all("f0_spread"), by), least=0),
        curves("Speaking rate", "none", f"Median over items. {_HELD_OUT}{_SEE}", Query(_all("speaking_rate_median"), by), least=0),
        curves("Quality (PLCMOS)", "none", f"Mean over items. {_HELD_OUT}{_SEE}", Query(_all("plcmos"), by)),
    )  # fmt: skip


def _work() -> Panels:
    return (
        curves("Time of an evaluation", "s", f"The last one that finished.{_SEE}", Query(_sidecar("seconds")), least=0),
        curves("Steps behind", "none", f"The newest complete checkpoint less the newest evaluated one.{_SEE}", Query(_sidecar("behind")), least=0),
        curves("Evaluations in an hour", "none", f"That finished, and that failed.{_SEE}",
               Query(f"increase({_sidecar('evaluated_total')}[1h])", "{{run}} finished"),
               Query(f"increase({_sidecar('failed_total')}[1h])", "{{run}} failed"), least=0),
    )  # fmt: skip


def dashboard_of_evaluation() -> build.Dashboard:
    variables = (
        ("run", "Run", "label_values(vaak_sidecar_newest_step, run)"),
        ("level", "Level", 'label_values(vaak_evaluate_level_figure{run=~"$run"}, level)'),
        ("figure", "Figure", 'label_values(vaak_evaluate_level_figure{run=~"$run"}, figure)'),
        ("language", "Language", 'label_values(vaak_evaluate_level_figure_language{run=~"$run"}, language)'),
    )
    rows = (
        ("Does the sidecar keep up", _top()), ("How well does it speak", _figures()), ("Any figure", _any()),
        ("Aligned runs", _aligned()), ("The sidecar's work", _work()),
    )  # fmt: skip
    meaning = "What the sidecar measures of each checkpoint. Times are those of the evaluation. Alerts: docs/ops.md."
    return dashboard("vaak-evaluation", "Vaak: evaluation", meaning, variables, rows)
