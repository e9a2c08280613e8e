"""espeak-ng through ctypes, in a small process of its own, so that a text always gives the same samples.

The library keeps state between utterances (phase of the voice source, flutter, random numbers) and offers no call that
resets all of it. So `python -m vaak.demo.espeak` loads it once, seeds it, and forks for every request: each utterance
is spoken by a library that has never spoken before. A fork costs about 3 ms; an utterance of four seconds about 10 ms.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import struct
import subprocess
import sys

import numpy as np

from vaak.errors import BadInput

RATE = 22050  # Hz, what espeak-ng synthesises at
_SEED = 20
_RATE_PARAMETER = 1
_UTF8 = 1
_SYNCHRONOUS_RETRIEVAL = 2

_server: subprocess.Popen[bytes] | None = None


def espeak_wave(voice: str, text: str, words_per_minute: int) -> np.ndarray:
    """Speak `text` by an espeak-ng voice such as `hi+Annie`; float32[T] in [-1, 1] at 22,050 Hz, equal on every call."""
    global _server
    if _server is None or _server.poll() is not None:
        command = [sys.executable, "-m", "vaak.demo.espeak"]
        _server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        atexit.register(_server.kill)
    assert _server.stdin is not None and _server.stdout is not None
    _server.stdin.write(json.dumps([voice, text, words_per_minute]).encode() + b"\n")
    _server.stdin.flush()
    header = _server.stdout.read(4)
    size = struct.unpack("<I", header)[0] if len(header) == 4 else 0
    if size == 0:
        raise BadInput(f"espeak-ng did not speak {text[:40]!r} as {voice!r}: install espeakng-loader==0.2.4")
    return np.frombuffer(_server.stdout.read(size), np.int16).astype(np.float32) / 32768


def espeak_version() -> str:
    """Version of the library and of the package that carries it, for provenance."""
    import importlib.metadata

    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Info.restype = ctypes.c_char_p
    version = library.espeak_Info(None).decode().split()[0]
    return f"espeak-ng {version} (espeakng-loader {importlib.metadata.version('espeakng-loader')})"


def _load() -> tuple[ctypes.CDLL, list[np.ndarray], object]:
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    chunks: list[np.ndarray] = []
    callback_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

    def collect(samples, count: int, events) -> int:
        if samples and count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    callback = callback_type(collect)
    rate = library.espeak_Initialize(_SYNCHRONOUS_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
    if rate != RATE:
        raise BadInput(f"espeak-ng reports a sample rate of {rate}, not {RATE}: install espeakng-loader==0.2.4")
    library.espeak_SetSynthCallback(callback)
    library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
    return library, chunks, callback  # the callback must stay referenced as long as the library may call it


def _speak(library: ctypes.CDLL, chunks: list[np.ndarray], voice: str, text: str, words_per_minute: int) -> bytes:
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        return b""
    library.espeak_SetParameter(_RATE_PARAMETER, words_per_minute, 0)
    data = text.encode() + b"\0"
    library.espeak_Synth(ctypes.c_char_p(data), ctypes.c_size_t(len(data)), 0, 0, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    return np.concatenate(chunks).tobytes() if chunks else b""


def _serve() -> None:
    library, chunks, callback = _load()
    assert callback is not None
    out = sys.stdout.fileno()
    for line in sys.stdin.buffer:
        voice, text, words_per_minute = json.loads(line)
        child = os.fork()
        if child == 0:
            answer = _speak(library, chunks, voice, text, words_per_minute)
            answer = struct.pack("<I", len(answer)) + answer
            while answer:
                answer = answer[os.write(out, answer) :]
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            os.write(out, struct.pack("<I", 0))


if __name__ == "__main__":
    _serve()
