"""The inputs of a source: files, objects, shards of a data set of the Hub; each read on its own, and done or to be done again."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path

from vaak.errors import BadInput
from vaak.storage.objects import ObjectMissing, ObjectState, list_objects, open_objects, state_of
from vaak.text.document import Raw
from vaak.text.hub_shards import HubShard, hub_shards, shard_documents
from vaak.text.readers.input_file import InputFile, Where
from vaak.text.readers.named import BY_NAME, Reader
from vaak.text.sources import Source

_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Input:
    """One unit of work of a source.

    name: the same on every machine: below the configuration's folder, else below what the source names; a path in an address
        or a data set.
    stamp: changes when the content does, as far as size and time, change token or commit say.
    bytes: its size as it lies there, 0 where that is not known.
    """

    source: Source
    name: str
    stamp: str
    bytes: int
    path: str
    address: str | None = None  # of the folder of an object, which is then below it at `path`
    state: ObjectState | None = None
    shard: HubShard | None = None  # of a data set of the Hub

    def open_documents(self) -> Iterator[tuple[Raw, int]]:
        """Its documents in order, each with the bytes of the input that were consumed by then.

        A row that is no document has a `problem` and the reading goes on. Raises `BadInput` where the input is damaged or is
        no longer as it was listed.
        """
        if self.shard is not None:
            yield from shard_documents(self.shard, self.source)
            return
        file = self._file()
        try:
            for raw in BY_NAME[self.source.reader].read(file, self.source):
                yield raw, file.consumed
            self._check_unchanged()
        except OSError as error:
            raise BadInput(f"{self.path} cannot be read ({error.strerror or error}); restore it") from error

    def _file(self) -> InputFile:
        if self.address is not None:
            objects = open_objects(self.address)
            return InputFile(Where(self.name, objects.at(self.path)), self.bytes, objects, self.path, self.state)
        self._check_unchanged()
        return InputFile(Where(self.name, self.path), self.bytes)

    def _check_unchanged(self) -> None:
        """Before a file is read and behind it: what is written meanwhile would be read in part. Objects see to it themselves."""
        if self.address is None and local_stamp(Path(self.path)) != self.stamp:
            raise BadInput(f"{self.path} changed since it was listed; let nobody write there, then run it again")


def list_inputs(source: Source, folder: Path, without: Sequence[Path] = ()) -> list[Input]:
    """All inputs of a source, sorted by name; relative paths are below `folder`, that of the configuration.

    Files below one of the folders `without`, which are resolved, are none.

    Raises `BadInput` where a name or pattern of the source matches nothing, or two inputs would have the same name.
    """
    if source.hub is not None:
        shards = sorted(hub_shards(source.hub, source), key=lambda one: one.name)
        return [Input(source, one.name, one.stamp, one.bytes, one.name, shard=one) for one in shards]
    reader = BY_NAME[source.reader]
    found: dict[tuple[str | None, str], Input] = {}
    for pattern in source.files:
        listed = _objects(source, pattern, reader) if "://" in pattern else _files(source, pattern, folder, reader)
        listed = [one for one in listed if not _is_below(one, without)]
        if not listed:
            what = "matches no file" if _WILD.search(pattern) else "is not there, or has no such file in it"
            raise BadInput(
                f"source {source.name!r}: {pattern} {what}; {source.reader} reads {', '.join(reader.suffixes)} of a folder"
            )
        for one in listed:
            found.setdefault((one.address, one.path), one)
    inputs = sorted(found.values(), key=lambda one: one.name)
    for before, after in pairwise(inputs):
        if before.name == after.name:
            raise BadInput(
                f"source {source.name!r}: two inputs would be called {after.name} ({before.path} and {after.path}); "
                "name the folder that both are below, with a pattern"
            )
    return inputs


def _is_below(one: Input, folders: Sequence[Path]) -> bool:
    return one.address is None and any(Path(one.path).resolve().is_relative_to(folder) for folder in folders)


def _files(source: Source, pattern: str, folder: Path, reader: Reader) -> list[Input]:
    whole = os.path.normpath(folder.resolve() / Path(pattern).expanduser())
    if Path(whole).is_dir():
        paths, above = _below(Path(whole), reader), Path(whole)
    elif Path(whole).is_file():  # also one whose name looks like a pattern
        paths, above = [Path(whole)], Path(whole).parent
    else:
        # A link that leads nowhere is no folder: it is said below.
        paths = [Path(one) for one in glob.glob(whole, recursive=True) if not os.path.isdir(one)]
        above = Path(_fixed(whole))
    if not os.path.isabs(os.path.expanduser(pattern)) and above.is_relative_to(folder.resolve()):
        above = folder.resolve()
    inputs = []
    for path in paths:
        name = path.relative_to(above).as_posix()
        if not _is_utf8(name):
            raise BadInput(f"{str(path)!r} has a name that is not UTF-8; rename it")
        try:
            inputs.append(Input(source, name, local_stamp(path), path.stat().st_size, str(path)))
        except OSError as error:
            raise BadInput(f"{path} cannot be read ({error.strerror}); restore it") from error
    return inputs


def local_stamp(path: Path) -> str:
    """Size and time of change of a file; one that is gone has another stamp than any file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return "gone"
    return f"{found.st_size}-{found.st_mtime_ns}"


def _below(folder: Path, reader: Reader) -> list[Path]:
    """Files of the reader's kind in a folder, also in those that are linked there; hidden ones and hidden folders are those
    of download tools."""
    found, seen = [], set()
    for here, folders, files in os.walk(folder, followlinks=True, onerror=_raise):
        place = os.stat(here)
        if (place.st_dev, place.st_ino) in seen:  # linked twice, or in a circle
            folders.clear()
            continue
        seen.add((place.st_dev, place.st_ino))
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        found += [Path(here, one) for one in files if not one.startswith(".") and one.endswith(reader.suffixes)]
    return found


def _raise(error: OSError) -> None:
    """A folder that cannot be listed is not passed over."""
    raise BadInput(f"{error.filename} cannot be read ({error.strerror}); make it readable") from error


def _objects(source: Source, pattern: str, reader: Reader) -> list[Input]:
    """Objects at an address: one, all of the reader's kind below it, or those that its pattern matches."""
    wild = _WILD.search(pattern) is not None
    base = _fixed(pattern) if wild else pattern.rstrip("/")
    states = list_objects(open_objects(base))
    if wild:
        parts = pattern[len(base) + 1 :].split("/")
        states = {path: state for path, state in states.items() if _matches(path.split("/"), parts)}
    else:
        states = {
            path: one for path, one in states.items() if path.endswith(reader.suffixes) and "/." not in f"/{path}"
        }
        if not states:
            base, _, last = base.rpartition("/")
            with suppress(ObjectMissing):
                states = {last: state_of(open_objects(base), last)[0]}
    return [
        Input(source, path, f"{state.size}-{state.etag or state.written_at}", state.size, path, base, state)
        for path, state in states.items()
    ]


def _fixed(pattern: str) -> str:
    """The folder of a pattern above its first wild part."""
    wild = _WILD.search(pattern)
    start = wild.start() if wild else len(pattern)
    return pattern[: pattern.rindex("/", 0, start)] or "/"


def _matches(path: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(_matches(path[skipped:], pattern[1:]) for skipped in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], pattern[0]) and _matches(path[1:], pattern[1:])


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
