"""UTF-8 that was once read in another encoding: `à¤¹à¤¿à¤‚à¤¦à¥€` for हिंदी, `donâ€™t` for don’t."""

from __future__ import annotations

import re

from ftfy import fix_encoding  # pyright: ignore[reportMissingImports]
from ftfy.badness import is_bad  # pyright: ignore[reportMissingImports]

_CP1252 = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"  # how that encoding reads 80 to 9f
# A first byte of UTF-8 and one that follows it, read one by one. Whatever has none is not asked about.
_PAIR = re.compile(f"[\xc2-\xf4][\x80-\xbf{_CP1252}]")
# The same for the nine Indic blocks (E0 A4 to E0 B5), which no other text has: the detector need not be sure.
_INDIC = re.compile(f"à[¤-µ][\x80-\xbf{_CP1252}]")


def repaired(text: str) -> str:
    """`text` with the lines repaired in which ftfy's detector finds UTF-8 that was read as cp1252 or Latin-1.

    Line by line, because a document that quotes one bad line is otherwise whole.
    """
    # U+00C2 to U+00F4 begin with this byte; Indic text without mojibake has none of them.
    if text.isascii() or b"\xc3" not in text.encode("utf-8", "surrogatepass") or not _PAIR.search(text):
        return text
    return "\n".join([fix_encoding(line) if _is_bad(line) else line for line in text.split("\n")])


def _is_bad(line: str) -> bool:
    return bool(_PAIR.search(line)) and (bool(_INDIC.search(line)) or is_bad(line))
