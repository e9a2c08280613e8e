"""Prometheus: the newest numbers of runs over HTTP, for a server that comes and reads them.

The thread that tells numbers only puts them into a dictionary; names, labels and text are made when somebody reads.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from numbers import Real
from typing import TYPE_CHECKING, Any

from vaak.errors import BadInput
from vaak.track.metric import Metric, metric_of
from vaak.track.tracker import Tracker

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

EXPORTER = "prometheus"
# The trainer's; a sidecar and a publisher beside it take the next two.
PORT = 9471
_OFFSETS = {"train": 0, "align": 0, "evaluate": 1, "publish": 2}
# Where it listens unless this variable says otherwise: nobody else's business by default.
_HOST_VARIABLE, _HOST = "VAAK_METRICS_HOST", "127.0.0.1"

# What every exporting process has beside its metrics.
OWN = (
    Metric("step", "steps", "the newest step that was told of the run", "it stands still while the process lives"),
    Metric("updated_time", "s", "when that was, in seconds since 1970", "it is minutes ago: the process hangs, or waits"),
    Metric("run_info", "", "always 1; the labels `job` (train, align, evaluate or publish) and `version` (of Vaak) say what exports it"),
    Metric("undefined_names", "names", "numbers that were told under a name which no metric defines; they are not exported", "any"),
)  # fmt: skip
_STEP, _UPDATED, _INFO, _UNDEFINED = OWN

_Sample = tuple[Metric, dict[str, str], float]


class PrometheusTracker:
    """The newest numbers of `run` at `http://HOST:PORT/metrics`, as those of `metrics` that they are.

    All trackers of one port in a process share one server, which ends with the last of them. run: the label of every series.
    job: what kind of process this is, a key of the offsets above. say: told where it listens; or, once, that the port cannot be had, and
    then numbers go nowhere and nothing else happens.
    """

    def __init__(self, run: str, *, job: str, metrics: Sequence[Metric], port: int, say: Callable[[str], None]) -> None:
        self.run, self._job, self._metrics = run, job, metrics
        self._lock = threading.Lock()
        self._values: dict[str, Any] = {}
        self._step, self._updated = 0, 0.0
        # Names are looked up once, by the thread that reads.
        self._found: dict[str, tuple[Metric, dict[str, str]] | None] = {}
        self._server = _joined(port, self, say)

    def log(self, values: Mapping[str, Any], step: int) -> None:
        """Replaces what these names had; others keep their numbers."""
        with self._lock:
            self._values.update(values)
            self._step, self._updated = int(step), time.time()

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        """A table has no place here."""

    def close(self) -> None:
        """The run is no longer exported."""
        if self._server is not None:
            _left(self._server, self)
            self._server = None

    def samples(self) -> Iterator[_Sample]:
        """What is exported now: (metric, labels, value)."""
        with self._lock:
            values, step, updated = dict(self._values), self._step, self._updated
        values.pop("step", None)
        run, undefined = {"run": self.run}, 0
        for name, value in values.items():
            number = _number(value)
            if number is None:
                continue
            if name not in self._found:
                self._found[name] = metric_of(name, self._metrics)
            found = self._found[name]
            if found is None:
                undefined += 1
            else:
                yield found[0], run | found[1], number
        yield _UNDEFINED, run, undefined
        yield _INFO, run | {"job": self._job, "version": version("vaak")}, 1.0
        if updated:
            yield _STEP, run, float(step)
            yield _UPDATED, run, updated


class _Server:
    """One port of this process and the runs that are read there."""

    def __init__(self, host: str, port: int) -> None:
        from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

        self.port, self.trackers = port, list[PrometheusTracker]()
        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)  # memory, processor time and open files of this process
        self._http, self._thread = start_http_server(port, addr=host, registry=registry)

    def collect(self) -> Iterator[Family]:
        """Asked by the registry for every reading, in a thread of its own."""
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        # By name and labels: what two trackers of one run tell stands once, or the reader takes nothing at all.
        found: dict[str, tuple[Metric, dict[tuple[tuple[str, str], ...], float]]] = {}
        for tracker in tuple(self.trackers):
            for metric, labels, value in tracker.samples():
                spelled = tuple((name, _spellable(text)) for name, text in labels.items())
                found.setdefault(metric.exported, (metric, {}))[1][spelled] = value
        for name, (metric, series) in sorted(found.items()):
            kind = CounterMetricFamily if metric.counter else GaugeMetricFamily
            family = kind(name, _help(metric), labels=[label for label, _ in next(iter(series))])
            for labels, value in series.items():
                family.add_metric([text for _, text in labels], value)
            yield family

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


_servers: dict[int, _Server] = {}
_opening = threading.Lock()


def _joined(port: int, tracker: PrometheusTracker, say: Callable[[str], None]) -> _Server | None:
    """The server of a port with one run more, or None where the port cannot be had."""
    host = os.environ.get(_HOST_VARIABLE) or _HOST
    with _opening:
        if port not in _servers:
            try:
                _servers[port] = _Server(host, port)
            except OSError as error:
                say(f"figures are not exported, {host}:{port} cannot be had ({error.strerror}); it goes on without, or name "
                    f"another port as in {EXPORTER}:9500")  # fmt: skip
                return None
            say(f"figures are exported at http://{host}:{port}/metrics")
        _servers[port].trackers.append(tracker)
        return _servers[port]


def _left(server: _Server, tracker: PrometheusTracker) -> None:
    with _opening:
        server.trackers.remove(tracker)
        if not server.trackers:
            del _servers[server.port]
            server.close()


def _number(value: Any) -> float | None:
    """A number, NaN and the infinities among them; None for a text, a list or nothing."""
    if isinstance(value, Real):
        return float(value)
    # A scalar of torch, or an array of one number.
    return float(value.item()) if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else None


def _spellable(text: str) -> str:
    """A folder's name may hold bytes that are no text."""
    return text.encode("utf-8", "replace").decode()


def _help(metric: Metric) -> str:
    return f"{metric.meaning} [{metric.unit}]" if metric.unit else metric.meaning


def exporter_choices(track: str | Sequence[str] | None) -> list[str]:
    """Of the trackers that a command line or a project names, those that are exporters."""
    every = [track] if isinstance(track, str) else track or []
    return [choice for choice in every if choice.partition(":")[0] == EXPORTER]


def exporter_port(choice: str, job: str) -> int:
    """Where a process exports whose choice is `prometheus` or `prometheus:PORT`, the trainer's port. Raises `BadInput`."""
    _, colon, text = choice.partition(":")
    port = PORT if not colon else int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < port <= 65535 - max(_OFFSETS.values()):
        raise BadInput(
            f"tracker {choice!r}: {text!r} is no port; give a number from 1 to 65533, as in {EXPORTER}:{PORT}"
        )
    return port + _OFFSETS[job]


def exporter_opener(
    track: str | Sequence[str] | None, *, job: str, metrics: Sequence[Metric], say: Callable[[str], None]
) -> Callable[[str], Tracker] | None:
    """A function that opens the exporter of a run by the run's name, where `track` names one; else None. Raises `BadInput`."""
    choices = exporter_choices(track)
    if not choices:
        return None
    if len(choices) > 1:
        raise BadInput(f"{' and '.join(choices)} are both for one process; name one of them")
    port = exporter_port(choices[0], job)
    return lambda run: PrometheusTracker(run, job=job, metrics=metrics, port=port, say=say)
