"""What a check is: a function of the examined items and of what is known around them, that returns what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vaak.audit.sampling import Item
from vaak.codec import Codec
from vaak.grammar.tokenizer import TextTokenizer
from vaak.grammar.vocabulary import Vocabulary


@dataclass(frozen=True)
class Around:
    """What the checks know beside the items. A codec or a tokenizer that was not given is None."""

    codebook_size: int | None  # of the corpus, from its manifest
    tokens_per_second: int
    codec: Codec | None
    tokenizer: TextTokenizer | None
    tokenizer_hash: str | None  # of the corpus, from its manifest

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The id space that training would build from this codec (and a single text id where no tokenizer was given)."""
        size = self.codec.codebook_size if self.codec else self.codebook_size
        if size is None:
            return None
        return self.tokenizer.vocabulary(size) if self.tokenizer else Vocabulary(1, size, 0)


@dataclass(frozen=True)
class Finding:
    """`examined` items that the check could judge, `evidence`: the ids of those at fault, `detail`: one plain sentence."""

    examined: int
    evidence: tuple[str, ...] = ()
    detail: str = ""


CheckFunction = Callable[[Sequence[Item], Around, Mapping[str, Any]], Finding]


def judged(items: Iterable[Item], at_fault: Callable[[Item], str | None], skipped: str = "") -> Finding:
    """Apply `at_fault` to each item: a text says what is wrong with it (the first one becomes the detail), None: nothing."""
    examined, evidence, example = 0, [], ""
    for item in items:
        examined += 1
        wrong = at_fault(item)
        if wrong is not None:
            evidence.append(item.sample.sample_id)
            example = example or f"{item.sample.sample_id}: {wrong}"
    return Finding(examined, tuple(evidence), "; ".join(part for part in (example, skipped) if part))
