# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""COM objects of a lab host: a script in a real engine meets them as it would on Windows."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.runner import run_powershell
from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError, ComObject, Value
from ansible_collections.mailedge.lockdown.tests.support.engine import PWSH, needs_engine


class Rule(ComObject):
    properties = ("Name", "Ports", "Broken")

    def __init__(self, name: str) -> None:
        self.name: Value = name
        self.ports: Value = None

    def get_name(self) -> Value:
        return self.name

    def get_ports(self) -> Value:
        return self.ports

    def set_ports(self, value: Value) -> None:
        if value == "bad":
            raise ComError(
                0x80070057, "Value does not fall within the expected range.", "ArgumentException"
            )
        self.ports = value

    def get_broken(self) -> Value:
        raise ComError(0x80070585, "Invalid index. (Exception from HRESULT: 0x80070585)")


class Rules(ComObject):
    properties = ("Count",)
    methods = ("Item", "Add", "Names")
    enumerable = True

    def __init__(self, *rules: Rule) -> None:
        self.held = list(rules)

    def items(self) -> list[ComObject]:
        return list(self.held)

    def get_count(self) -> Value:
        return len(self.held)

    def call_item(self, key: Value) -> Value:
        for rule in self.held:
            if rule.name == key:
                return rule
        raise ComError(0x80070002, "Unable to find the specified file.", "FileNotFoundException")

    def call_add(self, rule: Value) -> None:
        assert isinstance(rule, Rule)
        self.held.append(rule)

    def call_names(self, *arguments: Value) -> Value:
        return [*arguments, *(rule.name for rule in self.held)]


class Policy(ComObject):
    properties = ("Rules",)
    methods = ("Enabled",)

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def get_rules(self) -> Value:
        return self.rules

    def call_enabled(self, profile: Value) -> Value:
        return profile == 2


@pytest.fixture
def host() -> ExchangeHost:
    host = ExchangeHost("EX1", "2019", Directory("example.test"))
    rules = Rules(Rule("first"), Rule("first"), Rule("second"))
    host.windows.classes["lab.policy"] = lambda: Policy(rules)
    host.windows.classes["lab.rule"] = lambda: Rule("new")
    return host


def said(host: ExchangeHost, script: str) -> t.Any:
    """What a script says, as JSON."""
    # Windows PowerShell gives the class of an error as .NET does.
    helpers = """
        function Get-Hresult($record) {
            $base = $record.Exception.GetBaseException()
            $number = [System.Runtime.InteropServices.Marshal]::GetHRForException($base)
            '{0} {1:X8}' -f $base.GetType().Name, $number
        }
        $policy = New-Object -ComObject Lab.Policy
    """
    code, output, errors = run_powershell(host, f"{helpers}\n{script}", b"", PWSH)
    assert (code, errors) == (0, b""), output
    return json.loads(output)


@needs_engine
def test_properties_methods_and_items(host: ExchangeHost) -> None:
    script = """
        $names = @(); foreach ($rule in $policy.Rules) { $names += $rule.Name; $rule.Ports = '25' }
        $rules = $policy.Rules
        $new = New-Object -ComObject Lab.Rule
        $rules.Add($new)
        ConvertTo-Json -Depth 5 @{ names = $names; count = $rules.Count
            on = $policy.Enabled(2); off = $policy.Enabled(1)
            type = $policy.Enabled(2).GetType().Name; ports = $rules.Item('second').Ports
            all = @($policy.Rules.Names(7, $null, $true))
            unknown = $policy.NoSuchThing }
    """
    assert said(host, script) == {
        "names": ["first", "first", "second"],
        "count": 3,
        "on": True,
        "off": False,
        "ports": "25",
        "all": [7, None, True, "first", "first", "second", "new"],
        "type": "Boolean",
        "unknown": None,
    }


@needs_engine
def test_errors_have_the_class_and_the_number_of_windows(host: ExchangeHost) -> None:
    script = """
        $errors = @()
        try { $policy.Rules.Item('third') } catch { $errors += Get-Hresult $_ }
        try { foreach ($rule in $policy.Rules) { $rule.Ports = 'bad' } }
        catch { $errors += Get-Hresult $_ }
        try { $errors += [string]($null -eq $policy.Rules.Item('first').Broken) }
        catch { $errors += Get-Hresult $_ }
        try { New-Object -ComObject No.Such.Class } catch { $errors += Get-Hresult $_ }
        ConvertTo-Json $errors
    """
    assert said(host, script) == [
        "FileNotFoundException 80070002",
        "ArgumentException 80070057",
        # The engine lets a property that cannot be read be nothing, outside of strict mode.
        "True",
        "COMException 80040154",
    ]


def test_the_same_in_python(host: ExchangeHost) -> None:
    policy = host.windows.create("Lab.Policy")
    rules = policy.get("Rules")
    assert isinstance(rules, ComObject)
    assert [rule.get("NAME") for rule in rules.items()] == ["first", "first", "second"]
    with pytest.raises(ComError) as caught:
        policy.get("NoSuchThing")
    assert caught.value.hresult == 0x80020006
    with pytest.raises(ComError) as caught:
        host.windows.create("No.Such.Class")
    assert caught.value.hresult == 0x80040154
