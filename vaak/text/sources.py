"""What the configuration says of a source: what it is called, who reads it, where its files are, which languages are wanted."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vaak.corpus.samples import SAFE_TIER
from vaak.errors import BadInput
from vaak.languages import language_of
from vaak.text.faults import first_fault

NAMED = ("redpajama-v2", "fineweb", "indiccorp-v2", "sangraha", "oig")
PLAIN = ("jsonl", "parquet", "plain")
READERS = (*NAMED, *PLAIN)

_FIELDS = ("text_field", "id_field", "language_field")
# Which readers an option is for; `language` is for those whose data set does not say one itself.
_OPTION_OF = {
    **dict.fromkeys(_FIELDS, ("jsonl", "parquet")),
    "documents": ("plain",),
    "language": (*PLAIN, "oig"),
}


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HubDataset(_Frozen):
    """A data set of the Hugging Face Hub, read through `datasets` streaming; code that comes with one is never run.

    dataset: `owner/name`, or a folder that is laid out as one.
    config, split: as on its page; some data sets name the language in the one, some in the other.
    revision: a branch, tag or commit; a commit makes the source the same for ever.
    """

    dataset: Annotated[str, Field(min_length=1)]
    config: str | None = None
    split: str = "train"
    revision: str | None = None


class Source(_Frozen):
    """One source of a text corpus.

    name: what its documents are counted under.
    reader: the data set whose fields and layout its files have, or `jsonl`, `parquet`, `plain`.
    files: files, folders, patterns (`*`, `?`, `[ab]`, `**`) and addresses `s3://bucket/prefix` with or without a pattern;
        relative paths are relative to the configuration. Exactly one of `files` and `hub` is given.
    languages: the codes that are asked for; what is of another language is dropped and counted. None: every one in the table.
    language: of documents that do not say one.
    tier: quality class in the corpus; `clean`, and `instruction` for oig.
    text_field, id_field, language_field: of jsonl and parquet.
    documents: of plain: one per `file`, `line` or `paragraph` (between empty lines).
    """

    name: Annotated[str, Field(min_length=1)]
    reader: str
    files: tuple[str, ...] = ()
    hub: HubDataset | None = None
    languages: tuple[str, ...] | None = None
    language: str | None = None
    tier: str = ""
    text_field: str = "text"
    id_field: str | None = None
    language_field: str | None = None
    documents: Literal["file", "line", "paragraph"] = "file"

    @field_validator("reader")
    @classmethod
    def _known_reader(cls, reader: str) -> str:
        if reader not in READERS:
            near = difflib.get_close_matches(reader.replace("_", "-").lower(), READERS, n=1)
            raise ValueError(
                f"there is no reader {reader!r}; "
                + (f"did you mean {near[0]!r}?" if near else f"use {', '.join(READERS)}")
            )
        return reader

    @field_validator("files", mode="before")
    @classmethod
    def _one_is_a_list(cls, files: Any) -> Any:
        return (files,) if isinstance(files, str) else files

    @field_validator("files")
    @classmethod
    def _named_files(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        if any(not one.strip() for one in files):
            raise ValueError("holds an empty name; name a file, a folder or a pattern")
        return files

    @field_validator("languages")
    @classmethod
    def _known_languages(cls, languages: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if languages is None:
            return None
        if not languages:
            raise ValueError("is empty, so that nothing would be kept; name languages or leave it out")
        return tuple(dict.fromkeys(_code(one) for one in languages))

    @field_validator("language")
    @classmethod
    def _known_language(cls, language: str | None) -> str | None:
        return None if language is None else _code(language)

    @model_validator(mode="before")
    @classmethod
    def _tier_of_reader(cls, tree: Any) -> Any:
        if isinstance(tree, dict) and not tree.get("tier"):
            return {**tree, "tier": "instruction" if tree.get("reader") == "oig" else "clean"}
        return tree

    @model_validator(mode="after")
    def _fits(self) -> Source:
        if bool(self.files) == (self.hub is not None):
            raise ValueError("give either `files` or `hub`, not both or none")
        for option, readers in _OPTION_OF.items():
            if getattr(self, option) != type(self).model_fields[option].default and self.reader not in readers:
                raise ValueError(f"`{option}` is for {', '.join(readers)}; leave it out of {self.reader}")
        if self.reader in PLAIN and self.language is None and self.language_field is None:
            raise ValueError(f"nothing says the language of {self.reader} documents; add `language: hi`, for one")
        if not SAFE_TIER.fullmatch(self.tier):
            raise ValueError(f"tier {self.tier!r} has other signs than lower-case letters, digits, '-' and '_'")
        return self


def _code(tag: str) -> str:
    try:
        return language_of(tag)
    except BadInput as error:
        raise ValueError(str(error)) from None


def read_source(tree: Any, where: str) -> Source:
    """A source from the configuration's YAML. `where` says where it stands, as in `text.yaml: sources.0`.

    Raises `BadInput` naming the key at fault and the nearest known one.
    """
    if not isinstance(tree, Mapping):
        raise BadInput(f"{where} is no mapping; a source has keys such as 'name', 'reader' and 'files'")
    try:
        return Source.model_validate(dict(tree))
    except ValidationError as error:
        raise BadInput(f"{where}: {first_fault(error, Source, {'hub': HubDataset})}") from error
