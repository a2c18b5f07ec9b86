# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markup from data: every text is escaped here, and nowhere else."""

from __future__ import annotations

import re
import typing as t

# What may not stand in a page, or would turn the order of what a reader sees: control characters,
# bidirectional controls, halves of surrogate pairs, noncharacters.
# https://html.spec.whatwg.org/multipage/parsing.html#preprocessing-the-input-stream
_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
    "\ufdd0-\ufdef\ufeff\ufff9-\uffff"
    + "".join(chr(plane << 16 | 0xFFFE) for plane in range(1, 17))
    + "".join(chr(plane << 16 | 0xFFFF) for plane in range(1, 17))
    + "]"
)
_MARKS = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})
_EMPTY = frozenset({"link", "meta"})
_DRAWN = frozenset({"path", "rect", "use", "circle"})


class Html(str):
    """Text that is markup already. Made by this module, and from constants."""

    __slots__ = ()


def escape(text: str) -> Html:
    """A text as it may stand between tags and in a quoted attribute.

    What cannot be shown is named by its number: it was in a name that somebody gave.
    """
    if text.isascii() and text.isprintable():
        return Html(text.translate(_MARKS))
    shown = _UNSHOWN.sub(lambda char: f"\\u{{{ord(char.group()):X}}}", text)
    return Html(shown.translate(_MARKS))


def markup(child: t.Any) -> str:
    """What stands in an element: markup, a text, or several of them; nothing for None."""
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return escape(child)
    if isinstance(child, (int, float)):
        return escape(str(child))
    return "".join(markup(each) for each in child)


def element(tag: str, *children: t.Any, **attributes: t.Any) -> Html:
    """One element. `class_` is the attribute class, `aria_label` is aria-label; None is left out,
    True stands without a value.
    """
    opened = [tag]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        written = name.rstrip("_").replace("_", "-")
        opened.append(written if value is True else f'{written}="{escape(str(value))}"')
    if tag in _EMPTY:
        return Html(f"<{' '.join(opened)}>")
    if tag in _DRAWN:
        return Html(f"<{' '.join(opened)}/>")
    return Html(f"<{' '.join(opened)}>{markup(children)}</{tag}>")


def together(*children: t.Any) -> Html:
    """Several elements and texts, one after the other."""
    return Html(markup(children))
