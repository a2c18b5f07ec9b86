# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the self-test judges of IIS and of Windows Firewall, as numbers: what was read of a server
is counted here, and no name and no address of the site is kept.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis import schema
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.publish import SERVICES
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall import calls
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.state import (
    LOCAL,
    Held,
    has_no_text,
    is_not_shown,
    read_state,
)

Row = t.Mapping[str, t.Any]
Rows = t.Sequence[Row]
Part = dict[str, t.Any]

IIS = "iis"
PARTS = (IIS, calls.READ)
"""The steps, by the parts of the result that they are for."""

_MDM = "mdm"
# What stands in a rule in place of a token is whatever somebody wrote.
_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,23}")
_SMTP, _BITS = 25, 64


def read_steps(site: str) -> list[dict[str, t.Any]]:
    """The steps of the agent. Each is optional: what one meets does not hide the other."""
    steps = [{**schema.read_step(site, ()), "id": IIS}, *calls.read_steps()]
    return [{**step, "optional": True} for step in steps]


def numbers(answer: Row) -> dict[str, Part]:
    """Part → what was counted of it; `failed` and `msg` where it could not be read."""
    return {
        "iis": _part(answer, IIS, _iis),
        "windows_firewall": _part(answer, calls.READ, lambda rows: _firewall(answer["host"], rows)),
    }


def _part(answer: Row, step: str, count: t.Callable[[Rows], Part]) -> Part:
    told = (answer.get("steps") or {}).get(step) or {}
    if not told.get("ok"):
        error = told.get("error") or {}
        return {"failed": True, "msg": str(error.get("message") or "It was not read.")}
    try:
        return count(told["objects"])
    except PlanError as error:
        return {"failed": True, "msg": str(error)}
    except (LookupError, TypeError, ValueError) as error:
        return {"failed": True, "msg": f"The answer has another form: {type(error).__name__}."}


# ---------------------------------------------------------------- IIS


def _iis(rows: Rows) -> Part:
    of_kind: dict[str, list[Row]] = {}
    for row in rows:
        of_kind.setdefault(str(row["kind"]), []).append(row)
    registry = {str(row["name"]): row["value"] for row in of_kind.get("registry", [])}
    process = of_kind["process"][0]
    if process["error"] and registry.get("MajorVersion") in (None, ""):
        return {"skipped": True, "msg": "IIS is not installed."}
    if process["bits"] != _BITS:
        return {"failed": True, "msg": "PowerShell runs with 32 bits, where IIS is another one."}
    trouble = process["error"] or of_kind["sites"][0]["error"]
    if trouble:
        return {"failed": True, "msg": str(trouble["message"]), "hresult": str(trouble["hresult"])}
    sections = of_kind.get("section", [])
    rules, entries = _items(sections, schema.RULES), _items(sections, schema.IP_SECURITY)
    return {
        "version": f"{registry.get('MajorVersion')}.{registry.get('MinorVersion') or 0}",
        "url_rewrite": str(registry.get("Version") or ""),
        "sections": len(sections),
        "unread": sorted(
            {
                f"{row['section']} ({row['error']['hresult']})"
                for row in [*sections, *_named(of_kind, "locations")]
                if row["error"]
            }
        ),
        "unread_files": sum(1 for row in of_kind.get("web_config", []) if row["text"] is None),
        "rules": len(rules),
        "rules_without_level": sum(1 for rule in rules if not _level(rule)),
        "ipv6_masks": [
            str(item["values"].get("subnetMask") or "")
            for item in entries
            if ":" in str(item["values"].get("ipAddress") or "")
        ],
        "directories": _directories(of_kind["sites"][0]["sites"]),
    }


def _named(of_kind: t.Mapping[str, list[Row]], kind: str) -> list[Row]:
    return [{**row, "section": kind} for row in of_kind.get(kind, [])]


def _items(sections: Rows, name: str) -> list[Row]:
    return [
        item
        for row in sections
        if row["section"] == name and row["node"]
        for item in row["node"].get("items") or ()
    ]


def _level(item: Row) -> str:
    return str((item.get("metadata") or {}).get("deepestPathSet") or "")


def _directories(sites: Rows) -> list[str]:
    """Those of Exchange that are on any site, as this collection spells them."""
    there = {
        (str(application["path"]).rstrip("/") + str(directory["path"])).rstrip("/").casefold()
        for site in sites
        for application in site.get("applications") or ()
        for directory in application["directories"]
    }
    return sorted(path for paths in SERVICES.values() for path in paths if path.casefold() in there)


# ---------------------------------------------------------------- Windows Firewall


def _firewall(host: Row, rows: Rows) -> Part:
    state = read_state(host, rows)
    held = list(state.rules.values())
    local = [each for each in held if each.store == LOCAL]
    of_exchange = [each for each in local if each.rule.name.startswith("MSExchange")]
    return {
        "rules": len(local),
        "has_texts": state.has_texts,
        "without_text": sum(1 for each in local if has_no_text(each.rule)),
        "not_shown": sum(1 for each in local if is_not_shown(each.rule)),
        "not_understood": sorted({token for each in held for token in _tokens(each)}),
        "policy_rules": len(held) - len(local),
        "mdm_rules": sum(1 for row in rows if row.get("store") == _MDM),
        "exchange_rules": len(of_exchange),
        "exchange_rules_for_25": sum(1 for each in of_exchange if each.rule.covers(_SMTP)),
    }


def _tokens(held: Held) -> t.Iterator[str]:
    """What of a rule is not understood, beside what is told of it on its own."""
    rule = held.rule
    if has_no_text(rule) or is_not_shown(rule):
        return
    for name in rule.unknown:
        yield name if _TOKEN.fullmatch(name) else "another word"
