# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in answers the operations of IIS as agent_iis.ps1 and agent_iis_write.ps1 do in a real
engine.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _codec as codec
from ansible_collections.mailedge.lockdown.tests.lab import standin
from ansible_collections.mailedge.lockdown.tests.lab.exchange import bridge
from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis
from ansible_collections.mailedge.lockdown.tests.support.engine import in_a_runspace, needs_engine
from ansible_collections.mailedge.lockdown.tests.support.iis import (
    APPHOST,
    IP_SECURITY,
    RULES,
    SITE,
)
from ansible_collections.mailedge.lockdown.tests.support.marking import long_after

pytestmark = needs_engine

SHELL = {
    "way": "none",
    "fqdn": None,
    "credential": None,
    "authentication": "Kerberos",
    "seconds": 20,
}
RULE: dict[str, t.Any] = {
    "do": "insert",
    "element": "rule",
    "before": None,
    "values": {"name": "ours: 'ecp' & \u00fc", "stopProcessing": True},
    "children": {
        "match": {"values": {"url": r"^/*ecp(?:[/.;\s]|$)"}},
        "conditions": {
            "items": [
                {
                    "element": "add",
                    "values": {"input": "{REMOTE_ADDR}", "pattern": r"^10\.", "negate": True},
                }
            ]
        },
        "action": {"values": {"type": "CustomResponse", "statusCode": 403}},
    },
}
WRITE: dict[str, t.Any] = {
    "op": "iis_write",
    "commit": APPHOST,
    "path": SITE,
    "section": RULES,
    "location": "Default Web Site",
    "order": [
        *(
            "name",
            "enabled",
            "stopProcessing",
            "match",
            "conditions",
            "action",
            "allowUnlisted",
            "ipAddress",
        ),
        *(
            "subnetMask",
            "allowed",
            "input",
            "pattern",
            "type",
            "url",
            "negate",
            "statusCode",
            "noSuch",
        ),
    ],
}
SPEC: dict[str, t.Any] = {
    "metadata": ["effectiveOverrideMode", "noSuch"],
    "items": {
        "values": ["name", "enabled", "noSuch"],
        "metadata": ["deepestPathSet", "deepestFileNameSet"],
        "children": {
            "match": {"values": ["url"]},
            "conditions": {"items": {"values": ["input", "negate"]}},
            "noSuch": {},
        },
    },
    "inherited": {"values": ["name"], "metadata": ["deepestPathSet"]},
}
READ: dict[str, t.Any] = {
    "op": "iis_read",
    "site": "default web site",
    "also": ["/EWS/mrsproxy.svc", "/ECP"],
    "mentions": ["rewrite", "ipsecurity"],
    "registry": [
        ["HKLM:\\SOFTWARE\\Microsoft\\InetStp", "MajorVersion"],
        ["HKLM:\\SOFTWARE\\Microsoft\\IIS Extensions\\URL Rewrite", "Version"],
        ["HKLM:\\SOFTWARE\\Microsoft\\No Such Key", "Version"],
    ],
    "sections": [
        {
            "name": "configurationRedirection",
            "at": ["MACHINE/REDIRECTION"],
            "spec": {"values": ["enabled", "path"]},
        },
        {"name": RULES, "at": [APPHOST], "each": True, "spec": SPEC},
        {
            "name": IP_SECURITY,
            "each": True,
            "spec": {
                "values": ["allowUnlisted", "denyAction"],
                "items": {"values": ["ipAddress", "subnetMask", "allowed"]},
            },
        },
        {
            "name": "system.webServer/modules",
            "each": "set",
            "spec": {
                "items": {"values": ["name"]},
                "only": ["rewritemodule", "IPRestrictionModule"],
            },
        },
        {"name": "system.webServer/noSuch", "at": [APPHOST], "spec": {}},
    ],
}

# agent_iis_write.ps1 goes with agent_iis.ps1: who writes reads in the same request.
READ_NOTHING = {**READ, "sections": []}


def host(edition: str) -> ExchangeHost:
    return ExchangeHost("EX1", edition, Directory("example.test"))


def answers(
    *steps: t.Mapping[str, t.Any],
    edition: str = "2019",
    make: t.Callable[[ExchangeHost], None] = lambda _: None,
) -> t.Any:
    """What both ways answer to the steps, each on a server of its own; they are the same."""
    request = {
        "protocol": 1,
        "shell": SHELL,
        "steps": [{"id": str(number), **step} for number, step in enumerate(steps)],
    }
    encoded = codec.encode_request(request)
    told = []
    for by in ("engine", "stand-in"):
        server = host(edition)
        make(server)
        if by == "engine":
            with bridge.Bridge(server) as served:
                answer = codec.decode_answer(
                    in_a_runspace(bridge.prelude(), encoded, served.environment)
                )
        else:
            answer = codec.decode_answer(standin.answer(server, encoded))
        folder = "" if server.edition.edge else str(server.windows.iis.disk.folder)
        told.append(plain({"steps": answer["steps"], "error": answer["error"]}, folder))
    assert told[0] == told[1]
    return told[0]


