"""Blocks of program code: fenced, or indented and made of code. Verse and dialogue are indented too, and stay."""

from __future__ import annotations

import re
from bisect import bisect_right

_FENCE = re.compile(r" {0,3}(```+|~~~+)([^`\n]*)")
_INLINE = re.compile(r"(?<![\w`])(`+)([^`\n]+)\1(?![\w`])")
_LINES_LOOKED_AT = 200
_LONGEST_CODE_LINE = 400
_INDENTED_LINE = re.compile(r"\n(?: {4}| {0,3}\t)")
_INDENT = re.compile(r"(?: {4}| {0,3}\t)")

_CODE_LINE = re.compile(
    r"[;{}\\]\s*$|^\s*[})\]]+[;,]?\s*$|\)\s*:\s*$|[\w\])]\s*(?:[+*/%&|<>!=-]?=|==|=>|->|:=|::|&&|\|\|)\s*[\w\"'(\[{$-]"
    r"|\w\(\w*\)|\w\([^()]*\)\s*[;{.:]|</?\w+[^<>]*>"
    # English verse begins with "from" and "return" too, so a keyword needs what follows it in a program.
    r"|^\s*(?:from [\w.]+ import\b|import [\w.]+(?: as \w+)?$|(?:def|fn|func|function) \w+\s*[(<]|class \w+\s*[:({]"
    r"|(?:else|try|finally)\s*[:{]$|return(?:;|\s+[\w.]*[(\[_.]|\s+(?:None|True|False|self|\d)|$)"
    r"|(?:sudo|mkdir|chmod|chown|chgrp|curl|wget|apt-get|npm|pip install|git clone|docker run)\b[^?!]*$"
    r"|(?:cd|rm|mv|cp|ls|cat|echo|export) [-./$~\"'*]|#include|#!|//|/\*|\*/|--\s|\$ |>>> |@\w+\s*$|<\?|\"[\w-]+\"\s*:)"
)
_CODE_SIGNS = re.compile(r"[{}()\[\];=<>/\\_$#*+|&^%@~]")
_PROSE_END = re.compile(r"\w[.?!,][\"'”’)]*$|[।॥]\s*$")


def looks_like_code(block: str) -> bool:
    """Whether at least half of the first 200 lines of `block` read as code, and fewer read as prose."""
    lines = [line for line in block.split("\n", _LINES_LOOKED_AT)[:_LINES_LOOKED_AT] if line.strip()]
    code = prose = 0
    for line in lines:
        if _is_dense(line):
            code += 1
        elif _PROSE_END.search(line):  # first, since prose too writes "the item(s)"
            prose += 1
        elif _CODE_LINE.search(line[:_LONGEST_CODE_LINE]):
            code += 1
    return 2 * code >= len(lines) > 0 and code > prose


def without_code(text: str) -> str:
    """`text` without fenced and indented blocks of code; single words between backquotes stay, without the quotes."""
    if ("`" in text and "```" in text) or ("~" in text and "~~~" in text):
        text = _without_fenced(text)
    if _INDENTED_LINE.search(text) or _INDENT.match(text):
        text = _without_indented(text)
    if "`" in text:
        text = _INLINE.sub(_word, text)
    return text


def _is_dense(line: str) -> bool:
    return 5 * len(_CODE_SIGNS.findall(line)) >= len(line.strip()) > 0


def _word(match: re.Match[str]) -> str:
    return match.group(2).strip() or match.group()


def _without_fenced(text: str) -> str:
    lines = text.split("\n")
    fences = {i: match for i, line in enumerate(lines) if (match := _FENCE.fullmatch(line))}
    # A closing fence has nothing behind it.
    closers = {sign: [i for i, m in fences.items() if m[1][0] == sign and not m[2].strip()] for sign in "`~"}
    kept: list[str] = []
    i = 0
    while i < len(lines):
        if i not in fences:
            kept.append(lines[i])
        else:
            ends = closers[fences[i][1][0]]
            place = bisect_right(ends, i)
            if place < len(ends):
                i = ends[place]
            # A fence that nothing closes (a text cut short) goes alone.
            kept.append("")
        i += 1
    return "\n".join(kept)


def _without_indented(text: str) -> str:
    kept: list[str] = []
    block: list[str] = []
    after_empty = True  # an indented block begins behind an empty line
    for line in [*text.split("\n"), "end"]:
        empty = not line or line.isspace()
        indented = not empty and line[0] in " \t" and _INDENT.match(line) is not None
        if (indented and (block or after_empty)) or (block and empty):
            block.append(line)
        else:
            if block:
                kept += [""] if looks_like_code("\n".join(block)) else block
                block = []
            kept.append(line)
        after_empty = empty
    return "\n".join(kept[:-1])
