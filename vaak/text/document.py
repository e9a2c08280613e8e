"""What a source gives, and every way in which a document can leave the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

# Each dropped document has one of these, the first that held, so that read = kept + dropped. In the order of the steps.
REASONS = (
    "unreadable",  # the row is no document: broken JSON, no text field
    "other language",  # the source says it is of a language that the configuration does not ask for
    "too short",
    "wrong language",  # quarantined: its words are of another language than the source says
    "mixed script",  # quarantined
    "romanised",  # quarantined: an Indic language in Latin letters
    "repetition",
    "symbols",
    "too long",
    "exact duplicate",
    "near duplicate",
)

# These are kept aside with their text and scores, for a person to look at.
QUARANTINED = ("wrong language", "mixed script", "romanised")


@dataclass(frozen=True)
class Raw:
    """One row of a source. `document_id` names it within its source: the id that the source gives, or file and row.

    `language` is the code that the source says, None if it says none or one that is not in the table of languages.
    `problem` is one sentence where the row is no document; `text` is empty then.
    """

    text: str
    document_id: str
    language: str | None = None
    problem: str | None = None
