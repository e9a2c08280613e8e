"""Where numbers go while something runs: one JSON object per line, appended, never rewritten but on resume."""

from vaak.track.jsonl import JsonlTracker, Tracker, read_jsonl

__all__ = ["JsonlTracker", "Tracker", "read_jsonl"]
