"""A page read with the standard library's parser: elements with attributes, text and parents."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
VOID |= {"line", "circle", "path", "polyline", "polygon"}  # written as <… /> in our SVG


@dataclass
class Element:
    """One element, with all elements inside it in `inside`."""

    name: str
    attributes: dict[str, str]
    parent: Element | None = field(repr=False)
    parts: list[str] = field(default_factory=list, repr=False)
    inside: list[Element] = field(default_factory=list, repr=False)

    def all(self, name: str = "", **attributes: str) -> list[Element]:
        """Elements inside with that name and these attributes (`_` for `-`, `class_` a class)."""
        return [one for one in self.inside if one.matches(name, attributes)]

    def matches(self, name: str, attributes: dict[str, str]) -> bool:
        if name and self.name != name:
            return False
        for key, wanted in attributes.items():
            if key == "class_":
                if wanted not in self.attributes.get("class", "").split():
                    return False
            elif self.attributes.get(key.replace("_", "-")) != wanted:
                return False
        return True

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


class _Reader(HTMLParser):
    CDATA_CONTENT_ELEMENTS = ("script", "style")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {}, None)
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {k: v or "" for k, v in attrs}, self.open[-1])
        for each in self.open:
            each.inside.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {k: v or "" for k, v in attrs}, self.open[-1])
        for each in self.open:
            each.inside.append(made)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open[-1].name == tag, f"</{tag}> closes <{self.open[-1].name}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for each in self.open:
            each.parts.append(data)


def parsed(page: Path | str) -> Element:
    """The root of a page; fails where elements are not closed in order."""
    reader = _Reader()
    reader.feed(page.read_text(encoding="utf-8") if isinstance(page, Path) else page)
    reader.close()
    assert [one.name for one in reader.open] == [""], "something is not closed"
    return reader.root
