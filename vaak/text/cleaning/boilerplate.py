"""Lines that a page has for its machinery: cookie banners, menus, share buttons, logins, copyright, advertisements."""

from __future__ import annotations

import re

from vaak.text.cleaning.boilerplate_phrases import (
    EDGE,
    HOME,
    LINES,
    PREFIXES,
    SERVICES,
    SHARE_STARTS,
    folded,
    phrase_key,
)

_LONGEST_PHRASE = 48
_LONGEST_LINE = 300  # longer ones are paragraphs

_COPYRIGHT = re.compile(
    r"^\W*(?:copyright|©|\(c\)|कॉपीराइट|কপিরাইট|காப்புரிமை|కాపీరైట్|કૉપિરાઇટ|ಕೃತಿಸ್ವಾಮ್ಯ|പകർപ്പവകാശം|ਕਾਪੀਰਾਈਟ|କପିରାଇଟ୍)"
    r"\W*(?:copyright|©|\(c\))?\W*(?:19|20|१९|२०|২০|௨௦)\d{2}|^\W*©|©\W*\d{4}"
    r"|\b(?:all )?rights reserved\W*(?:\d{4})?$|^powered by \w+",
    re.I,
)
_COOKIES = re.compile(
    r"\b(?:we|this (?:web)?site|(?:our|the) (?:web)?site|our partners|by (?:using|continuing|clicking|browsing)"
    r"|you (?:agree|consent|accept))\b.*\bcookies?\b|\b(?:accept|allow|reject|manage|enable)(?: all| the)? cookies?\b"
    r"|\bcookies?\b.*\b(?:you (?:agree|consent|accept)|(?:our|this) (?:web)?site)\b|^cookie (?:policy|settings|notice)\b",
    re.I,
)
# "This site" or "our site", and the loan word for cookies (which are biscuits elsewhere).
_INDIC_COOKIES = re.compile(
    r"^(?=.*(?:कुकी|কুকি|குக்கீ|కుకీ|કૂકી|ಕುಕೀ|ಕುಕಿ|കുക്കി|ਕੂਕੀ|ਕੁਕੀ|କୁକି))"
    r".*\b(?:इस|हमारी|या|ही|आमची|आमच्या|এই|আমাদের|আমাৰ|இந்த|எங்கள்|ఈ|మా|આ|અમારી|ಈ|ನಮ್ಮ|ഈ|ഞങ്ങളുടെ|ਇਹ|ਇਸ|ਸਾਡੀ|ଏହି|ଆମ)\s"
    r"(?:वेब|साइट|साईट|संकेतस्थळ|ও\S{1,2}েব|সাইট|ৱেব|வலை|இணைய|தள|వెబ్|సైట్|વેબ|સાઇટ|ವೆಬ್|ಸೈಟ್|വെബ്|സൈറ്റ്|ਵੈੱਬ|ਵੈਬ|ਸਾਈਟ|ୱେବ|ସାଇଟ)"
)
_LOGIN = re.compile(
    r"(?:please |you (?:must|need to|have to) (?:be )?|already (?:a member|have an account|registered)\W+)+"
    r"(?:log(?:ged)? ?in|sign(?:ed)? ?in|sign up|register|subscribe)\b"
    r"|(?:log|sign) ?in to (?:continue|read|comment|post|view|reply|your account)\b"
    r"|(?:sign up|subscribe) (?:for|to) (?:our|the) [\w ]*(?:newsletter|channel|updates|emails)\b"
    r"|(?:forgot|lost) (?:your )?password\b",
    re.I,
)
_SHARE = re.compile(
    r"(?:click to |please )?(?:share|tweet|pin|post|follow|like|find|join)(?: us| this| it)?"
    r"(?: (?:article|story|post|page|with your friends))?(?: (?:on|via|by)(?P<services>(?:,? (?:and |or )?[a-z+-]+){1,6}))?"
    r"(?: \(opens in new window)?"
)

