"""The door from audio to codes: `vaak corpus encode`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from vaak.cli.show import print_report
from vaak.errors import BadInput

Tier = Annotated[
    str | None, typer.Option(help="Quality tier of rows that name none; default: the mapping's, or unrated.")
]
Quarantine = Annotated[
    Path | None,
    typer.Option(help="Set rows that cannot be read aside too, all with reasons here; else the first one ends it."),
]


def encode(
    recordings: Annotated[
        Path, typer.Argument(help="A .jsonl, .csv or .parquet list of recordings, or a folder of audio or parquet.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the new corpus.")],
    codec: Annotated[
        str, typer.Option("--codec", help="embedded, xcodec2, neucodec, a Hub id, or the folder of a codec's weights.")
    ] = "embedded",
    language: Annotated[str | None, typer.Option(help="Language of rows that name none.")] = None,
    source: Annotated[str | None, typer.Option(help="Source of rows that name none.")] = None,
    speaker: Annotated[str | None, typer.Option(help="Speaker of rows that name none.")] = None,
    tier: Tier = None,
    name: Annotated[str | None, typer.Option(help="Name of the corpus; default: its folder's.")] = None,
    mapping: Annotated[str | None, typer.Option(help="A published data set: indicvoices-r or hifitts2.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="Another name of a field: transcript=normalized.")] = None,
    audio_folder: Annotated[Path | None, typer.Option(help="What the list's paths are relative to.")] = None,
    quarantine: Quarantine = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes to encode with; the result is the same.")] = 1,
    part_items: Annotated[
        int, typer.Option(min=1, help="Recordings per part: what an interruption costs, what batches are drawn from.")
    ] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="Print the same content as JSON.")] = False,
) -> None:
    """Encode recordings into a new frozen corpus; what cannot be encoded is set aside with its reason.

    Interrupt it, run it again, and it continues. Under `torchrun` each process takes its share, on its own GPU.

    Examples: `vaak corpus encode list.jsonl --out corpus-v1 --workers 8` ·
    `vaak corpus encode recordings/ --language hi --source street --out corpus-v1` ·
    `vaak corpus encode indicvoices_r/Hindi --mapping indicvoices-r --codec xcodec2 --out iv-hi` ·
    `torchrun --nproc-per-node 8 -m vaak.cli.main corpus encode list.jsonl --codec xcodec2 --out corpus-v1`
    """
    from vaak.codec import open_codec
    from vaak.corpus.encode import EncodeOptions, encode_list, encode_share
    from vaak.corpus.lists import FROM_ROW, ListDefaults
    from vaak.corpus.mappings import open_mapping
    from vaak.launch.console import Console

    defaults = ListDefaults(language=language, source=source, speaker=speaker, tier=tier)
    rank, ranks = _place()
    options = EncodeOptions(
        mapping=open_mapping(mapping, field or [], ("path", *FROM_ROW)),
        audio_folder=audio_folder,
        quarantine=quarantine,
        part_items=part_items,
        workers=workers,
        rank=rank,
        ranks=ranks,
    )
    with Console(quiet=as_json or rank > 0).progress("encode") as bar:
        if rank > 0:
            encode_share(recordings, open_codec(codec), out, defaults, bar, options)
            return
        report = encode_list(recordings, open_codec(codec), out, name, defaults, bar, options)
    print_report(report, out, f"{report.seconds / 3600:.2f} h", as_json)


def _place() -> tuple[int, int]:
    """This process's rank and how many there are, as torchrun says in the environment; alone without it."""
    try:
        rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    except ValueError as error:
        raise BadInput(
            f"RANK and WORLD_SIZE in the environment are no numbers ({error}); unset or correct them"
        ) from error
    if not 0 <= rank < ranks:
        raise BadInput(f"RANK is {rank} of WORLD_SIZE {ranks}; unset them, or start through torchrun")
    return rank, ranks
