"""Readers of the packages that `collect` takes text from: archives, Chromium's and Android's string tables, WordNet."""

from __future__ import annotations

import ast
import html
import importlib
import io
import json
import re
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any


def deb_member(path: Path, name: str) -> bytes:
    """One file of a Debian package, by its path in the file system; `dpkg-deb` unpacks it."""
    with tarfile.open(fileobj=io.BytesIO(_unpacked(path))) as archive:
        found = archive.extractfile(f"./{name}")
        if found is None:
            raise FileNotFoundError(f"{name} in {path.name}")
        return found.read()


@cache
def _unpacked(path: Path) -> bytes:
    return subprocess.run(["dpkg-deb", "--fsys-tarfile", str(path)], check=True, capture_output=True).stdout


def npm_members(path: Path, pattern: str) -> dict[str, str]:
    """The text of all files of an npm package whose name inside it matches."""
    found: dict[str, str] = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            inside = member.name.removeprefix("package/")
            handle = archive.extractfile(member) if re.fullmatch(pattern, inside) else None
            if handle is not None:
                found[inside] = handle.read().decode("utf-8")
    return found


def npm_json(path: Path, name: str) -> Any:
    """One JSON file of an npm package."""
    return json.loads(npm_members(path, re.escape(name))[name])


def chromium_strings(pak: bytes) -> Iterator[str]:
    """All strings of a Chromium resource pack, version 5: a header, a table of (id, offset), the texts."""
    version, encoding, count, _ = struct.unpack_from("<IIHH", pak, 0)
    if version != 5:
        raise ValueError(f"resource pack of version {version}, not 5")
    offsets = [struct.unpack_from("<HI", pak, 12 + 6 * n)[1] for n in range(count + 1)]
    for start, end in pairwise(offsets):
        text = pak[start:end].decode("utf-8" if encoding == 1 else "utf-16-le", "replace")
        yield re.sub(r"<[^>]*>", "", text)


def android_strings(apk: bytes) -> dict[str, list[str]]:
    """The strings of Android's own resources by locale, read by `pyaxmlparser`."""
    parser = importlib.import_module("pyaxmlparser.arscparser").ARSCParser(
        zipfile.ZipFile(io.BytesIO(apk)).read("resources.arsc")
    )
    package = parser.get_packages_names()[0]
    found: dict[str, list[str]] = {}
    for locale in parser.get_locales(package):
        if re.fullmatch("[a-z]{2}", locale):
            xml = parser.get_string_resources(package, locale).decode("utf-8")
            texts = re.findall(r"<string[^>]*>(.*?)</string>", xml, re.DOTALL)
            found[locale] = [re.sub(r"<[^>]*>", "", html.unescape(html.unescape(text))) for text in texts]
    return found


def r_lines(database: bytes) -> Iterator[list[str]]:
    """The character vectors of an R lazy-load database: each a length, then a zlib stream in R's XDR form."""
    at = 0
    while (at := database.find(b"\x78\x9c", at)) >= 0:
        stream = zlib.decompressobj()
        try:
            data = stream.decompress(database[at:])
        except zlib.error:
            at += 1
            continue
        yield _r_strings(data)
        at = len(database) - len(stream.unused_data)


def _r_strings(data: bytes) -> list[str]:
    """The strings of one serialised character vector: type 9 with its flags, a length, the bytes."""
    found: list[str] = []
    at = data.find(b"\x00\x00\x00\x10")
    at += 8
    while at + 8 <= len(data) and data[at + 3] == 9:
        (length,) = struct.unpack_from(">i", data, at + 4)
        found.append(data[at + 8 : at + 8 + max(length, 0)].decode("utf-8", "replace"))
        at += 8 + max(length, 0)
    return found


def wordnet_glosses(data: bytes) -> Iterator[tuple[str, list[str], str, list[str]]]:
    """(offset, words, definition, examples) of each synset of a WordNet data file."""
    for line in data.decode("utf-8").splitlines():
        if line.startswith(" "):
            continue
        head, _, gloss = line.partition(" | ")
        fields = head.split()
        words = [fields[4 + 2 * n].replace("_", " ") for n in range(int(fields[3], 16))]
        examples = [one.strip() for one in re.findall(r'"([^"]+)"', gloss)]
        yield fields[0], words, re.split(r'[;:] *"|;', gloss)[0].strip(), examples


def faker_names(wheel: Path, locale: str) -> dict[str, list[str]]:
    """The tuples of names of one locale of Faker, read as literals."""
    with zipfile.ZipFile(wheel) as archive:
        tree = ast.parse(archive.read(f"faker/providers/person/{locale}/__init__.py").decode("utf-8"))
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple) and isinstance(node.targets[0], ast.Name):
            literals = [one.value for one in node.value.elts if isinstance(one, ast.Constant)]
            found[node.targets[0].id] = [one for one in literals if isinstance(one, str)]
    return found


def paragraphs_of(page: str) -> list[str]:
    """The paragraphs of a UDHR page."""
    return [html.unescape(re.sub(r"<[^>]*>", "", text)) for text in re.findall(r"<p>(.*?)</p>", page, re.DOTALL)]
