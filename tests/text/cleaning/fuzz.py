"""Strings that no step of the text pipeline may stumble over: noise, pieces of markup, broken and real sentences."""

from __future__ import annotations

import random
from collections.abc import Iterator

from vaak.languages import SCRIPTS

SENTENCES = (
    "The village lies on the north bank, and most of its people live by growing rice.",
    "गाँव नदी के उत्तरी किनारे पर बसा है और लोग धान की खेती करते हैं।",
    "গ্রামটি নদীর উত্তর তীরে অবস্থিত এবং মানুষ ধান চাষ করে।",
    "கிராமம் ஆற்றின் வடகரையில் உள்ளது, மக்கள் நெல் பயிரிடுகிறார்கள்.",
    "ఆ గ్రామం నది ఉత్తర ఒడ్డున ఉంది, ప్రజలు వరి పండిస్తారు.",
    "गाव नदीच्या उत्तर काठावर वसलेले आहे आणि लोक भाताची शेती करतात.",
    "ગામ નદીના ઉત્તર કાંઠે વસેલું છે અને લોકો ડાંગરની ખેતી કરે છે.",
    "ಹಳ್ಳಿಯು ನದಿಯ ಉತ್ತರ ದಂಡೆಯಲ್ಲಿದೆ ಮತ್ತು ಜನರು ಭತ್ತ ಬೆಳೆಯುತ್ತಾರೆ.",
    "ഗ്രാമം നദിയുടെ വടക്കേ കരയിലാണ്, ആളുകൾ നെല്ല് കൃഷി ചെയ്യുന്നു.",
    "ਪਿੰਡ ਦਰਿਆ ਦੇ ਉੱਤਰੀ ਕੰਢੇ ਉੱਤੇ ਵੱਸਿਆ ਹੈ ਅਤੇ ਲੋਕ ਝੋਨਾ ਬੀਜਦੇ ਹਨ।",
    "ଗାଁଟି ନଦୀର ଉତ୍ତର କୂଳରେ ଅଛି ଏବଂ ଲୋକେ ଧାନ ଚାଷ କରନ୍ତି।",
    "গাঁওখন নদীৰ উত্তৰ পাৰত আছে আৰু মানুহে ধান খেতি কৰে।",
)

MARKUP = (
    *("<", ">", "</", "/>", "<b>", "</b>", "<p", "<div>", "</div>", "<br/>", "<pre>", "</pre>", "<code>", "</code>"),
    *("<table>", "<tr>", "<td>", "</table>", "<nav>", "</nav>", "<script>", "</script>", "<!--", "-->", "<![CDATA["),
    *("<a href='x'>", '<a title="', "<sarcasm>", "<sup>[", "<ul><li>", "</li>", "<style", "<!doctype html>", "<3", "<-"),
    *("&", "&amp;", "&lt;", "&gt;", "&amp;amp;lt;", "&#60;", "&#x3c;", "&#38;", "&#0;", "&#x110000;", "&nbsp;", "&copy"),
    *("amp;", "lt;", "#38;", ";", "&#224;&#164;&#185;", "&notit;", "&#133;"),
    *("`", "```", "```python\n", "~~~", "\n```\n", "``", "    x = f(y);\n", "\tdef f():\n", "\n    ", "{", "}", "() => {"),
    *("|", "||", " | ", "|---|", "\n| a | b |\n", "\t", "a\tb\n", "+--+--+", "\n---\n", "Home » ", " • ", " > ", " / "),
    *("http://", "https://x.com/a_(b)", "HTTP://", "www.", "WWW.a", "a@b.co", "@", "mailto:", "x.com/", ".com/", "://", "t.co/"),
    *("[", "](", ")", "[]", "()", "![", "[x](http://y.in)", "[1]: http://z", "[url=", "[/url]", "Source: ", "(", " )"),
    *("Ã©", "â€™", "â€", "à¤¹", "à¤", "à¥\x8d", "Â\xa0", "Ã", "ï»¿", "à²•à²¨", "Ãƒ", "ÃÂ©", "©", "é", "\x8d", "€"),
    *("Read more", "और पढ़ें", "Advertisement\n", "© 2020", "All rights reserved", "We use cookies", "Share on ", "Facebook"),
    *("\n", "\n\n", "\n\n\n", "\r\n", "\r", " ", "  ", "\x0b", "\x0c", "\x85", "\u2028", "\x00", "\x1b[0m", "\x7f"),
    *("\xa0", "\xad", "\u200b", "\u200c", "\u200d", "\u200e", "\ufeff", "\ufffd", "\ufffe", "\U0001f468\u200d\U0001f469"),
    *("\ud83d", "\ude00", "\ud83d\ude00", "\ue000", "\u0300", "\u0338", "\u037e", "\u1fef", "\u212a", "\u0344", "İ", "ß", "ǆ"),
    *("।", "॥", "\u093c", "\u094d", "\u09be", "\u0bd7", "ऄ", "क़", "ൻ", "ന്‍", "“", "”", "‘", "’", "–", "—", "…", "₹", "1,00,000"),
)  # fmt: skip


def strings(seed: int, n: int) -> Iterator[str]:
    """`n` strings, the same for the same `seed`, of 0 to a few hundred code points, lone surrogates among them."""
    rng = random.Random(seed)
    kinds = (_noise, _indic, _fragments, _fragments, _mutated, _mixture)
    for _ in range(n):
        yield rng.choice(kinds)(rng)


def _noise(rng: random.Random) -> str:
    """Code points of every plane, the lower ones more often."""
    highest = rng.choice((0x80, 0x100, 0x3000, 0x10000, 0x110000))
    return "".join([chr(rng.randrange(highest)) for _ in range(rng.randrange(60))])


def _indic(rng: random.Random) -> str:
    """Letters and signs of one or two scripts in any order, with joiners and spaces between."""
    blocks = rng.sample(sorted(SCRIPTS.values()), rng.choice((1, 1, 2)))
    pieces = [chr(rng.randint(*rng.choice(blocks))) for _ in range(rng.randrange(60))]
    for _ in range(rng.randrange(8)):
        pieces.insert(rng.randint(0, len(pieces)), rng.choice((" ", "\u200c", "\u200d", "।", "\n", "\u093c")))
    return "".join(pieces)


def _fragments(rng: random.Random) -> str:
    pieces = [rng.choice(MARKUP) for _ in range(rng.randrange(1, 14))]
    return "".join(pieces) if rng.random() < 0.8 else "".join(pieces * 3)


def _mutated(rng: random.Random) -> str:
    """A real sentence, or two lines of it, with characters lost, doubled, swapped, or read in another encoding."""
    text = rng.choice(("", "\n", " ")).join(rng.choices(SENTENCES, k=rng.choice((1, 1, 2))))
    if rng.random() < 0.15:
        return text.encode().decode(rng.choice(("latin-1", "cp1252")), "replace")
    characters = list(text)
    for _ in range(rng.randrange(6)):
        place = rng.randrange(len(characters))
        characters[place] = rng.choice(("", characters[place] * 2, rng.choice(MARKUP), chr(rng.randrange(0x110000))))
    start = rng.randrange(len(characters))
    return "".join(characters[start : start + rng.randrange(200)])


def _mixture(rng: random.Random) -> str:
    parts = [rng.choice((_noise, _indic, _fragments, _mutated))(rng) for _ in range(rng.randrange(2, 5))]
    return rng.choice(("", " ", "\n", "\n\n")).join(parts)
