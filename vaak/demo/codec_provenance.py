"""The record beside the codec's training audio: engines, licences, minutes of each voice, and one hash over all files."""

from __future__ import annotations

import hashlib
import importlib.metadata
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaak.demo import engines
from vaak.demo.codec_voices import HELD_OUT
from vaak.demo.recordings import RECORDINGS
from vaak.demo.voices import LEVEL_DB, TRIM

_PACKAGES = ("espeakng-loader", "hibari-tts", "onnxruntime", "soxr", "soundfile", "numpy")


def provenance(seed: int, out: Path, made: Sequence[tuple[str, str, str, Path]]) -> dict[str, Any]:
    """The record of files `made`: (language, voice, engine or package, path) each."""
    import soundfile

    minutes: dict[tuple[str, str, str], float] = defaultdict(float)
    everything = hashlib.sha256()
    for language, name, engine, path in sorted(made, key=lambda one: one[3].name):
        minutes[language, name, engine] += soundfile.info(path).duration / 60
        everything.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    spoken_by = sorted({engine for _, _, engine, _ in made if engine in engines.ENGINES})
    recordings = {one.name: one for one in RECORDINGS if one.minutes}
    return {
        "made_by": "python -m vaak.demo.codec_audio",
        "seed": seed,
        "hours": round(sum(minutes.values()) / 60, 3),
        "files": len(made),
        "sha256": everything.hexdigest(),
        "trim": TRIM,
        "level_db": LEVEL_DB,
        "engines": [
            {"engine": name, "version": engines.engine_version(name), "licence": engines.engine_licence(name)}
            for name in spoken_by
        ],
        "recordings": [
            {"name": one.name, "package": f"{one.package} {_debian_version(one.package)}", "licence": one.licence}
            for one in recordings.values()
        ],
        "minutes": [
            {"language": language, "voice": name, "engine": engine, "minutes": round(total, 2)}
            for (language, name, engine), total in sorted(minutes.items())
        ],
        "held_out": [{"language": language, "voice": name, "what": what} for language, name, what in HELD_OUT],
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _debian_version(package: str) -> str:
    try:
        command = ["dpkg-query", "-W", "-f", "${Version}", package]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout or "unknown"
    except FileNotFoundError:
        return "unknown"
