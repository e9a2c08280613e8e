"""Doors to data that exists already: `corpus import inworld`, `corpus import flat`, `corpus freeze`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaak.cli.show import print_json, print_report
from vaak.errors import BadInput

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the new corpus.")]
Name = Annotated[str | None, typer.Option(help="Name of the corpus; default: its folder's.")]
Source = Annotated[str | None, typer.Option(help="Source of rows that name none; default: the folder's name.")]
Tier = Annotated[str, typer.Option(help="Quality tier of rows that name none.")]
Codec = Annotated[str | None, typer.Option("--codec", help="embedded, xcodec2, neucodec, or another codec's name.")]
CodecHash = Annotated[str | None, typer.Option("--codec-hash", help="SHA-256 of the codec; unknown without it.")]
Codebook = Annotated[int | None, typer.Option("--codebook-size", help="Codes of another codec; default: 65,536.")]
Rate = Annotated[int | None, typer.Option("--tokens-per-second", help="Codes a second; default: 50.")]
Hertz = Annotated[int | None, typer.Option("--codec-sample-rate", help="Hertz that the codec hears; default: 16,000.")]
HeldOut = Annotated[
    list[str] | None,
    typer.Option("--held-out", help="Another split that training never sees, beside dev, test and val."),
]
Unknown = Annotated[
    list[str] | None, typer.Option("--unknown", help='Why a field is not known: "vad_config_hash=lost in 2023".')
]
Quarantine = Annotated[
    Path | None, typer.Option(help="Set bad samples aside here, with reasons, and go on; else the first one ends it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the same content as JSON.")]

import_app = typer.Typer(help="Import codes and text ids that exist already.", no_args_is_help=True)


def add_verbs(corpus_app: typer.Typer) -> None:
    """Hang this module's verbs on `vaak corpus`."""
    import_app.command("inworld")(inworld)
    import_app.command("flat")(flat)
    corpus_app.add_typer(import_app, name="import")
    corpus_app.command("freeze")(freeze)


