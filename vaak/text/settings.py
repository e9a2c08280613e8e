"""The configuration of a text build: which sources, what is done to them, and where the corpus goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from vaak.errors import BadInput
from vaak.languages import LANGUAGES
from vaak.text.faults import first_fault
from vaak.text.numbers.numerals import Policy
from vaak.text.sources import Source, read_source

MIN_CHARACTERS = 128
MAX_TOKENS = 4096


class Scale(BaseModel):
    """Where the inputs are prepared when one machine is too little: `tasks` of `datatrove` on one of its executors.

    options: given to the executor as they are, such as Slurm's `time`, `partition`, `cpus_per_task`, `sbatch_args`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    executor: Literal["local", "slurm", "ray"]
    tasks: Annotated[int, Field(gt=0)]
    options: dict[str, Any] = {}


class TextSettings(BaseModel):
    """One text build. Paths are relative to the file that it was read from.

    corpus: folder of the new corpus.
    tokenizer: `tokenizer.json` of the base model, or its folder.
    numerals: `keep`, `native` (digits of the language's script) or `words`, for all languages or for each.
    min_characters, max_tokens: shorter and longer documents are dropped (SPEC T2); the end-of-text id is not counted.
    held_out: share of the kept documents that no training row ever holds, chosen by their hash.
    seed: chooses the examples of the report.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    corpus: Path
    name: str | None = None
    tokenizer: Path
    sources: tuple[Source, ...]
    numerals: Policy | dict[str, Policy] = "keep"
    min_characters: Annotated[int, Field(ge=1)] = MIN_CHARACTERS
    max_tokens: Annotated[int, Field(ge=1)] = MAX_TOKENS
    held_out: Annotated[float, Field(ge=0, lt=1)] = 0.001
    seed: Annotated[int, Field(ge=0)] = 0
    scale: Scale | None = None
    _folder: Path = PrivateAttr(Path("."))

    @property
    def folder(self) -> Path:
        """Where relative paths of the sources begin: the folder of the file that this was read from."""
        return self._folder

    @model_validator(mode="after")
    def _holds_together(self) -> TextSettings:
        if not self.sources:
            raise ValueError("name at least one source under 'sources'")
        names = [one.name for one in self.sources]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"source {twice[0]!r} stands twice; put its files into one entry, or give it its own name")
        if isinstance(self.numerals, dict):
            for tag in self.numerals:
                if tag not in LANGUAGES:
                    raise ValueError(f"numerals names {tag!r}; the languages are {', '.join(LANGUAGES)}")
        return self

    def policy(self, language: str) -> Policy:
        """What becomes of numerals in a language; those that a table does not name are kept."""
        return self.numerals.get(language, "keep") if isinstance(self.numerals, dict) else self.numerals


def load_settings(path: str | Path) -> TextSettings:
    """Read a configuration. Raises `BadInput` naming the key at fault and the nearest known one."""
    path = Path(path)
    try:
        tree: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(
            f"{path}: cannot be read as YAML ({str(error).splitlines()[0]}); give a text configuration"
        ) from error
    if not isinstance(tree, dict):
        raise BadInput(f"{path}: is not a mapping; it has keys such as 'corpus', 'tokenizer' and 'sources'")
    if isinstance(tree.get("sources"), list):
        tree = {**tree, "sources": [read_source(one, f"{path}: sources.{i}") for i, one in enumerate(tree["sources"])]}
    try:
        settings = TextSettings.model_validate(tree)
    except ValidationError as error:
        raise BadInput(f"{path}: {first_fault(error, TextSettings, {'scale': Scale})}") from error
    folder = path.resolve().parent
    settings = settings.model_copy(
        update={"corpus": folder / settings.corpus.expanduser(), "tokenizer": folder / settings.tokenizer.expanduser()}
    )
    settings._folder = folder
    return settings