# A text is searched only for the patterns whose word it has.
_PATTERNS = (
    ("cookie", _COOKIES),
    *((word, _COPYRIGHT) for word in ("(c)", "copyright", "rights reserved", "powered by")),
    ("©", _COPYRIGHT),
    *((word, _INDIC_COOKIES) for word in ("कुकी", "কুকি", "குக்கீ", "కుకీ", "કૂકી", "ಕುಕ", "കുക്കി", "ਕੂਕੀ", "ਕੁਕੀ", "କୁକି")),
    *((word, _COPYRIGHT) for word in ("कॉपीर", "কপির", "காப்புர", "కాపీర", "કૉપિર", "ಕೃತಿಸ್ವ", "പകർപ്പ", "ਕਾਪੀਰ", "କପିର")),
)
# Any of their words, in the cases of which `str.lower` makes them (the sign of Kelvin becomes a k). Where few letters are
# Latin this is faster than one word after the other; each begins with a letter, not a class, to be found by it.
_CASES = {char: f"[{char}{char.upper()}]" for char in "abcdefghijlmnopqrstuvwxyz"} | {"k": "[kK\u212a]"}
_WORD = re.compile(
    "|".join(
        re.escape(first) + "".join(_CASES.get(char, re.escape(char)) for char in word[1:])
        for word, _ in _PATTERNS
        for first in (word[0], word[0].upper())
    )
)
_LOGIN_STARTS = frozenset("PpYyAaSsFfLl")
_HOST_LINE = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.){1,5}(?:com|org|net|in|co|info|edu|gov|io|me|tv|ai|news|live)", re.I)
_RULE = re.compile(r"[-_=*~#+•·—–\s|]{3,}")
_MENU = re.compile(r"\s*(?:\||•|·|»|›|→)\s*|\s+[/>]\s+")
_SPEECH = frozenset("\"“‘'")  # what dialogue begins with: “Home.” is an answer there
_MENU_SIGNS = {"|": "|", "•": "•", "·": "·", "»": "»", "›": "›", "→": "→", ">": " > ", "/": " / "}


def without_boilerplate(text: str, looked_at: set[str] | None = None) -> str:
    """`text` without the lines that are boilerplate as a whole; a sentence that mentions cookies stays.

    Whether a line goes does not depend on the others. `looked_at` holds lines that are known to stay and gains those
    that do, so that a second look is at new lines only.
    """
    looked_at = set() if looked_at is None else looked_at
    lines = text.split("\n")
    short = [*({line for line in lines if 0 < len(line) <= _LONGEST_LINE} - looked_at)]
    if not short:
        return text
    dropped = _phrases(short) | _found(short, "\n".join(short))
    looked_at.update(short)
    looked_at -= dropped
    if not dropped:
        return text
    return "\n".join([line for line in lines if line not in dropped])


def _phrases(lines: list[str]) -> set[str]:
    """Those of `lines` that are a phrase of the tables and nothing else, a rule, a row of share buttons or a host."""
    lines = [line for line in lines if len(line) <= _LONGEST_PHRASE and line[0] not in _SPEECH]
    if not lines:
        return set()
    found: set[str] = set()
    for line, key in zip(lines, folded("\n".join(lines)).split("\n"), strict=True):
        key = key.strip(EDGE)
        if (
            key in LINES
            or (key == "" and _RULE.fullmatch(line))
            or (key.split(" ", 1)[0] in SHARE_STARTS and _is_share(key))
            or ("." in key and " " not in key and _HOST_LINE.fullmatch(line.strip()))
        ):
            found.add(line)
    return found


def _found(lines: list[str], together: str) -> set[str]:
    """Those of `lines` that a pattern finds; `together` is all of them, since most texts need no look at each."""
    found = {line for line in lines if line[0] in _LOGIN_STARTS and _LOGIN.match(line)}
    if together.isascii() or _WORD.search(together):
        lower = together.lower()
        for word, pattern in _PATTERNS:
            if word in lower:
                found.update(line for line in lines if word in line.lower() and pattern.search(line))
    if ":" in together:
        heads = [(line, line[:_LONGEST_PHRASE].partition(":")) for line in lines if ":" in line]
        found.update(line for line, (head, colon, _) in heads if colon and phrase_key(head) in PREFIXES)
    for char, sign in _MENU_SIGNS.items():
        if char in together and sign in together:
            found.update(line for line in lines if sign in line and _is_menu(line))
    return found


def _is_share(key: str) -> bool:
    words = key.split()
    if len(words) > 1 and all(word.strip(",|/") in SERVICES for word in words):
        return True
    match = _SHARE.fullmatch(key)
    if match is None or not match["services"]:
        return False
    named = re.findall(r"[a-z+-]+", match["services"])
    return all(word in SERVICES or word in ("and", "or") for word in named)


def _is_menu(line: str) -> bool:
    """Three or more short entries with signs between, or a path from the home page."""
    entries = [entry for entry in _MENU.split(line.strip().strip("|•·»›→> ")) if entry]
    if len(entries) < 2 or any(len(entry.split()) > 3 or len(entry) > 40 for entry in entries):
        return len(entries) > 1 and phrase_key(entries[0]) in HOME
    if phrase_key(entries[0]) in HOME:
        return True
    if not all(any(char.isalpha() for char in entry) for entry in entries) or line.rstrip().endswith(
        (".", "?", "!", "।", "॥", "|")
    ):
        return False
    return len(entries) >= 3 and not re.search(r"\s[/>]\s", line)
