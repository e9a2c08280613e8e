"""Where numbers go while something runs: always a JSON object per line, and beside it W&B, trackio and Prometheus."""

from vaak.track.fan_out import FanOut, RunTracker
from vaak.track.jsonl import JsonlTracker, iter_jsonl, read_jsonl
from vaak.track.open import (
    chosen_trackers,
    default_trackers,
    opened_trackers,
    tracker_opener,
    tracker_openers,
)
from vaak.track.queued import QueuedTracker
from vaak.track.replay import replay
from vaak.track.tracker import Sound, Tracker

__all__ = [
    "FanOut",
    "JsonlTracker",
    "QueuedTracker",
    "RunTracker",
    "Sound",
    "Tracker",
    "chosen_trackers",
    "default_trackers",
    "iter_jsonl",
    "opened_trackers",
    "read_jsonl",
    "replay",
    "tracker_opener",
    "tracker_openers",
]
