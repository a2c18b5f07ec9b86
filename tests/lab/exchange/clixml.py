# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects as CLIXML, which is how a remote session hands them over (Microsoft's protocol document
MS-PSRP, 2.2.5).

The proxies in PowerShell read it with the engine's own deserializer, so that the agent meets what
it meets in a real session: numbers that remember the text of their enumeration, collections without
methods, values of which only the text is left.
"""

from __future__ import annotations

import datetime
import re
import typing as t
from xml.sax.saxutils import escape, quoteattr

from ansible_collections.mailedge.lockdown.tests.lab.exchange.shapes import Shown

_HEAD = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
# MS-PSRP 2.2.5.3.2: what XML cannot hold is _xHHHH_, and so is an underscore that would begin such
# an escape.
_SPECIAL = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x1f\x7f-\x9f]")


def dump(rows: t.Iterable[t.Mapping[str, t.Any]], type_name: str) -> str:
    """One object a row, of the type that a session would give it."""
    return _HEAD + "".join(_object(row, type_name) for row in rows) + "</Objs>"


def _text(value: str) -> str:
    return escape(_SPECIAL.sub(lambda character: f"_x{ord(character.group()):04X}_", value))


def _object(row: t.Mapping[str, t.Any], type_name: str) -> str:
    properties = "".join(_value(value, name) for name, value in row.items())
    shown = _text(str(row.get("Identity") or row.get("Name") or type_name))
    return f"<Obj>{_types(type_name)}<ToString>{shown}</ToString><Props>{properties}</Props></Obj>"


def _types(*names: str) -> str:
    return (
        "<TN>"
        + "".join(f"<T>Deserialized.{_text(name)}</T>" for name in (*names, "System.Object"))
        + "</TN>"
    )


def _value(value: t.Any, name: str = "") -> str:
    at = f" N={quoteattr(_text(name))}" if name else ""
    if value is None:
        return f"<Nil{at}/>"
    if isinstance(value, bool):
        return f"<B{at}>{str(value).lower()}</B>"
    if isinstance(value, int):
        return f"<I32{at}>{value}</I32>"
    if isinstance(value, datetime.datetime):
        return f"<DT{at}>{value.strftime('%Y-%m-%dT%H:%M:%SZ')}</DT>"
    if isinstance(value, Shown):
        return _shown(value, at)
    if isinstance(value, str):
        return f"<S{at}>{_text(value)}</S>"
    if isinstance(value, dict):
        entries = "".join(
            f"<En>{_value(key, 'Key')}{_value(item, 'Value')}</En>" for key, item in value.items()
        )
        return f"<Obj{at}>{_types('System.Collections.Hashtable')}<DCT>{entries}</DCT></Obj>"
    item_type = value[0].type_name if value and isinstance(value[0], Shown) else "System.String"
    items = "".join(_value(item) for item in value)
    types = _types(f"Microsoft.Exchange.Data.MultiValuedProperty`1[{item_type}]")
    return f"<Obj{at}>{types}<LST>{items}</LST></Obj>"


def _shown(value: Shown, at: str) -> str:
    head = f"<Obj{at}>{_types(value.type_name)}<ToString>{_text(value)}</ToString>"
    if value.number is not None:
        return f"{head}<I32>{value.number}</I32></Obj>"
    fields = "".join(_value(item, name) for name, item in value.fields.items())
    return f"{head}<Props>{fields}</Props></Obj>"
