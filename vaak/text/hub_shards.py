"""A data set of the Hub in shards, one for each of its data files, read through `datasets` streaming.

`datasets` from version 4 on runs no code of a data set; one that needs such code is refused in a sentence. The endpoint and the
token are those of the environment.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from vaak.errors import BadInput
from vaak.text.document import Raw
from vaak.text.readers.input_file import Where
from vaak.text.readers.named import BY_NAME
from vaak.text.readers.rows import Row
from vaak.text.sources import HubDataset, Source

# These look at the lines of a text before they take rows for documents.
_OF_LINES = ("indiccorp-v2", "plain")


@dataclass(frozen=True)
class HubShard:
    """A part of a split: the data file `name` (its path in the data set) where `datasets` says which those are.

    stamp: the commit, or of a local folder the file's time of change. bytes: 0 where that is not known. rows: all `of` shards as
    an `IterableDataset`, which another process can be given; this is the one at `index`.
    """

    dataset: HubDataset
    name: str
    stamp: str
    bytes: int
    index: int
    of: int
    rows: Any = field(repr=False, compare=False)


def hub_shards(hub: HubDataset, source: Source) -> list[HubShard]:
    """The shards of a split.

    Raises `BadInput` for a data set, config or split that is not there, one that needs code, and one without the text field.
    """
    with _in_one_sentence(hub):
        from datasets import load_dataset_builder

        builder = load_dataset_builder(hub.dataset, hub.config, revision=hub.revision)
        # What `load_dataset(..., streaming=True)` gives, without asking a second time where its files are.
        rows: Any = builder.as_streaming_dataset(split=hub.split)
        wanted = BY_NAME[source.reader].columns(source)
        if rows.features is not None:
            there = list(rows.features)
            if wanted[0] not in there:
                raise BadInput(
                    f"{_name(hub)} has no field {wanted[0]!r} but {', '.join(map(repr, there))}; name another"
                )
            rows = rows.select_columns([one for one in wanted if one in there])
        n = rows.num_shards
        listed: Mapping[str, Any] = builder.config.data_files or {}
        files = list(listed.get(hub.split, []))
        marks = list(getattr(listed.get(hub.split), "origin_metadata", []))
        base = str(builder.base_path or "").rstrip("/") + "/"
        shards = []
        for i in range(n):
            if len(files) == len(marks) == n:
                stamp = "-".join(str(one) for one in marks[i])
                shards.append(HubShard(hub, files[i].removeprefix(base), stamp, _size(files[i]), i, n, rows))
            else:
                shards.append(HubShard(hub, f"shard-{i:05d}-of-{n:05d}", str(builder.hash), 0, i, n, rows))
        return shards


def shard_documents(shard: HubShard, source: Source) -> Iterator[tuple[Raw, int]]:
    """The documents of a shard, each with the bytes consumed: those of the text so far, no more than the file has."""
    reader, consumed = BY_NAME[source.reader], 0
    where = Where(shard.name, shard.name, shard.dataset.split)
    with _in_one_sentence(shard.dataset):
        for raw in reader.documents(_rows(shard, source), where, source):
            consumed += len(raw.text.encode(errors="surrogatepass"))
            yield raw, min(consumed, shard.bytes)


def _rows(shard: HubShard, source: Source) -> Iterator[Row]:
    for number, row in enumerate(shard.rows.shard(num_shards=shard.of, index=shard.index)):
        if source.reader in _OF_LINES and not isinstance(row.get("text"), str):
            yield number, "has no text in 'text'"
        else:
            yield number, row


def _size(address: str) -> int:
    import fsspec

    system, path = fsspec.core.url_to_fs(address)
    return int(system.size(path) or 0)


def _name(hub: HubDataset) -> str:
    config = f" ({hub.config})" if hub.config else ""
    return f"the data set {hub.dataset}{config} of the Hub"


@contextmanager
def _in_one_sentence(hub: HubDataset) -> Iterator[None]:
    """An error of `datasets` as one of ours, without its request; and without what it reports on the way."""
    try:
        from datasets import logging as reports
        from datasets.exceptions import DatasetNotFoundError
    except ImportError as error:
        raise BadInput("data sets of the Hub need `datasets`; install it with: pip install 'vaak[text]'") from error
    level = reports.get_verbosity()
    reports.set_verbosity(logging.CRITICAL)
    try:
        yield
    except (BadInput, GeneratorExit):
        raise
    except DatasetNotFoundError as error:
        raise BadInput(
            f"{_name(hub)} is not there, or the token may not see it; check the name and HF_TOKEN"
        ) from error
    except Exception as error:  # its builders, its HTTP library and pyarrow each have their own kinds
        said = " ".join(str(error).split())[:200]
        if "scripts are no longer supported" in said:
            why = "comes with code, which is never run; download its files and name them under `files`"
        elif "BuilderConfig" in said or "Bad split" in said or "Config name is missing" in said:
            why = f"is refused: {said.rstrip('.')}; correct `config` or `split`"
        else:
            why = f"cannot be read ({type(error).__name__}); run it again, or download its files and name them under `files`"
        raise BadInput(f"{_name(hub)} {why}") from error
    finally:
        reports.set_verbosity(level)
