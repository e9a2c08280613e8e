"""What a check is. One of a single sample is asked of each by itself, wherever that is read; one of the whole corpus is
asked once, of small figures of all examined samples (`vaak.audit.facts`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vaak.audit.item import Item
from vaak.grammar.tokenizer import TextTokenizer
from vaak.grammar.vocabulary import Vocabulary

if TYPE_CHECKING:
    from vaak.audit.facts import Facts


@dataclass(frozen=True)
class KnownCodec:
    """What the checks need of the codec that will decode generated codes: no network, so that it goes to other processes."""

    name: str
    hash: str
    codebook_size: int


@dataclass(frozen=True)
class Around:
    """What the checks know beside the items. A codec or a tokenizer that was not given is None.

    `pieces`: the samples are pieces of flat streams, whose own boundaries nobody knows.
    """

    codebook_size: int | None  # of the corpus, from its manifest
    tokens_per_second: int
    sample_rate: int | None  # hertz that the codec of the corpus hears
    codec: KnownCodec | None
    tokenizer: TextTokenizer | None
    tokenizer_hash: str | None  # of the corpus, from its manifest
    pieces: bool = False

    @cached_property
    def vocabulary(self) -> Vocabulary | None:
        """The id space that training would build from this codec (and a single text id where no tokenizer was given)."""
        size = self.codec.codebook_size if self.codec else self.codebook_size
        if size is None:
            return None
        return self.tokenizer.vocabulary(size) if self.tokenizer else Vocabulary(1, size, 0)


class Verdict(Enum):
    """What a check says of a sample that it finds no fault with."""

    HOLDS = "holds"
    PASSED_BY = "not a sample that this check is about"
    UNKNOWN = "cannot be judged: a field is unknown"


HOLDS, PASSED_BY, UNKNOWN = Verdict.HOLDS, Verdict.PASSED_BY, Verdict.UNKNOWN

# A text says what is wrong with the sample.
ItemCheck = Callable[[Item, Around, Mapping[str, Any]], Verdict | str]


@dataclass(frozen=True)
class Finding:
    """`examined` samples that a check could judge, `evidence`: the ids of those at fault, `detail`: one plain sentence."""

    examined: int
    evidence: tuple[str, ...] = ()
    detail: str = ""


CorpusCheck = Callable[["Facts", Around, Mapping[str, Any]], Finding]
