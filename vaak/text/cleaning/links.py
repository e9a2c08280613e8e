"""Addresses of pages and mail. In a sentence the host name stays, for a sentence needs its noun; elsewhere they go."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOP_LEVEL = (
    "com|org|net|edu|gov|mil|int|info|biz|co|in|uk|us|io|ai|dev|app|me|tv|ly|be|gl|gd|fm|ru|de|fr|es|it|nl|eu|cn|jp|kr"
    "|au|ca|br|sg|my|ae|pk|bd|lk|np|xyz|online|site|tech|blog|news|shop|store|club|live|bharat"
)
# Host names that say nothing: of shortened addresses.
_SHORTENERS = {
    "t.co",
    "bit.ly",
    "goo.gl",
    "tinyurl.com",
    "ow.ly",
    "fb.me",
    "amzn.to",
    "is.gd",
    "buff.ly",
    "dlvr.it",
    "lnkd.in",
    "wp.me",
}

_SIGN = r"[^\s<>\"“”‘’«»।॥(){}\[\]|`^\\]"
_REST = rf"(?:{_SIGN}|\([^\s()<>\[\]]*\))"
_LABEL = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"
_LABELS = rf"(?:{_LABEL}\.)+"
_URL = rf"(?:[hH][tT]{{2}}[pP][sS]?|[fF][tT][pP][sS]?|sftp|file|wss?|rtsp|rtmp|ssh|git|ldap)://{_REST}*"
_WWW = rf"(?<![A-Za-z0-9.-])[wW]{{3}}\.(?=[^\W_]){_REST}+"
_MAIL = rf"(?:mailto:)?(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{{1,64}}@{_LABELS}[A-Za-z]{{2,24}}"
_PATH = rf"(?<![A-Za-z0-9@.-])(?:{_LABEL}\.)+(?:{_TOP_LEVEL})(?::\d{{1,5}})?/{_REST}*"
_LINK = re.compile(f"{_URL}|{_WWW}|{_MAIL}|{_PATH}")
# Every address has one of these, or the end of a host name and a slash; only the words around them are looked at closely.
_TRIGGERS = (("/", "://"), ("@", "@"), ("w", "www."), ("W", "WWW."), ("W", "Www."))
_END_OF_HOST = re.compile(rf"\.(?:{_TOP_LEVEL})(?::\d{{1,5}})?/")
_LONGEST_END = 16
_LONGEST_START = 80  # characters of an address before its trigger
_SPACE = re.compile(r"\s|\Z")

_MARKDOWN = re.compile(
    r"(!?)\[([^\[\]\n]*)\]\([ \t]*<?((?:[^()\s<>]|\([^()\s<>]*\))*)>?(?:[ \t]+[\"'][^\"'\n()\[]*[\"'])?[ \t]*\)"
)
_REFERENCE = re.compile(rf"^ {{0,3}}\[[^\[\]\n]{{1,80}}\]:[ \t]+<?(?:{_URL}|{_WWW}|{_PATH}|#)[^\n]*$", re.M)
_WIKI = re.compile(rf"\[(?:{_URL}|//{_REST}+)[ \t]+([^\[\]\n]+)\]")
_FORUM_LINK = re.compile(r"\[/?url(?:=[^\[\]\n]*)?\]|\[img\][^\[\]\n]*\[/img\]", re.I)

_HOST = re.compile(rf"(?:{_LABELS})[A-Za-z]{{2,24}}")
_SCHEME = re.compile(r"(?:[A-Za-z]+://|mailto:)?(?:[^/@\s]*@)?(?:[wW]{3}\.)?")
_TRAILING = ".,;:!?'*_~-…"
# Words that need the name behind them; an address that ends a line behind any other word was put there.
_GOVERNS = re.compile(
    r"\b(?:at|to|on|from|see|visit|via|in|is|of|or|and|through|by|called|website|site|with|for)$", re.I
)


def without_links(text: str) -> str:
    """`text` without addresses; one inside a sentence leaves its host name (`Visit example.com for more.`).

    A host name alone, without scheme, `www.` or path, is a name that people say, and stays. Links of Markdown,
    forums and wikis leave their words, images nothing. Brackets that held only an address go with it, and so does its label on a line
    of its own (`Source: https://…`).
    """
    if "[" in text:
        text = _without_bracketed(text)
    places = _places(text)
    return _without_addresses(text, places) if places else text


def _without_bracketed(text: str) -> str:
    if "](" in text:
        text = _MARKDOWN.sub(_words, text)
    if "]:" in text:
        text = _REFERENCE.sub("", text)
    if "[/" in text or "[url" in text:
        text = _FORUM_LINK.sub("", text)
    if "//" in text:
        text = _WIKI.sub(r"\1", text)
    return text


def _places(text: str) -> list[int]:
    """Where the triggers of addresses begin, in order."""
    places: list[int] = []
    for rare, trigger in _TRIGGERS:
        place = text.find(trigger) if rare in text else -1  # one letter is found much faster than several
        while place >= 0:
            places.append(place)
            place = text.find(trigger, place + len(trigger))
    slash = text.find("/")
    while slash >= 0:
        dot = text.rfind(".", max(slash - _LONGEST_END, 0), slash)
        if dot >= 0 and (end := _END_OF_HOST.match(text, dot)) and end.end() == slash + 1:
            places.append(dot)
        slash = text.find("/", slash + 1)
    return sorted(places)


def _words(match: re.Match[str]) -> str:
    image, words, target = match.groups()
    if target and not re.search(r"[./#:]", target):
        return match.group()
    return "" if image else words


def _without_addresses(text: str, places: list[int]) -> str:
    kept: list[str] = []
    position = 0
    for start, end in _addresses(text, places):
        if start < position:
            continue
        address = text[start:end]
        line = text[max(start - 60, position, 0) : start].rpartition("\n")[2].rstrip(" \t")
        after = text[end : end + 40].lstrip(" \t")
        before = text[position:start]
        bracketed = line[-1:] + after[:1] in ("()", "[]", "{}", "<>")
        host = "" if bracketed else _host(address)
        if host and _in_sentence(line, after):
            kept += [before, host]
        else:
            if bracketed:
                before, line = before.rstrip(" \t")[:-1], line[:-1].rstrip(" \t")
                end = text.index(after[0], end) + 1
                after = text[end : end + 40].lstrip(" \t")
            kept.append(_joined(before, line, after))
            if line[-1:] in ("", ".", "?", "!", "।", ":") and text[end : end + 1] in (".", ",", ";", ":"):
                end += 1
        position = end
    kept.append(text[position:])
    return "".join(kept)


def _addresses(text: str, places: list[int]) -> Iterator[tuple[int, int]]:
    """Start and end of each address, without the punctuation of the sentence behind it."""
    position = word_end = 0
    for place in places:
        if place < position:
            continue
        window = text[max(position, place - _LONGEST_START) : place]
        start = place - len(window) + max(window.rfind(" "), window.rfind("\n"), window.rfind("\t")) + 1
        if place >= word_end:  # several addresses may stand in one word
            word_end = _SPACE.search(text, place).start()  # pyright: ignore[reportOptionalMemberAccess] - \Z matches
        link = _LINK.search(text, start, word_end)
        if link is None:
            position = word_end
            continue
        position = link.end()
        yield link.start(), link.start() + max(len(link.group().rstrip(_TRAILING)), 1)


def _host(address: str) -> str:
    """The host name that a person would say, empty if the address has none."""
    place = _SCHEME.match(address)
    host = _HOST.match(address, place.end() if place else 0)
    return "" if host is None or host.group().lower() in _SHORTENERS else host.group()


def _in_sentence(line: str, after: str) -> bool:
    """Whether an address is a word of a sentence, from the `line` before it and the text `after` it."""
    last, first = line[-1:], after[:1]
    goes_on = first.isalpha() and not first.isupper()
    if not (last.isalnum() or last in ",'’\"”" or last >= "\u0900") or last in ("", "।", "॥"):
        return goes_on
    if first in ("", "\n") or first.isupper():
        return bool(_GOVERNS.search(line))
    return True


def _joined(before: str, line: str, after: str) -> str:
    """The text before a removed address, without the space or the label that stood there for it."""
    first = after[:1]
    if first in ("", "\n") and line.endswith(":"):
        label = before[before.rfind("\n") + 1 :]
        if len(label) <= 40 and len(label.split()) <= 3:
            return before[: len(before) - len(label)]
    return before.rstrip(" \t") if first in (".", ",", ";", ":", "!", "?", ")", "]", "।", "\n") and first else before
