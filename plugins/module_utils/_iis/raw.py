# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the text of a web.config tells: whether it ends the rules that it would inherit.

IIS shows what is in effect, and a `<clear/>` shows by what is missing. Before the first rule is
written nothing is missing.
"""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.patterns import below

_NO, _YES, _UNSURE = "no", "yes", "unsure"


def ends_rules(texts: t.Iterable[str], path: str) -> str:
    """Whether the web.configs of one folder end inherited rules at a path below the folder (empty:
    the folder itself): yes, no, or unsure where a text is no XML, or is kept elsewhere.
    """
    answers = [_ends(text, path.casefold()) for text in texts]
    return _YES if _YES in answers else _UNSURE if _UNSURE in answers else _NO


def _ends(text: str, path: str) -> str:
    # No entity is anything that IIS would read, and none is expanded here.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return _UNSURE
    try:
        root = ElementTree.fromstring(text.lstrip("\ufeff"))  # noqa: S314
    except (ElementTree.ParseError, ValueError):
        return _UNSURE
    answers = []
    for scope, element in _scopes(root):
        for rules in element.iterfind("rewrite/rules"):
            if rules.get("configSource"):
                answers.append(_UNSURE)
            elif rules.find("clear") is not None and _holds(scope, path):
                answers.append(_YES)
    return _YES if _YES in answers else _UNSURE if _UNSURE in answers else _NO


_Scope = tuple[str, bool]


def _scopes(root: ElementTree.Element) -> t.Iterator[tuple[_Scope, ElementTree.Element]]:
    """Each system.webServer with the path that it is for and whether what is below inherits it."""
    for element in root.findall("system.webServer"):
        yield ("", True), element
    for location in root.findall("location"):
        inherited = (location.get("inheritInChildApplications") or "true").casefold() != "false"
        path = (location.get("path") or "").strip("/")
        for element in location.findall("system.webServer"):
            yield (f"/{path}".casefold() if path and path != "." else "", inherited), element


def _holds(scope: _Scope, path: str) -> bool:
    base, inherited = scope
    return below(path, base) if inherited else path == base
