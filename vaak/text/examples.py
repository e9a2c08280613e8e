"""Documents to look at: the same few for each language and reason, however the work was divided or interrupted."""

from __future__ import annotations

import hashlib
from bisect import insort
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

KEPT = "kept"
SHOWN_CHARACTERS = 600


class _Example(NamedTuple):
    """Ordered by `draw`, which is as good as random, and then by content, so that no order of arrival shows."""

    draw: int
    source: str
    document_id: str
    text: str
    detail: str


class Examples:
    """Keeps the `n` documents of each language and reason whose keyed hash of source and id is the smallest.

    A uniform draw without replacement of those that are added, that depends on nothing else: parts may be added in any
    order, twice, by any number of workers, and merged. `reason` is "kept" or one of `vaak.text.document.REASONS`.
    """

    def __init__(self, seed: int, n: int = 5) -> None:
        self.seed, self.n = seed, n
        self._key = str(seed).encode()
        self._chosen: dict[tuple[str, str], list[_Example]] = {}

    def wanted(self, language: str, reason: str, document_ids: Sequence[str], source: str = "") -> list[int]:
        """Of documents that come together those (by place) that `add` would keep, so that only their texts are made."""
        chosen = self._chosen.get((language, reason), ())
        draws = [self._draw(name, source) for name in document_ids]
        limits = sorted({*draws, *(one.draw for one in chosen)})[: self.n]
        return [i for i, draw in enumerate(draws) if draw <= limits[-1]]

    def add(self, language: str, reason: str, document_id: str, text: str, detail: str = "", source: str = "") -> None:
        """Consider one document. `detail` is what else to show: scores, or the id of the document that was kept."""
        draw = self._draw(document_id, source)
        chosen = self._chosen.setdefault((language, reason), [])
        if len(chosen) < self.n or draw <= chosen[-1].draw:
            shown = text[:SHOWN_CHARACTERS]
            self._keep(chosen, _Example(draw, *map(_writable, (source, document_id, shown, detail))))

    def merge(self, other: Examples) -> None:
        """Take in what another one has chosen. Raises `ValueError` if it draws by another seed or number."""
        if (other.seed, other.n) != (self.seed, self.n):
            raise ValueError(
                f"examples of seed {other.seed}, {other.n} each, do not fit seed {self.seed}, {self.n} each"
            )
        for place, examples in other._chosen.items():
            chosen = self._chosen.setdefault(place, [])
            for example in examples:
                self._keep(chosen, example)

    def rows(self) -> list[dict[str, str]]:
        """One row for each chosen document, by language and reason: what a report shows."""
        return [
            {
                "language": language,
                "source": example.source,
                "reason": reason,
                "document_id": example.document_id,
                "text": example.text,
                "detail": example.detail,
            }
            for (language, reason), examples in sorted(self._chosen.items())
            for example in examples
        ]

    def to_json(self) -> dict[str, Any]:
        chosen = [[*place, [list(one) for one in examples]] for place, examples in sorted(self._chosen.items())]
        return {"seed": self.seed, "n": self.n, "chosen": chosen}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Examples:
        read = cls(written["seed"], written["n"])
        for language, reason, examples in written["chosen"]:
            read._chosen[language, reason] = [_Example(*one) for one in examples]
        return read

    def _draw(self, document_id: str, source: str) -> int:
        name = f"{source}\0{document_id}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(name, digest_size=8, key=self._key).digest(), "little")

    def _keep(self, chosen: list[_Example], example: _Example) -> None:
        if example not in chosen:
            insort(chosen, example)
            del chosen[self.n :]


def _writable(text: str) -> str:
    """Without lone surrogates, which no file can hold."""
    return text.encode("utf-8", "replace").decode()
