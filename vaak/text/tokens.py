"""Documents to the text stream of a corpus: two length limits, ids, and an end-of-text id behind each document."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vaak.corpus import CorpusWriter, Sample
from vaak.errors import BadInput
from vaak.grammar.tokenizer import TextTokenizer
from vaak.languages import language_of

MIN_CHARACTERS = 128
MAX_TOKENS = 4096

_BATCH = 256


@dataclass(frozen=True)
class Document:
    """One text of a named source. `document_id` is its place there, None if unknown; `normalisation` the steps done."""

    text: str
    language: str
    source: str
    document_id: str | None = None
    tier: str = "clean"
    normalisation: tuple[str, ...] | None = None
    held_out: bool = False


@dataclass(frozen=True)
class TextReport:
    """Documents read, kept and dropped by reason (`read = kept + sum(dropped.values())`), and tokens kept."""

    read: int
    kept: int
    dropped: dict[str, int]
    tokens: int


def add_documents(
    writer: CorpusWriter,
    documents: Iterable[Document],
    tokenizer: TextTokenizer,
    *,
    min_characters: int = MIN_CHARACTERS,
    max_tokens: int = MAX_TOKENS,
    on_drop: Callable[[Document, str], None] | None = None,
) -> TextReport:
    """Tokenize documents into the text stream of `writer`, each ending with the end-of-text id (uint32 ids).

    A document under `min_characters` code points (white space at its ends not counted), over `max_tokens` ids (the
    end-of-text id not counted), or with the text of an earlier one of its language in this corpus is dropped with that
    one reason; `on_drop(document, reason)` hears of each. Raises `BadInput` if the writer is for another tokenizer.
    """
    if writer.tokenizer_hash != tokenizer.hash:
        raise BadInput(f"corpus {writer.name} is written for another tokenizer; open its writer with this one's hash")
    dropped: Counter[str] = Counter()
    read = kept = tokens = 0
    remaining = iter(documents)
    while batch := list(islice(remaining, _BATCH)):
        read += len(batch)
        texts = [document.text.strip() for document in batch]
        long_enough = [len(text) >= min_characters and text != "" for text in texts]
        # Short ones are not tokenized: in a crawl they are most of the documents.
        ids = iter(tokenizer.encode_batch([text for text, keep in zip(texts, long_enough, strict=True) if keep]))
        for document, text, keep in zip(batch, texts, long_enough, strict=True):
            one = next(ids) if keep else []
            digest = hashlib.sha256(text.encode()).hexdigest()
            sample = _sample(document, digest)
            reason = _reason(keep, len(one), writer.has(sample.sample_id), max_tokens)
            if reason is not None:
                dropped[reason] += 1
                if on_drop is not None:
                    on_drop(document, reason)
                continue
            writer.add("text", sample, [*one, tokenizer.end_of_text_id])
            kept += 1
            tokens += len(one) + 1
    return TextReport(read, kept, dict(sorted(dropped.items())), tokens)


def read_documents(path: str | Path, language: str | None = None, source: str | None = None) -> Iterator[Document]:
    """Documents of a JSONL file (`text` and, if known, `language`, `source`, `id`) or of a text file, one a line.

    Raises `BadInput` naming the row without a text or a language.
    """
    path = Path(path)
    try:
        file = open(path, encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); check the path") from error
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line) if path.suffix == ".jsonl" else {"text": line.strip()}
            except ValueError as error:
                raise BadInput(f"{path}, row {number} is not valid JSON ({error}); correct or remove it") from error
            if not isinstance(row, dict) or not isinstance(row.get("text"), str):
                raise BadInput(f"{path}, row {number} has no text; write objects with a field `text`")
            own_language = row.get("language") or language
            if not own_language:
                raise BadInput(f"{path}, row {number} has no language; add it or name one for the whole file")
            own_id = str(row["id"]) if row.get("id") is not None else f"{path.name}:{number}"
            yield Document(row["text"], str(own_language), str(row.get("source") or source or path.stem), own_id)


def _reason(long_enough: bool, n_tokens: int, repeated: bool, max_tokens: int) -> str | None:
    """The first of the reasons to drop a document, in a fixed order, so that each has one."""
    if not long_enough:
        return "too short"
    if n_tokens > max_tokens:
        return "too long"
    return "repeated" if repeated else None


def _sample(document: Document, digest: str) -> Sample:
    unknown = {}
    if document.document_id is None:
        unknown["source_id"] = "the source does not number its documents"
    if document.normalisation is None:
        unknown["normalisation"] = "the source does not say what was done to its text"
    return Sample(
        # Named by content: the same document has the same id wherever it stands in a file.
        sample_id=f"text-{language_of(document.language)}-{digest[:24]}",
        source=document.source,
        language=document.language,
        tier=document.tier,
        source_id=document.document_id,
        transcript_hash=digest,
        normalisation=None if document.normalisation is None else (*document.normalisation, "strip"),
        unknown=unknown,
        held_out=document.held_out,
    )
