"""Where numbers go while something runs: always a JSON object per line, and beside it W&B or trackio."""

from vaak.track.jsonl import JsonlTracker, iter_jsonl, read_jsonl
from vaak.track.open import opened_tracker, tracker_opener
from vaak.track.replay import replay
from vaak.track.tracker import Sound, Tracker

__all__ = ["JsonlTracker", "Sound", "Tracker", "iter_jsonl", "opened_tracker", "read_jsonl", "replay", "tracker_opener"]
