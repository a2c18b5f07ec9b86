# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration file as a tree that gives back every byte of what nobody touched: blanks,
comments, quotes, BOM.

Neither ElementTree nor lxml do: both write the blanks between attributes, and the form of empty
elements, anew. That IIS keeps what is outside the touched section is from memory, not
verified.
"""

from __future__ import annotations

import codecs
import re
import typing as t
import xml.parsers.expat
from xml.sax.saxutils import escape

_ESCAPED = {'"': "&quot;", "\n": "&#xA;", "\r": "&#xD;", "\t": "&#x9;"}
_OPENING = re.compile(rb"""<(?:[^<>"']|"[^"]*"|'[^']*')*>""")
_LAST_LINE = re.compile(r"\r?\n[ \t]*\Z")
_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class NotWellFormed(Exception):
    """The bytes are no XML; `line` is where that shows."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}")
        self.line = line


class Element:
    """An element with its attributes, and its children in order: elements, and whatever text stands
    between them.
    """

    def __init__(self, name: str, attributes: t.Mapping[str, str] | None = None) -> None:
        self.name = name
        self.attributes = dict(attributes or {})
        self.children: list[Element | str] = []
        self.parent: Element | None = None
        self.line = 0
        # As they stand in the file; None: to be written anew.
        self.opening: str | None = None
        self.closing: str | None = None

    def elements(self, name: str | None = None) -> list[Element]:
        """The child elements, or those of one name."""
        return [
            child
            for child in self.children
            if isinstance(child, Element) and name in (None, child.name)
        ]

    def first(self, name: str) -> Element | None:
        """The first child element of a name."""
        return next(iter(self.elements(name)), None)

    def set(self, name: str, value: str) -> None:
        """Set an attribute."""
        if self.attributes.get(name) != value:
            self.attributes[name] = value
            self.opening = None

    def unset(self, name: str) -> None:
        """Take an attribute out."""
        if self.attributes.pop(name, None) is not None:
            self.opening = None

    def insert(
        self, child: Element, before: Element | None = None, style: Style | None = None
    ) -> None:
        """Put a child on a line of its own, before another or at the end."""
        style = style or Style()
        inner = f"{style.newline}{self._indentation()}{style.unit}"
        child.parent = self
        if before is not None:
            at = self.children.index(before)
            self.children[at:at] = [child, inner]
        else:
            last = (
                self.children.pop() if self.children and isinstance(self.children[-1], str) else ""
            )
            text = t.cast("str", last)
            kept = text.rstrip()
            end = text[len(kept) :]
            if "\n" not in end:
                end = f"{style.newline}{self._indentation()}"
            self.children += [kept, inner, child, end]
        if self.opening is not None and self.opening.endswith("/>"):
            self.opening = self.opening[:-2].rstrip() + ">"
        if not self.closing:
            self.closing = f"</{self.name}>"

    def remove(self, child: Element) -> None:
        """Take a child out, with the line that it stood on."""
        at = self.children.index(child)
        del self.children[at]
        child.parent = None
        before = self.children[at - 1] if at else None
        if isinstance(before, str):
            self.children[at - 1] = _LAST_LINE.sub("", before, count=1)

    def copy(self) -> Element:
        """The same again, written anew."""
        twin = Element(self.name, self.attributes)
        for child in self.elements():
            twin.insert(child.copy())
        return twin

    def lay_out(self, style: Style) -> None:
        """Give what was made elsewhere the lines and the depth of its place."""
        inside = self.elements()
        if inside:
            self.children = []
            for child in inside:
                self.insert(child, style=style)
                child.lay_out(style)

    def _indentation(self) -> str:
        if self.parent is None:
            return ""
        at = self.parent.children.index(self)
        # An element that was inserted has its own piece of text before it, perhaps behind an empty
        # one.
        before = "".join(
            part for part in self.parent.children[max(at - 2, 0) : at] if isinstance(part, str)
        )
        line = before.rpartition("\n")[2] if "\n" in before else self.parent._indentation()
        return line if not line.strip() else ""

    def text(self) -> str:
        """The element as it is written."""
        inner = "".join(part if isinstance(part, str) else part.text() for part in self.children)
        opening = self.opening
        if opening is None:
            attributes = "".join(
                f' {name}="{escape(value, _ESCAPED)}"' for name, value in self.attributes.items()
            )
            opening = (
                f"<{self.name}{attributes}>"
                if inner or self.closing
                else f"<{self.name}{attributes} />"
            )
        return opening + inner + (self.closing or "")


class Style(t.NamedTuple):
    """How new lines of a file are written."""

    newline: str = "\r\n"
    unit: str = "    "


class Document:
    """One file. Raises NotWellFormed."""

    def __init__(self, content: bytes) -> None:
        self.original = content
        self._mark, self._encoding = next(
            ((mark, encoding) for mark, encoding in _ENCODINGS if content.startswith(mark)),
            (b"", "utf-8"),
        )
        try:
            text = content[len(self._mark) :].decode(self._encoding)
        except UnicodeDecodeError:
            raise NotWellFormed(1) from None
        self._head, self.root, self._tail = _parse(text)
        newline = "\r\n" if "\r\n" in text or "\n" not in text else "\n"
        first = next(iter(self.root.elements()), None)
        self.style = Style(newline, (first._indentation() if first else "") or "    ")

    def content(self) -> bytes:
        """The bytes to be written."""
        return self._mark + f"{self._head}{self.root.text()}{self._tail}".encode(self._encoding)


def _parse(text: str) -> tuple[str, Element, str]:
    """What stands before the root, the root, and what stands behind it."""
    content = text.encode()
    parser = xml.parsers.expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    stack: list[Element] = []
    roots: list[tuple[str, Element]] = []
    done = 0

    def start(name: str, attributes: list[str]) -> None:
        nonlocal done
        at = parser.CurrentByteIndex
        before = content[done:at].decode()
        tag = _OPENING.match(content, at)
        if tag is None:
            raise NotWellFormed(parser.CurrentLineNumber)
        element = Element(name, dict(zip(attributes[::2], attributes[1::2])))
        element.opening, element.line = tag[0].decode(), parser.CurrentLineNumber
        element.closing = ""
        if stack:
            stack[-1].children += [before, element]
            element.parent = stack[-1]
        else:
            roots.append((before, element))
        stack.append(element)
        done = tag.end()

    def end(name: str) -> None:
        nonlocal done
        element = stack.pop()
        if not str(element.opening).endswith("/>"):
            at = parser.CurrentByteIndex
            element.children.append(content[done:at].decode())
            stop = content.index(b">", at) + 1
            element.closing = content[at:stop].decode()
            done = stop

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(content, True)
    except xml.parsers.expat.ExpatError as error:
        raise NotWellFormed(error.lineno) from None
    ((head, root),) = roots
    return head, root, content[done:].decode()