def inworld(
    source_folder: Annotated[Path, typer.Argument(metavar="SRC", help="Folder with <split>_codes.npy and the rest.")],
    out: Out,
    codec: Codec = None,
    codec_hash: CodecHash = None,
    codebook_size: Codebook = None,
    tokens_per_second: Rate = None,
    codec_sample_rate: Hertz = None,
    field: Annotated[list[str] | None, typer.Option(help="Another name of a field: transcript=text.")] = None,
    language: Annotated[str | None, typer.Option(help="Language of rows that name none.")] = None,
    source: Source = None,
    tier: Tier = "unrated",
    transcript_kind: Annotated[
        str | None, typer.Option(help="native, code_mixed, romanised or tagged, for rows that do not say.")
    ] = None,
    held_out: HeldOut = None,
    unknown: Unknown = None,
    quarantine: Quarantine = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Import codes, index and JSONL samples as the Inworld trainer writes them. The source is only read.

    Interrupt it, run it again, and it continues.

    Examples: `vaak corpus import inworld vectorized/ --out corpus-v1 --codec xcodec2` ·
    `vaak corpus import inworld vectorized/ --out corpus-v1 --field transcript=text --language hi --quarantine aside/`
    """
    from vaak.corpus.import_codec import codec_of_import
    from vaak.corpus.import_inworld import import_inworld
    from vaak.corpus.import_run import ImportTarget
    from vaak.corpus.import_samples import SampleDefaults
    from vaak.launch.console import Console

    entry = codec_of_import(codec, codec_hash, codebook_size, tokens_per_second, codec_sample_rate)
    target = ImportTarget(out, name or out.resolve().name, entry, quarantine=quarantine)
    own = source or source_folder.resolve().name
    defaults = SampleDefaults(own, language, tier, transcript_kind, reasons=_reasons(unknown))
    with Console(quiet=as_json).progress("import") as bar:
        report = import_inworld(source_folder, target, defaults, field or [], held_out or [], bar)
    print_report(report, out, f"{report.tokens:,} tokens", as_json)


def flat(
    source_path: Annotated[
        Path,
        typer.Argument(metavar="SRC", help="Folder with <split>_pretraining_codes.npy or _tokens.npy, or one file."),
    ],
    out: Out,
    language: Annotated[str | None, typer.Option(help="Its language: a flat file cannot say.")] = None,
    codec: Codec = None,
    codec_hash: CodecHash = None,
    codebook_size: Codebook = None,
    tokens_per_second: Rate = None,
    codec_sample_rate: Hertz = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="tokenizer.json of the text ids, its folder, or its SHA-256.")
    ] = None,
    source: Source = None,
    tier: Tier = "unrated",
    piece: Annotated[int | None, typer.Option(min=1, help="Tokens of a piece; default: 32,768.")] = None,
    held_out: HeldOut = None,
    unknown: Unknown = None,
    quarantine: Quarantine = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Import flat pretraining streams. Where a recording ends is lost in them, and the corpus says so.

    Interrupt it, run it again, and it continues.

    Examples: `vaak corpus import flat pretraining/ --language en --codec xcodec2 --out raw-en` ·
    `vaak corpus import flat books/ --language hi --tokenizer qwen/tokenizer.json --out text-hi`
    """
    from vaak.corpus.import_codec import codec_of_import
    from vaak.corpus.import_flat import PIECE, find_streams, import_flat
    from vaak.corpus.import_run import ImportTarget
    from vaak.corpus.import_samples import SampleDefaults
    from vaak.launch.console import Console

    has_codes = any(one.kind == "codes" for one in find_streams(source_path))
    numbers = (codec, codec_hash, codebook_size, tokens_per_second, codec_sample_rate)
    digest, size = _tokenizer(tokenizer)
    target = ImportTarget(
        out, name or out.resolve().name, codec_of_import(*numbers) if has_codes else None, digest, quarantine
    )
    folder = source_path if source_path.is_dir() else source_path.parent
    defaults = SampleDefaults(source or folder.resolve().name, language, tier, reasons=_reasons(unknown))
    with Console(quiet=as_json).progress("import") as bar:
        report = import_flat(
            source_path, target, defaults, held_out or [], PIECE if piece is None else piece, size, bar
        )
    print_report(report, out, f"{report.tokens:,} tokens", as_json)


def freeze(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of finished shards without a manifest.")],
    codec: Codec = None,
    codec_hash: CodecHash = None,
    codebook_size: Codebook = None,
    tokens_per_second: Rate = None,
    codec_sample_rate: Hertz = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="tokenizer.json of the text ids, its folder, or its SHA-256.")
    ] = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Check a folder of shards that other tools wrote, every token and row, and freeze it.

    `import` and `encode` freeze what they write themselves.

    Example: `vaak corpus freeze shards/ --codec xcodec2 --name dataset-v1`
    """
    from vaak.corpus.freeze import freeze_corpus
    from vaak.corpus.import_codec import codec_of_import

    has_codes = (folder / "raw").is_dir() or (folder / "paired").is_dir()
    numbers = (codec, codec_hash, codebook_size, tokens_per_second, codec_sample_rate)
    entry = codec_of_import(*numbers) if has_codes else None
    corpus_id = freeze_corpus(folder, name or folder.resolve().name, entry, _tokenizer(tokenizer)[0])
    if as_json:
        print_json({"folder": str(folder), "corpus_id": corpus_id})
    else:
        typer.echo(f"frozen as {corpus_id}")


def _tokenizer(name: str | None) -> tuple[str | None, int]:
    """Hash and size of a tokenizer; of one that is only named by its hash, every id that fits is taken."""
    if name is None or (len(name) == 64 and not set(name) - set("0123456789abcdef")):
        return name, 1 << 32
    from vaak.grammar.tokenizer import load_tokenizer

    found = load_tokenizer(Path(name))
    return found.hash, found.size


def _reasons(given: list[str] | None) -> dict[str, str]:
    reasons = {}
    for one in given or []:
        field, equals, reason = one.partition("=")
        if not equals or not reason.strip():
            raise BadInput(f'--unknown {one!r} is not understood; write FIELD=REASON, such as "vad_config_hash=lost"')
        reasons[field] = reason.strip()
    return reasons
