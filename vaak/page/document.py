"""The page itself: a title, sections one after another, and everything they need inside the one file.

HTML that is ready has the type `Markup`; every other string is text and is escaped where it enters the page.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from vaak.page.parts import paragraph


class Page:
    """Collects sections and writes them as one HTML file that loads nothing from anywhere."""

    def __init__(self, title: str, lead: str = "") -> None:
        self.title, self.lead = title, lead
        self._sections: list[tuple[str, list[Markup]]] = []

    def section(self, title: str, *parts: str) -> None:
        """Begin a section that is listed in the page's table of contents."""
        self._sections.append((title, []))
        self.add(*parts)

    def add(self, *parts: str) -> None:
        """Put parts at the end of the last section (of one without a heading, before the first). Plain text becomes a paragraph."""
        if not self._sections:
            self._sections.append(("", []))
        self._sections[-1][1].extend(part if isinstance(part, Markup) else paragraph(part) for part in parts)

    def html(self) -> str:
        """The whole file as text."""
        return _template().render(title=self.title, lead=self.lead, sections=self._sections)

    def write(self, path: str | Path) -> Path:
        """Write the file whole or not at all: a reader who reloads never sees half a page."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".new")
        temporary.write_text(self.html(), encoding="utf-8")
        os.replace(temporary, path)
        return path


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("vaak.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.j2")
