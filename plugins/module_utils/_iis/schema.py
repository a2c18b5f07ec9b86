# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sections of IIS's configuration that are read and written: their attributes, and rules as
rows.

Source: iis-docs, rewrite_schema.xml and IIS_schema.xml (URL Rewrite 2.1, IIS 7.0 to 10.0).
"""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass

APPHOST = "MACHINE/WEBROOT/APPHOST"
RULES = "system.webServer/rewrite/rules"
GLOBAL_RULES = "system.webServer/rewrite/globalRules"
IP_SECURITY = "system.webServer/security/ipSecurity"
MODULES = "system.webServer/modules"
REDIRECTION = "configurationRedirection"
_REDIRECTION_PATH = "MACHINE/REDIRECTION"

# What the names of this collection's rules begin with.
PREFIX = "mailedge: "

REWRITE_MODULE = "RewriteModule"
IP_MODULE = "IpRestrictionModule"

_INETSTP = "HKLM:\\SOFTWARE\\Microsoft\\InetStp"
_REWRITE = "HKLM:\\SOFTWARE\\Microsoft\\IIS Extensions\\URL Rewrite"
REGISTRY: t.Sequence[t.Sequence[str]] = (
    (_INETSTP, "MajorVersion"),
    (_INETSTP, "MinorVersion"),
    (_REWRITE, "Version"),
)

# A web.config without any of these changes nothing of what is judged here.
_MENTIONS = ("<rewrite", "ipSecurity", REWRITE_MODULE, IP_MODULE, "<modules")

Spec = dict[str, t.Any]
Node = t.Mapping[str, t.Any]

_LEVEL = ["deepestPathSet", "deepestFileNameSet"]
_CONDITION = ["input", "matchType", "pattern", "ignoreCase", "negate"]
_ACTION = ["type", "url", "statusCode", "subStatusCode", "statusReason", "statusDescription"]
_RULE: Spec = {
    "values": ["name", "enabled", "patternSyntax", "stopProcessing"],
    "metadata": _LEVEL,
    "children": {
        "match": {"values": ["url", "ignoreCase", "negate"]},
        "conditions": {"values": ["logicalGrouping"], "items": {"values": _CONDITION}},
        "action": {"values": _ACTION},
    },
}

# What is written, in the order in which it stands in a file.
ORDER = (
    *_RULE["values"],
    *_RULE["children"],
    "allowUnlisted",
    "ipAddress",
    "subnetMask",
    "domainName",
    "allowed",
    "logicalGrouping",
    "input",
    "matchType",
    "pattern",
    "type",
    "url",
    "ignoreCase",
    "negate",
    "statusCode",
    "subStatusCode",
    "statusReason",
    "statusDescription",
)
_LOCK = ["effectiveOverrideMode", "isLocked"]


def read_step(site: str, also: t.Iterable[str]) -> dict[str, t.Any]:
    """The step that reads a site; `also` are paths in it that are to be read, whether there is
    anything or not. The operation is agent_iis.ps1's.
    """
    sections = [
        {"name": REDIRECTION, "at": [_REDIRECTION_PATH], "spec": {"values": ["enabled", "path"]}},
        {"name": GLOBAL_RULES, "at": [APPHOST], "spec": {"items": _RULE}},
        {
            "name": RULES,
            "at": [APPHOST],
            "each": True,
            "spec": {
                "metadata": _LOCK,
                "items": _RULE,
                "inherited": {"values": ["name"], "metadata": _LEVEL},
            },
        },
        {
            "name": IP_SECURITY,
            "each": True,
            "spec": {
                "values": ["allowUnlisted", "denyAction", "enableProxyMode"],
                "metadata": _LOCK,
                "items": {
                    "values": ["ipAddress", "subnetMask", "domainName", "allowed"],
                    "metadata": _LEVEL,
                },
            },
        },
        {
            "name": MODULES,
            "each": "set",
            "spec": {"items": {"values": ["name"]}, "only": [REWRITE_MODULE, IP_MODULE]},
        },
    ]
    return {
        "op": "iis_read",
        "site": site,
        "also": list(also),
        "mentions": list(_MENTIONS),
        "registry": [list(pair) for pair in REGISTRY],
        "sections": sections,
    }


# Enumerations come as numbers or as names (rewrite_schema.xml has both).
_SYNTAXES = ("ECMAScript", "Wildcard", "ExactMatch")
_GROUPINGS = ("MatchAll", "MatchAny")
_MATCH_TYPES = ("Pattern", "IsFile", "IsDirectory")
_ACTIONS = ("None", "Rewrite", "Redirect", "CustomResponse", "AbortRequest")
_DENY_ACTIONS = {0: "AbortRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound"}


def _named(value: t.Any, names: t.Sequence[str]) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        return names[value]
    folded = {name.casefold(): name for name in names}
    # What no schema that is known has is kept as it stands, and understood by nobody.
    return names[0] if value is None else folded.get(str(value).casefold(), str(value))


def _flag(value: t.Any, default: bool) -> bool:
    if value is None or value == "":
        return default
    return value if isinstance(value, bool) else str(value).casefold() in ("true", "1")


@dataclass(frozen=True)
class Condition:
    """One condition of a rule."""

    input: str
    pattern: str
    match_type: str = "Pattern"
    ignore_case: bool = True
    negate: bool = False

    def plain(self) -> dict[str, t.Any]:
        """As snapshots and results have it."""
        return dataclasses.asdict(self)


Row = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Rule:
    """One rule of URL Rewrite.

    `level` is the configuration path that it is set at, without that of the machine: the site, or a
    site and a path; empty for the server; None where IIS does not tell. `in_web_config`: it stands
    in a web.config.
    """

    name: str
    enabled: bool = True
    pattern_syntax: str = "ECMAScript"
    stop_processing: bool = False
    url: str = ""
    ignore_case: bool = True
    negate: bool = False
    logical_grouping: str = "MatchAll"
    conditions: tuple[Condition, ...] = ()
    action: str = "None"
    action_url: str = ""
    status_code: int = 0
    sub_status_code: int = 0
    status_reason: str = ""
    status_description: str = ""
    level: str | None = ""
    in_web_config: bool = False

    @property
    def refuses(self) -> bool:
        """Whether it ends a request with nothing served."""
        return self.action == "AbortRequest" or (
            self.action == "CustomResponse" and self.status_code >= 400
        )

    def row(self) -> dict[str, t.Any]:
        """Its options."""
        return {option: getattr(self, option) for option in OPTIONS}

    def plain(self) -> dict[str, t.Any]:
        """Its options as plain data."""
        return plain(self.row())


OPTIONS = tuple(
    field.name
    for field in dataclasses.fields(Rule)
    if field.name not in ("name", "level", "in_web_config")
)
DEFAULTS: Row = Rule("").row()


def plain(row: Row) -> dict[str, t.Any]:
    """Options of a rule as plain data."""
    return {
        option: [condition.plain() for condition in value] if option == "conditions" else value
        for option, value in row.items()
    }


def canonical(options: Row) -> dict[str, t.Any]:
    """Options of a rule as they are compared, of plain data."""
    row = dict(options)
    if "conditions" in row:
        row["conditions"] = tuple(
            condition if isinstance(condition, Condition) else Condition(**condition)
            for condition in row["conditions"]
        )
    return row


def level_of(metadata: t.Mapping[str, t.Any]) -> tuple[str | None, bool]:
    """Where an item is set: the path of its level, and whether in a web.config."""
    path, file = metadata.get("deepestPathSet"), str(metadata.get("deepestFileNameSet") or "")
    in_web_config = file.casefold().replace("\\", "/").endswith("/web.config")
    if not isinstance(path, str) or not path.upper().startswith(APPHOST):
        return None, in_web_config
    return path[len(APPHOST) :].strip("/"), in_web_config


UNREAD = "unread"
"""The action of a rule of which nothing but its name could be read: it may do anything."""


def inherited_rule(node: Node, known: t.Mapping[tuple[str, bool, str], Rule]) -> Rule:
    """A rule of which the agent gave the name and the level, where it is read in full; `known` are
    the rules by level, file and name, without case.
    """
    level, in_web_config = level_of(node.get("metadata") or {})
    name = str(node["values"].get("name") or "")
    unread = Rule(
        name, action=UNREAD, stop_processing=True, level=level, in_web_config=in_web_config
    )
    return known.get(((level or "").casefold(), in_web_config, name.casefold()), unread)


def read_rule(node: Node) -> Rule:
    """A rule of a node of the agent."""
    values, children = node["values"], node.get("children") or {}
    match, action = _values(children, "match"), _values(children, "action")
    grouping = _values(children, "conditions").get("logicalGrouping")
    conditions = []
    for item in (children.get("conditions") or {}).get("items") or []:
        held = item["values"]
        conditions.append(
            Condition(
                input=str(held.get("input") or ""),
                pattern=str(held.get("pattern") or ""),
                match_type=_named(held.get("matchType"), _MATCH_TYPES),
                ignore_case=_flag(held.get("ignoreCase"), True),
                negate=_flag(held.get("negate"), False),
            )
        )
    level, in_web_config = level_of(node.get("metadata") or {})
    return Rule(
        name=str(values.get("name") or ""),
        enabled=_flag(values.get("enabled"), True),
        pattern_syntax=_named(values.get("patternSyntax"), _SYNTAXES),
        stop_processing=_flag(values.get("stopProcessing"), False),
        url=str(match.get("url") or ""),
        ignore_case=_flag(match.get("ignoreCase"), True),
        negate=_flag(match.get("negate"), False),
        logical_grouping=_named(grouping, _GROUPINGS),
        conditions=tuple(conditions),
        action=_named(action.get("type"), _ACTIONS),
        action_url=str(action.get("url") or ""),
        status_code=int(action.get("statusCode") or 0),
        sub_status_code=int(action.get("subStatusCode") or 0),
        status_reason=str(action.get("statusReason") or ""),
        status_description=str(action.get("statusDescription") or ""),
        level=level,
        in_web_config=in_web_config,
    )


def _values(children: t.Mapping[str, t.Any], name: str) -> t.Mapping[str, t.Any]:
    return t.cast("t.Mapping[str, t.Any]", (children.get(name) or {}).get("values") or {})


def deny_action(value: t.Any) -> str:
    """The name of a denyAction."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _DENY_ACTIONS.get(value, str(value))
    return str(value or "Forbidden")