def plain(value: t.Any, folder: str) -> t.Any:
    """An answer without what differs from run to run."""
    if isinstance(value, dict):
        return {
            key: plain(item, folder)
            for key, item in value.items()
            if key not in ("seconds", "digest")
        }
    if isinstance(value, list):
        return [plain(item, folder) for item in value]
    return value.replace(folder, "") if folder and isinstance(value, str) else value


def furnished(server: ExchangeHost) -> None:
    iis = server.windows.iis
    iis.put_web_config("/ecp", "<!-- Rewrite --><system.webServer />")
    rules = '<clear /><rule name="\u00fc"><match url="x" /></rule>'
    section = f"<rewrite><rules>{rules}</rules></rewrite>"
    iis.put_web_config("/owa/auth", f"<system.webServer>{section}</system.webServer>")
    iis.put_web_config(
        "/EWS", "<system.webServer><security><ipSecurity /></security></system.webServer>"
    )
    # Of the folder itself, of nothing, and of two paths below it.
    inner = "<system.webServer><modules /></system.webServer>"
    paths = (' path="."', "", " path='/x/Y/'", ' allowOverride="true" path="a&amp;b"')
    iis.put_web_config("/OAB", "".join(f"<location{path}>{inner}</location>" for path in paths))


@pytest.mark.parametrize("edition", long_after(1, ["2019", "2010", "edge"]))
def test_reading(edition: str) -> None:
    more = {} if edition == "edge" else {"make": furnished}
    told = answers(READ, edition=edition, **more)
    rows = told["steps"]["0"]["objects"]
    kinds = {row["kind"] for row in rows}
    assert kinds == (
        {"process", "registry"}
        if edition == "edge"
        else {"process", "registry", "sites", "locations", "path", "web_config", "section"}
    )
    refused = [row["error"]["hresult"] for row in rows if row.get("error")]
    assert ("0x80070021" in refused) == (edition != "edge"), (
        "a locked section in the web.config of EWS"
    )


def test_a_server_whose_file_is_broken() -> None:
    def broken(server: ExchangeHost) -> None:
        server.windows.iis.text = "<configuration>"

    rows = answers(READ, make=broken)["steps"]["0"]["objects"]
    refused = [row.get("section", row["kind"]) for row in rows if row.get("error")]
    # The redirection is in a file of its own.
    assert refused == ["sites", RULES, "system.webServer/noSuch"]
    assert {row["error"]["hresult"] for row in rows if row.get("error")} == {"0x8007000d"}
    # The engine lets properties that cannot be read be nothing.
    assert [row["locations"] for row in rows if row["kind"] == "locations"] == [[]]


def test_writing() -> None:
    drop = {**WRITE, "changes": [{"do": "drop", "whole": True}]}
    move = [
        {"do": "remove", "match": {"name": "other"}},
        {**RULE, "values": {"name": "other"}, "before": {"name": RULE["values"]["name"]}},
    ]
    steps = [
        {**WRITE, "changes": [RULE, {**RULE, "values": {"name": "other", "enabled": False}}]},
        READ,
        {**WRITE, "changes": move},
        READ,
        drop,
        READ,
    ]
    told = answers(*steps)["steps"]
    assert [told[number]["objects"] for number in ("0", "2", "4")] == [[{"committed": True}]] * 3


@pytest.mark.parametrize(
    ("step", "class_name"),
    [
        ({"changes": [RULE, RULE]}, "Mailedge.IisDuplicate"),
        ({"changes": [{"do": "remove", "match": {"name": "gone"}}]}, "Mailedge.IisChanged"),
        (
            {
                "section": IP_SECURITY,
                "commit": SITE,
                "changes": [{"do": "set", "values": {"allowUnlisted": False}}],
            },
            "Mailedge.IisLocked",
        ),
        ({"path": f"{APPHOST}/No Site", "changes": [RULE]}, "Mailedge.IisFailed"),
        ({"changes": [{"do": "set", "values": {"noSuch": 1}}]}, "Mailedge.IisFailed"),
        ({"order": ["name"], "changes": [RULE]}, "Mailedge.BadRequest"),
    ],
)
def test_refusals(step: t.Mapping[str, t.Any], class_name: str) -> None:
    told = answers(READ_NOTHING, {**WRITE, **step})
    assert told["error"]["class"] == class_name


def test_a_busy_file() -> None:
    def held(server: ExchangeHost) -> None:
        iis: Iis = server.windows.iis
        iis.store.held.add(f"{iis.store.folder}\\applicationHost.config".casefold())

    assert (
        answers(READ_NOTHING, {**WRITE, "changes": [RULE]}, make=held)["error"]["class"]
        == "Mailedge.IisBusy"
    )
