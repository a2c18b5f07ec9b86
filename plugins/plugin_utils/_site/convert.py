# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as their options want them: texts of a survey become lists, empty ones are not set.

A survey of AWX knows texts and no lists, and gives an unanswered question as an empty text
(docs.ansible.com, AWX "Surveys"; measured on 24.6.1). This is the one place where a text is split.
"""

from __future__ import annotations

import re
import typing as t

Spec = t.Mapping[str, t.Any]

# Names of firewall objects may hold blanks; addresses, host names and ids never do.
_WITH_BLANKS = frozenset(
    {
        "mailedge_fortigate_vips",
        "mailedge_fortigate_interfaces",
        "mailedge_fortigate_internet_services",
        "interfaces",
        "address_spaces",
    }
)
_SEPARATORS = re.compile(r"[,;\s]+")
_LINES = re.compile(r"[,\r\n]+")
_SPACED = re.compile(r"\s+([-\u2013/])\s+")


def is_unset(value: t.Any) -> bool:
    """Whether a value says nothing: null, or a text of blanks."""
    return value is None or (isinstance(value, str) and not value.strip())


def split(text: str, *, blanks: bool = True) -> list[str]:
    """The entries of a text: between commas, new lines and, unless entries may hold them, blanks.

    A range may be written with blanks around its dash, or around the slash before its prefix
    length.
    """
    if not blanks:
        return [part.strip() for part in _LINES.split(text) if part.strip()]
    return [part for part in _SEPARATORS.split(_SPACED.sub(r"\1", text)) if part]


def convert(name: str, value: t.Any, spec: Spec) -> t.Any:
    """`value` in the shape that `spec` asks for, as far as possible; None where it is not set.

    What does not fit is left as it is: the argument spec names it.
    """
    if is_unset(value):
        return None
    kind = spec.get("type")
    if kind == "list" and spec.get("elements") == "str":
        return _texts(name, value)
    if kind == "list" and isinstance(value, (list, tuple)) and spec.get("options"):
        return [_tree(entry, spec["options"]) for entry in value if not is_unset(entry)]
    if kind == "dict" and spec.get("options"):
        return _tree(value, spec["options"])
    return value.strip() if isinstance(value, str) else value


def _texts(name: str, value: t.Any) -> t.Any:
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, (list, tuple)):
        return value
    texts: list[t.Any] = []
    for entry in entries:
        if isinstance(entry, str):
            texts.extend(split(entry, blanks=name not in _WITH_BLANKS))
        elif entry is not None:
            texts.append(entry)
    return texts


def _tree(value: t.Any, specs: t.Mapping[str, Spec]) -> t.Any:
    if not isinstance(value, t.Mapping):
        return value
    converted_tree = {}
    for key, entry in value.items():
        # Without what Ansible knows of the name, which is slow to copy.
        name = str(key)
        converted = convert(name, entry, specs.get(name, {}))
        if converted is not None:
            converted_tree[name] = converted
    return converted_tree
