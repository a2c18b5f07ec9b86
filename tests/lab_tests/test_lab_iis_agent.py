# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's IIS by the two ways of the agent: ahadmin's objects in a real engine, and the
stand-in's operations.
"""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.runner import run_powershell
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis import errors
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.standin import (
    OPERATIONS,
    AgentError,
)
from ansible_collections.mailedge.lockdown.tests.support.engine import PWSH, needs_engine
from ansible_collections.mailedge.lockdown.tests.support.iis import (
    APPHOST,
    IP_SECURITY,
    RULES,
    SITE,
)

STRANGER = "203.0.113.5"
RULE: dict[str, t.Any] = {
    "do": "insert",
    "element": "rule",
    "before": None,
    "values": {"name": "ours: ecp", "stopProcessing": True},
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
WRITE = {
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
READ = {
    "op": "iis_read",
    "site": "default web site",
    "also": ["/EWS/mrsproxy.svc"],
    "mentions": ["rewrite"],
    "registry": [
        ["HKLM:\\SOFTWARE\\Microsoft\\InetStp", "MajorVersion"],
        ["HKLM:\\SOFTWARE\\Microsoft\\IIS Extensions\\URL Rewrite", "Version"],
    ],
    "sections": [
        {
            "name": RULES,
            "at": [APPHOST],
            "each": True,
            "spec": {
                "metadata": ["effectiveOverrideMode", "noSuch"],
                "items": {
                    "values": ["name", "enabled", "noSuch"],
                    "metadata": ["deepestPathSet"],
                    "children": {"match": {"values": ["url"]}, "noSuch": {}},
                },
                "inherited": {"values": ["name"], "metadata": ["deepestPathSet"]},
            },
        },
        {
            "name": "system.webServer/modules",
            "each": "set",
            "spec": {"items": {"values": ["name"]}, "only": ["rewritemodule"]},
        },
    ],
}


@pytest.fixture
def host() -> ExchangeHost:
    return ExchangeHost("EX1", "2019", Directory("example.test"))


def run(host: ExchangeHost, step: t.Mapping[str, t.Any], **more: t.Any) -> list[dict[str, t.Any]]:
    return OPERATIONS[step["op"]](host.windows, {**step, **more})


def of_kind(rows: t.Sequence[dict[str, t.Any]], kind: str) -> list[dict[str, t.Any]]:
    return [row for row in rows if row["kind"] == kind]


def test_a_change_and_back(host: ExchangeHost) -> None:
    iis = host.windows.iis
    before = iis.text
    assert run(host, WRITE, changes=[RULE]) == [{"committed": True}]
    assert str(iis.request("/ecp/", STRANGER)) == "403"
    assert str(iis.request("/ecp/", "10.0.0.1")) == "302"
    assert run(host, WRITE, changes=[{"do": "drop", "whole": True}]) == [{"committed": True}]
    # The location was there before, with other sections.
    assert iis.text == before


def test_a_location_of_ours_goes_with_its_last_section(host: ExchangeHost) -> None:
    before = host.windows.iis.text
    path = "Default Web Site/mapi/nspi"
    changes = [
        {
            "do": "insert",
            "element": "add",
            "values": {"ipAddress": "10.0.0.0", "subnetMask": "255.0.0.0", "allowed": True},
        },
        {"do": "set", "values": {"allowUnlisted": False}},
    ]
    step = {**WRITE, "path": f"{APPHOST}/{path}", "location": path, "section": IP_SECURITY}
    run(host, step, changes=changes)
    assert f'<location path="{path}">' in host.windows.iis.text
    run(
        host,
        step,
        changes=[{"do": "set", "values": {"allowUnlisted": None}}, {"do": "drop", "whole": True}],
    )
    assert host.windows.iis.text == before


def test_rows(host: ExchangeHost) -> None:
    host.windows.iis.put_web_config("/ecp", "<!-- Rewrite --><system.webServer />")
    run(host, WRITE, changes=[RULE])
    rows = run(host, READ)
    assert [row["value"] for row in of_kind(rows, "registry")] == [10, "7.2.1993"]
    paths = [row["path"] for row in of_kind(rows, "path")]
    assert paths[:3] == [SITE, f"{SITE}/owa", f"{SITE}/owa/Calendar"]
    assert paths[-1] == f"{SITE}/EWS/mrsproxy.svc"
    assert [row["path"] for row in of_kind(rows, "web_config")] == [f"{SITE}/ecp"]
    sections = {(row["section"], row["path"]): row for row in of_kind(rows, "section")}
    (ours,) = sections[RULES, SITE]["node"]["items"]
    assert ours == {
        "values": {"name": "ours: ecp", "enabled": True},
        "metadata": {"deepestPathSet": SITE},
        "children": {"match": {"values": {"url": r"^/*ecp(?:[/.;\s]|$)"}}},
        "index": 0,
    }
    assert "children" not in sections[RULES, f"{SITE}/owa"]["node"]["items"][0]
    assert sections[RULES, SITE]["node"]["metadata"] == {
        "effectiveOverrideMode": "Allow",
        "noSuch": None,
    }
    modules = [path for name, path in sections if name.endswith("modules")]
    assert modules == [SITE, f"{SITE}/ecp"]


def test_each_refusal_has_its_class(host: ExchangeHost) -> None:
    iis = host.windows.iis

    def refused(**more: t.Any) -> tuple[str, str]:
        before = iis.text
        with pytest.raises(AgentError) as caught:
            run(host, WRITE, **more)
        assert iis.text == before
        return caught.value.class_name, caught.value.error_id

    run(host, WRITE, changes=[RULE])
    assert refused(changes=[RULE]) == ("Mailedge.IisDuplicate", "0x800700b7")
    gone = {"do": "remove", "match": {"name": "gone"}}
    assert refused(changes=[gone]) == ("Mailedge.IisChanged", "Mailedge.IisChanged")
    locked = {
        "section": IP_SECURITY,
        "commit": SITE,
        "changes": [{"do": "set", "values": {"allowUnlisted": False}}],
    }
    assert refused(**locked) == ("Mailedge.IisLocked", "0x80070021")
    assert refused(path=f"{APPHOST}/No Site", changes=[RULE]) == (
        "Mailedge.IisFailed",
        "0x80070002",
    )
    iis.store.held.add(f"{iis.store.folder}\\applicationHost.config".casefold())
    other = {**RULE, "values": {"name": "other"}}
    assert refused(changes=[other]) == ("Mailedge.IisBusy", "0x80070020")
    iis.store.denied = True
    assert refused(changes=[other]) == ("Mailedge.IisDenied", "0x80070005")


@pytest.mark.parametrize("number", [errors.E_SHARING_VIOLATION, errors.E_LOCK_VIOLATION])
def test_a_colleague_who_saves_meanwhile_is_not_overwritten(
    host: ExchangeHost, number: int
) -> None:
    iis = host.windows.iis
    iis.store.changed_number = number
    iis.once_before_commit(lambda: iis.replace("An invented server", "A colleague"))
    assert run(host, WRITE, changes=[RULE]) == [{"committed": True}]
    assert "A colleague" in iis.text
    assert str(iis.request("/ecp/", STRANGER)) == "403"


SCRIPT = r"""
    $apphost = 'MACHINE/WEBROOT/APPHOST'
    $manager = New-Object -ComObject 'Microsoft.ApplicationHost.WritableAdminManager'
    $manager.CommitPath = $apphost
    $rules = 'system.webServer/rewrite/rules'
    $section = $manager.GetAdminSection($rules, "$apphost/Default Web Site")
    $rule = $section.Collection.CreateNewElement('rule')
    $rule.Properties.Item('name').Value = 'ours'
    $rule.ChildElements.Item('match').Properties.Item('url').Value = '^/*ecp'
    $conditions = $rule.ChildElements.Item('conditions')
    $condition = $conditions.Collection.CreateNewElement('add')
    $condition.Properties.Item('input').Value = '{REMOTE_ADDR}'
    $condition.Properties.Item('pattern').Value = '^10\.'
    $condition.Properties.Item('negate').Value = $true
    [void]$conditions.Collection.AddElement($condition, 0)
    $rule.ChildElements.Item('action').Properties.Item('type').Value = 3
    [void]$section.Collection.AddElement($rule, [int]$section.Collection.Count)
    [void]$manager.CommitChanges()
    $errors = @()
    foreach ($try in { $section.Properties.Item('noSuch') },
        { $manager.GetAdminSection('system.webServer/x', $apphost) },
        { $manager.GetAdminSection($rules, "$apphost/x") },
        { $section.Collection.DeleteElement(9) }) {
        try { [void](& $try) } catch {
            $base = $_.Exception.GetBaseException()
            $number = [System.Runtime.InteropServices.Marshal]::GetHRForException($base)
            $errors += '{0} {1:x8}' -f $base.GetType().Name, $number
        }
    }
    $reader = New-Object -ComObject 'Microsoft.ApplicationHost.AdminManager'
    $ecp = $reader.GetAdminSection($rules, "$apphost/Default Web Site/ecp")
    $read = $ecp.Collection.Item(0)
    $condition = $read.ChildElements.Item('conditions').Collection.Item(0)
    ConvertTo-Json -Depth 5 @{ errors = $errors
        name = $read.Properties.Item('name').Value
        level = $read.GetMetadata('deepestPathSet')
        enabled = $read.Properties.Item('enabled').Value.GetType().Name
        negate = $condition.Properties.Item('negate').Value }
"""


@needs_engine
def test_a_script_in_a_real_engine(host: ExchangeHost) -> None:
    code, output, problems = run_powershell(host, SCRIPT, b"", PWSH)
    assert (code, problems) == (0, b""), output
    assert json.loads(output) == {
        "errors": [
            "COMException 80070585",
            "COMException 8007000d",
            "FileNotFoundException 80070002",
            "COMException 80070585",
        ],
        "name": "ours",
        "level": SITE,
        "enabled": "Boolean",
        "negate": True,
    }
    assert str(host.windows.iis.request("/ecp/", STRANGER)) == "403"
    assert str(host.windows.iis.request("/ecp/", "10.0.0.1")) == "302"


def test_an_edge_server_has_none() -> None:
    edge = ExchangeHost("EX2", "edge", Directory("example.test"))
    (process, *registry) = run(edge, READ)
    assert process["error"]["hresult"] == "0x80040154"
    assert [row["value"] for row in registry] == [None, None]