def rule_change(name: str, row: Row) -> dict[str, t.Any]:
    """A rule as a change of the agent inserts it. Only what differs from the schema's default is
    written, but for what decides who gets in.
    """
    action: dict[str, t.Any] = {"type": row["action"]}
    if row["action"] == "CustomResponse":
        action.update(
            statusCode=row["status_code"],
            subStatusCode=row["sub_status_code"],
            statusReason=row["status_reason"],
            statusDescription=row["status_description"],
        )
    elif row["action_url"]:
        action["url"] = row["action_url"]
    conditions = {
        "values": {"logicalGrouping": row["logical_grouping"]},
        "items": [
            {"element": "add", "values": _condition_values(condition)}
            for condition in row["conditions"]
        ],
    }
    values: dict[str, t.Any] = {
        "name": name,
        "patternSyntax": row["pattern_syntax"],
        "stopProcessing": row["stop_processing"],
    }
    if not row["enabled"]:
        values["enabled"] = False
    match: dict[str, t.Any] = {"url": row["url"]}
    match.update({"ignoreCase": False} if not row["ignore_case"] else {})
    match.update({"negate": True} if row["negate"] else {})
    children = {"match": {"values": match}, "conditions": conditions, "action": {"values": action}}
    return {"do": "insert", "element": "rule", "values": values, "children": children}


def _condition_values(condition: Condition) -> dict[str, t.Any]:
    values: dict[str, t.Any] = {"input": condition.input}
    if condition.match_type != "Pattern":
        values["matchType"] = condition.match_type
    if condition.pattern:
        values["pattern"] = condition.pattern
    if not condition.ignore_case:
        values["ignoreCase"] = False
    if condition.negate:
        values["negate"] = True
    return values
