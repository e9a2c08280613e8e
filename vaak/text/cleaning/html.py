"""HTML to text in one walk over its tags. Only known names are tags: `a < b`, `<3` and `<sarcasm>` are text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from vaak.text.cleaning.code import looks_like_code
from vaak.text.cleaning.tables import is_prose


def _names(line: str) -> frozenset[str]:
    return frozenset(line.split())


_INLINE = _names(
    "a abbr acronym b bdi bdo big blink cite code data del dfn em font i img input ins kbd label link map area mark meta "
    "meter nobr nowiki output param progress q rb rp rt rtc ruby s samp slot small source span strike strong sub sup time track "
    "tt u var wbr base basefont embed col colgroup"
)
_LIGHT = _names("a b big em font i s small strong tt u")  # most tags of a page, and none changes what is done
_LINE = _names(
    "address article aside body br button caption center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer form frame frameset head header hgroup html legend li main menu nav option optgroup select datalist section "
    "summary tbody td template tfoot th thead title tr noscript object canvas audio video svg picture applet"
)
_PARAGRAPH = _names("p h1 h2 h3 h4 h5 h6 blockquote ul ol table hr pre listing")
_RAW = _names("script style textarea iframe noframes noembed xmp")  # what is inside is not HTML
_BLOCKS = (_LINE | _PARAGRAPH) - {"html", "body"}
_KNOWN = _INLINE | _LINE | _PARAGRAPH | _RAW
# Of manuals in DocBook and Mallard. In prose some of them name what a reader fills in (`cp <file>`): they are tags only
# where they have attributes or are closed somewhere.
_MANUAL = _names(
    "app application arg chapter cmd cmdsynopsis code command computeroutput desc email emphasis envar file filename "
    "firstterm footnote gui guibutton guiicon guilabel guimenu guimenuitem guiseq guisubmenu informaltable inlinegraphic "
    "inlinemediaobject imagedata imageobject info interface item itemizedlist key keycap keycombo keyseq link listitem "
    "literal media mediaobject menuchoice note option orderedlist output page para parameter phrase procedure "
    "productname programlisting prompt quote replaceable revision screen sect1 sect2 sect3 simplesect step steps "
    "synopsis sys systemitem tag term terms textobject tip ulink userinput variablelist varlistentry varname warning xref"
)
_VOID = _names("area base basefont br col embed frame hr img input meta param source track wbr")
# Their end tags may be left out; whatever follows ends them, so they are not waited for.
_OPTIONAL_END = _names("p li dt dd tr thead tbody tfoot option optgroup rb rp rt rtc colgroup")
# Not the text of the page but what stands around it.
_AROUND = _names(
    "head nav footer aside menu dialog template noscript object canvas audio video svg select datalist button rp rt "
    "applet"
)
_AROUND_ATTRIBUTE = re.compile(
    r"(?:class|id|role)\s*=\s*[\"']?[^\"'>]*\b(?:navigation|navbar|breadcrumbs?|cookies?|share|sharing|social|sidebar"
    r"|advert\w*|newsletter)\b|display\s*:\s*none",
    re.I,
)
_FOREIGN = re.compile(r"(?:amp-|fb:|g:|m:|o:|st1:|v:|w:)[\w-]+", re.I)  # Word's and AMP's own elements
_BARE_ATTRIBUTES = _names(
    "/ allowfullscreen async autofocus autoplay checked compact controls crossorigin default defer disabled download "
    "hidden itemscope loop multiple muted nomodule noresize noshade novalidate nowrap open readonly required reversed "
    "scoped selected"
)

# Never looks beyond the next `<`, so that any number of half tags takes linear time.
_TAG = re.compile(
    r"<(/?)([A-Za-z][A-Za-z0-9:-]*)(?=[\s/>])((?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+(?=>)|[^<>]*+)(>|\Z)"
)
_END_TAG = re.compile(r"</([A-Za-z][A-Za-z0-9]*)\s*>")
_RAW_START = re.compile(rf"<!--|<({'|'.join(sorted(_RAW))})(?=[\s/>])[^<>]*>", re.I)
_DECLARATION = re.compile(r"<!doctype\b[^<>]*>|<\?xml\b[^<>]*>|<!\[(?:CDATA\[|(?:end)?if\b[^<>\]]*\]>)|\]\]>", re.I)
_NAMED_VALUE = re.compile(r"[\w:.-]\s*=(?!=)")
_SAME_BREAK = re.compile(r"\A[ \t\r]*\n")
_LINE_BREAK = re.compile(r"[ \t\r]*\n[ \t\r\n]*")


@dataclass(slots=True)
class _Open:
    """An element whose end is awaited: `start` is where its text begins in the output."""

    name: str
    start: int
    around: bool = False
    is_code: bool = False  # of `pre`: holds `code`, or its class says so
    cells: list[str] | None = None  # of `table`: texts of its cells; None once it holds another table
    cell_start: int | None = None


@dataclass(slots=True)
class _Walk:
    out: list[str] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    blocks: int = 0  # open elements that are not inline
    after_br: bool = False  # nothing but the end of a source line may have come since
    in_item: bool = False  # behind the start of a paragraph, an item or a cell, which nothing may end


def html_to_text(text: str) -> str:
    """The text of `text` if it holds tags, else `text`: blocks become lines, data tables and code blocks go.

    Inside a block a line break is a space, as browsers have it; outside (a text with a few tags in it) it stays. What
    stands around a page's text (navigation, footers, forms' buttons, hidden parts) goes if its element is closed; the
    unclosed is kept, since everything would be inside it. A table stays, a cell per line, where most of it is prose.
    """
    if "<" not in text:
        return text
    text = _without_raw(text)
    walk, position, found = _Walk(), 0, False
    closed = {name.lower() for name in _END_TAG.findall(text)}
    for match in _TAG.finditer(text):
        closing, name, attributes, end = match.groups()
        name = name.lower()
        if not (name in _KNOWN and end == ">" and attributes == "") and not _is_tag(
            name, closing, attributes, end, name in closed
        ):
            continue
        found = True
        _add_text(walk, text[position : match.start()])
        position = match.end()
        if closing:
            _end(walk, name)
        else:
            _start(walk, name, attributes)
    if not found:
        return text
    _add_text(walk, text[position:])
    while walk.open:
        element = walk.open[-1]
        element.around = element.is_code = False  # never closed: it would be the rest of the document
        _close_last(walk)
    return "".join(walk.out)


def _is_tag(name: str, closing: str, attributes: str, end: str, is_closed: bool) -> bool:
    if name in _MANUAL and name not in _KNOWN:
        if not (is_closed or attributes.strip()):
            return False
    elif name not in _KNOWN and not ((":" in name or "-" in name) and _FOREIGN.fullmatch(name)):
        return False
    if end == ">" and (attributes == "" or attributes.isspace()):
        return True
    if closing:
        return False
    if _NAMED_VALUE.search(attributes):
        return True
    return end == ">" and all(word.lower() in _BARE_ATTRIBUTES for word in attributes.replace("/", " / ").split())


def _without_raw(text: str) -> str:
    """`text` without comments, scripts, styles and declarations; one that is not closed loses its start tag only."""
    if "<!" in text or "<?" in text:
        text = _DECLARATION.sub("", text)
    kept, position, unclosed = [], 0, set()
    while match := _RAW_START.search(text, position):
        name = (match.group(1) or "").lower()
        end = None
        if name not in unclosed:
            close = re.compile(rf"</{name}\s*>", re.I) if name else re.compile("-->")
            end = close.search(text, match.end())
        if end is None:
            unclosed.add(name)
        kept.append(text[position : match.start()])
        position = end.end() if end else match.end()
    kept.append(text[position:])
    return "".join(kept)


def _add_text(walk: _Walk, chunk: str) -> None:
    if not chunk:
        return
    if walk.after_br:  # the line break of the source behind it is the same break
        chunk = _SAME_BREAK.sub("", chunk, count=1)
        walk.after_br = False
    if (walk.blocks or walk.in_item) and "\n" in chunk and not walk.counts.get("pre"):
        paragraphs = chunk.split("\n\n") if chunk.strip() else [chunk]
        chunk = "\n\n".join([_LINE_BREAK.sub(" ", paragraph) for paragraph in paragraphs])
    walk.out.append(chunk)


def _start(walk: _Walk, name: str, attributes: str) -> None:
    if name in _LIGHT and (attributes == "" or not _AROUND_ATTRIBUTE.search(attributes)):
        walk.after_br = False
        return
    _break(walk, name)
    if name in _BLOCKS and name not in _VOID:
        walk.in_item = name in _OPTIONAL_END or name in ("td", "th")
    if name in ("td", "th", "tr") and walk.counts.get("table"):
        _end_cell(walk, begins=name != "tr")
    if attributes.endswith("/") and name in _MANUAL:
        return
    if name in _VOID or name in _OPTIONAL_END or name in ("td", "th") or name in _RAW:
        return
    if name == "body":
        _end(walk, "head")
    element = _Open(name, len(walk.out))
    element.around = name in _AROUND or (attributes != "" and bool(_AROUND_ATTRIBUTE.search(attributes)))
    if name == "table":
        if walk.counts.get("table"):
            _table(walk).cells = None
        element.cells = []
    elif name == "code" and walk.counts.get("pre"):
        _outermost(walk, "pre").is_code = True
    elif name == "pre":
        element.is_code = bool(re.search(r"highlight|lang|code|prettyprint", attributes, re.I))
    walk.open.append(element)
    walk.counts[name] = walk.counts.get(name, 0) + 1
    walk.blocks += name in _BLOCKS


def _end(walk: _Walk, name: str) -> None:
    if name in _LIGHT and not walk.counts.get(name):
        return
    if name in _BLOCKS:
        walk.in_item = False
    if name in ("td", "th", "tr") and walk.counts.get("table"):
        _end_cell(walk, begins=False)
    elif walk.counts.get(name):
        while walk.open[-1].name != name:
            _close_last(walk)
        _close_last(walk)
    _break(walk, name)


def _break(walk: _Walk, name: str) -> None:
    walk.after_br = name == "br"
    if name in _PARAGRAPH:
        walk.out.append("\n\n")
    elif name in _LINE:
        walk.out.append("\n")


def _close_last(walk: _Walk) -> None:
    if walk.open[-1].name == "table":
        _end_cell(walk, begins=False)
    element = walk.open.pop()
    walk.counts[element.name] -= 1
    walk.blocks -= element.name in _BLOCKS
    if _goes(walk, element):
        del walk.out[element.start :]


def _goes(walk: _Walk, element: _Open) -> bool:
    if element.around:
        return True
    if element.name == "table":
        return element.cells is not None and len(element.cells) > 1 and not is_prose(element.cells)
    if element.name == "pre" and not walk.counts["pre"]:
        return element.is_code or looks_like_code("".join(walk.out[element.start :]))
    if element.name == "code" and not walk.counts["code"] and not walk.counts.get("pre"):
        text = "".join(walk.out[element.start :]).strip()
        return ("\n" in text or len(text) > 60) and looks_like_code(text)
    if element.name == "sup":  # the mark of a footnote
        return len(walk.out) - element.start < 9 and "".join(walk.out[element.start :]).strip().startswith("[")
    return False


def _outermost(walk: _Walk, name: str) -> _Open:
    return next(element for element in walk.open if element.name == name)


def _table(walk: _Walk) -> _Open:
    return next(element for element in reversed(walk.open) if element.name == "table")


def _end_cell(walk: _Walk, *, begins: bool) -> None:
    table = _table(walk)
    if table.cells is not None and table.cell_start is not None:
        table.cells.append("".join(walk.out[table.cell_start :]))
    table.cell_start = len(walk.out) if begins else None
