"""The codec that imported codes were made with: a known name, the numbers of one, or what the trainer's layout implies."""

from __future__ import annotations

from typing import Any

from vaak.corpus.encode import codec_entry
from vaak.errors import BadInput

# The constants of the Inworld trainer and of xcodec2: one codebook of 65,536, 50 codes a second, 16 kHz.
_USUAL = {"codebook_size": 65536, "tokens_per_second": 50, "sample_rate": 16000}

KNOWN = ("embedded", "xcodec2", "neucodec")

_NO_HASH = "which checkpoint made the codes was not given when they were imported"


def codec_of_import(
    name: str | None = None,
    digest: str | None = None,
    codebook_size: int | None = None,
    tokens_per_second: int | None = None,
    sample_rate: int | None = None,
) -> dict[str, Any]:
    """What the manifest says of the codec. A hash that is not given is null with its reason.

    xcodec2 and neucodec have the numbers of the trainer's constants; so has a codec that nobody names, as its layout has
    no room for others, and then the name says that it is unknown. Raises `BadInput` for another name without its
    codebook size, or for an embedded codec that is said to be something else.
    """
    given = {"codebook_size": codebook_size, "tokens_per_second": tokens_per_second, "sample_rate": sample_rate}
    known: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if digest is not None and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
        raise BadInput(f"codec hash {digest!r} is no SHA-256; give 64 hex digits, or leave it out")
    if name == "embedded":
        from vaak.codec import open_codec

        entry = codec_entry(open_codec(name))
        if digest not in (None, entry["hash"]) or any(entry[key] != value for key, value in known.items()):
            raise BadInput("the embedded codec has its own hash and numbers; name another codec, or leave them out")
        return entry
    if name not in (None, *KNOWN) and codebook_size is None:
        raise BadInput(f"codec {name!r} is not one of {', '.join(KNOWN)}; give its --codebook-size too")
    entry = {"name": name or "unknown", "hash": digest, **_USUAL, **known}
    return entry if digest is not None else {**entry, "unknown": {"hash": _NO_HASH}}
