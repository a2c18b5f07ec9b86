# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows as the agent's operation ``iis_read`` gives them, for a site made of few words."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import (
    APPHOST,
    GLOBAL_RULES,
    IP_SECURITY,
    MODULES,
    REDIRECTION,
    RULES,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.state import State, read_state

SITE = "Default Web Site"
HOST = {"name": "EX1", "addresses": ["10.20.1.10", "fe80::1", "2001:db8::25"]}
DIRECTORIES = (
    "/owa",
    "/owa/Calendar",
    "/ecp",
    "/EWS",
    "/Autodiscover",
    "/Microsoft-Server-ActiveSync",
    "/PowerShell",
)
BOTH = ("RewriteModule", "IpRestrictionModule")
MISSING = {
    "class": "COMException",
    "hresult": "0x8007000d",
    "message": "It is missing a section declaration",
}

Row = dict[str, t.Any]


def rule(
    name: str,
    url: str = ".*",
    *conditions: Row,
    action: str = "None",
    level: str = SITE,
    file: str = "applicationHost.config",
    **more: t.Any,
) -> Row:
    """A rule as the agent gives it where it is set."""
    match = {"url": url, "ignoreCase": True, "negate": more.pop("negate", False)}
    target = {"type": action, "url": more.pop("target", ""), "statusCode": more.pop("status", 403)}
    grouping = more.pop("grouping", "MatchAll")
    return {
        "values": {
            "name": name,
            "enabled": True,
            "patternSyntax": "ECMAScript",
            "stopProcessing": True,
            **more,
        },
        "metadata": {
            "deepestPathSet": f"{APPHOST}/{level}".rstrip("/"),
            "deepestFileNameSet": f"\\\\?\\C:\\somewhere\\{file}",
        },
        "children": {
            "match": {"values": match},
            "conditions": {
                "values": {"logicalGrouping": grouping},
                "items": [{"values": condition} for condition in conditions],
            },
            "action": {"values": target},
        },
    }


def from_address(pattern: str, *, negate: bool = False) -> Row:
    """A condition on the client's address."""
    return {
        "input": "{REMOTE_ADDR}",
        "pattern": pattern,
        "matchType": 0,
        "ignoreCase": True,
        "negate": negate,
    }


def entry(
    address: str, mask: str = "255.255.255.255", *, allowed: bool = True, level: str = SITE
) -> Row:
    """An entry of an IP list."""
    values = {"ipAddress": address, "subnetMask": mask, "domainName": "", "allowed": allowed}
    return {
        "values": values,
        "metadata": {"deepestPathSet": f"{APPHOST}/{level}", "deepestFileNameSet": None},
    }


class Rows:
    """What is read of a site. `rules` are those of the own location of the site; a path in `below`
    has rules of its own, which
    follow the inherited ones, or come alone where it is in `cleared`.
    """

    def __init__(
        self,
        *rules: Row,
        modules: t.Sequence[str] = BOTH,
        directories: t.Sequence[str] = DIRECTORIES,
        rewrite: str = "7.2.1993.2351",
    ) -> None:
        self.rules, self.modules, self.directories, self.rewrite = (
            list(rules),
            modules,
            directories,
            rewrite,
        )
        self.globals: list[Row] = []
        self.below: dict[str, list[Row]] = {}
        self.cleared: set[str] = set()
        self.lists: dict[str, Row] = {}
        self.modules_of: dict[str, t.Sequence[str]] = {}
        self.errors: dict[tuple[str, str], Row] = {}
        self.web_configs: dict[str, str | None] = {}
        self.locations: list[tuple[str, list[str]]] = []
        self.shared = False
        self.sites_error: Row | None = None
        self.process_error: Row | None = None

    def _section(self, section: str, path: str, node: Row) -> Row:
        error = self.errors.get((section, path))
        where = path if path.startswith("MACHINE") else f"{APPHOST}/{SITE}{path}"
        row = {"kind": "section", "section": section, "path": where}
        return {**row, "error": error, "node": None if error else {"values": {}, **node}}

    def _rules(self, path: str) -> Row:
        inherited = [
            {"values": {"name": rule["values"]["name"]}, "metadata": rule["metadata"]}
            if path
            else rule
            for rule in self.rules
        ]
        return {"items": [*([] if path in self.cleared else inherited), *self.below.get(path, [])]}

    def rows(self) -> list[Row]:
        """The rows."""
        process: list[Row] = [{"kind": "process", "bits": 64, "error": self.process_error}]
        registry = [
            {"kind": "registry", "key": "HKLM:\\…", "name": name, "value": value}
            for name, value in (
                ("MajorVersion", 10),
                ("MinorVersion", 0),
                ("Version", self.rewrite or None),
            )
        ]
        if self.process_error:
            return [*process, *registry]
        applications = [
            {"path": path, "directories": [{"path": "/", "physical": "C:\\x"}]}
            for path in ("/", *self.directories)
        ]
        sites = [
            {"name": SITE, "id": 1, "applications": applications},
            {"name": "Exchange Back End", "id": 2},
        ]
        paths = [
            "",
            *dict.fromkeys([*self.directories, *self.web_configs, *self.lists, *self.below]),
        ]
        places = [{"kind": "path", "path": f"{APPHOST}/{SITE}{path}"} for path in paths]
        texts = [
            {"kind": "web_config", "path": f"{APPHOST}/{SITE}{path}", "text": text, "error": None}
            for path, text in self.web_configs.items()
        ]
        locations = [
            {"index": index, "path": path, "sections": sections}
            for index, (path, sections) in enumerate(self.locations)
        ]
        sections = [
            self._section(
                REDIRECTION,
                "MACHINE/REDIRECTION",
                {"values": {"enabled": self.shared, "path": "\\\\fs\\iis"}},
            ),
            self._section(GLOBAL_RULES, APPHOST, {"items": self.globals}),
            *(self._section(RULES, path, self._rules(path)) for path in paths),
            *(self._section(IP_SECURITY, path, self._list(path)) for path in paths),
            *(
                self._section(
                    MODULES, path, {"items": [{"values": {"name": name}} for name in names]}
                )
                for path, names in {"": self.modules, **self.modules_of}.items()
            ),
        ]
        held = {
            "kind": "sites",
            "error": self.sites_error,
            "sites": [] if self.sites_error else sites,
        }
        return [
            *process,
            *registry,
            held,
            {"kind": "locations", "error": None, "locations": locations},
            *places,
            *texts,
            *sections,
        ]

    def _list(self, path: str) -> Row:
        return self.lists.get(
            path, {"values": {"allowUnlisted": True, "denyAction": 403}, "items": []}
        )

    def state(self) -> State:
        """The state of the rows."""
        return read_state(HOST, self.rows(), SITE)
