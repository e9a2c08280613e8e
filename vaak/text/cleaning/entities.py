"""Character references of HTML: `&amp;`, `&#2361;`, `&amp;lt;`."""

from __future__ import annotations

import html
import re

# Only with the semicolon: without it, the query of an address (`?a=1&copy=2`) reads like one.
_AMPERSAND = r"(?:amp|AMP|#0*38|#[xX]0*26);"
_REFERENCE = re.compile(
    rf"&((?:{_AMPERSAND})*+)(#[0-9]{{1,8}};|#[xX][0-9a-fA-F]{{1,7}};|[A-Za-z][A-Za-z0-9]{{1,31}};)?"
)


def unescaped(text: str) -> str:
    """`text` with references decoded however often they were escaped; unknown names stay as they are."""
    if "&" not in text or ";" not in text:
        return text
    return _REFERENCE.sub(_decoded, text)


def _decoded(match: re.Match[str]) -> str:
    reference = match.group(2)
    return html.unescape("&" + reference) if reference else "&"
