# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry, services, WMI, files, updates and certificates of a lab host refuse what Windows
refuses.
"""

from __future__ import annotations

import datetime
import json
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.runner import run_powershell
from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError, ComObject
from ansible_collections.mailedge.lockdown.tests.lab.windows.defaults import SYSTEM_KEY, build_of
from ansible_collections.mailedge.lockdown.tests.lab.windows.registry import RegistryKey
from ansible_collections.mailedge.lockdown.tests.lab.windows.updates import Update
from ansible_collections.mailedge.lockdown.tests.support.engine import PWSH, needs_engine

KEY = r"SOFTWARE\Example\Inner"


@pytest.fixture
def host() -> ExchangeHost:
    host = ExchangeHost("EX1", "2019", Directory("example.test"))
    host.windows.registry.set(KEY, "Number", 0xFFFFFFFF)
    host.windows.registry.set(KEY, "Text", "x")
    return host


def opened(host: ExchangeHost, path: str, writable: bool = False) -> RegistryKey | None:
    return t.cast("RegistryKey | None", host.windows.machine_key.call("OpenSubKey", path, writable))


def refused(key: ComObject | None, method: str, *arguments: t.Any) -> str:
    assert key is not None
    with pytest.raises(ComError) as caught:
        key.call(method, *arguments)
    return caught.value.class_name


def test_a_key_that_is_missing_is_nothing_and_one_that_is_denied_an_error(
    host: ExchangeHost,
) -> None:
    assert opened(host, r"SOFTWARE\Nothing") is None
    assert opened(host, KEY.upper()) is not None
    host.windows.registry.denied.add(KEY.casefold())
    assert refused(host.windows.machine_key, "OpenSubKey", KEY) == "SecurityException"


def test_a_number_comes_with_a_sign_and_a_missing_value_as_what_was_asked_for(
    host: ExchangeHost,
) -> None:
    key = opened(host, KEY)
    assert key is not None
    assert key.call("GetValue", "number") == -1
    assert key.call("GetValue", "Missing", "default") == "default"
    assert key.call("GetValueKind", "Number") == "DWord"
    assert refused(key, "GetValueKind", "Missing") == "IOException"
    assert key.get("ValueCount") == 2


def test_what_was_opened_for_reading_is_not_written(host: ExchangeHost) -> None:
    key = opened(host, KEY)
    assert refused(key, "SetValue", "Number", 1, "DWord") == "UnauthorizedAccessException"
    assert refused(key, "DeleteValue", "Number", False) == "UnauthorizedAccessException"
    assert refused(key, "CreateSubKey", "More") == "UnauthorizedAccessException"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("1", "DWord"),
        (True, "DWord"),
        (1, "String"),
        ("x", "MultiString"),
        (["300"], "Binary"),
        (1, "X"),
    ],
)
def test_data_has_to_fit_its_kind(host: ExchangeHost, data: t.Any, kind: str) -> None:
    assert refused(opened(host, KEY, True), "SetValue", "Number", data, kind) == "ArgumentException"
    assert host.windows.registry.get(KEY, "Number") == 0xFFFFFFFF


def test_a_key_with_keys_below_it_is_not_deleted(host: ExchangeHost) -> None:
    machine = host.windows.machine_key
    assert refused(machine, "DeleteSubKey", r"SOFTWARE\Example") == "InvalidOperationException"
    machine.call("DeleteSubKey", KEY)
    assert opened(host, KEY) is None
    assert refused(machine, "DeleteSubKey", KEY) == "ArgumentException"
    machine.call("DeleteSubKey", KEY, False)


def test_a_value_that_is_missing_is_deleted_without_a_word_only_if_one_says_so(
    host: ExchangeHost,
) -> None:
    key = opened(host, KEY, True)
    assert refused(key, "DeleteValue", "Missing") == "ArgumentException"
    assert key is not None
    key.call("DeleteValue", "Missing", False)


def test_the_history_of_updates_fails_for_none_and_gives_what_there_is(host: ExchangeHost) -> None:
    history = host.windows.history
    searcher = t.cast(
        ComObject, host.windows.create("Microsoft.Update.Session").call("CreateUpdateSearcher")
    )
    now = datetime.datetime(2026, 11, 1)
    history.updates = [
        Update("older", now - datetime.timedelta(days=1)),
        Update("newer", now, categories=None),
    ]
    assert searcher.call("GetTotalHistoryCount") == 2
    updates = t.cast(ComObject, searcher.call("QueryHistory", 0, 50))
    assert updates.get("Count") == 2
    first = t.cast(ComObject, updates.call("Item", 0))
    assert first.get("Title") == "newer"
    with pytest.raises(ComError):
        first.get("Categories")
    assert refused(searcher, "QueryHistory", 2, 1) == "ArgumentException"
    assert refused(updates, "Item", 2) == "ArgumentException"
    history.updates.clear()
    assert refused(searcher, "QueryHistory", 0, 0) == "ArgumentException"


def test_what_is_not_there_is_refused_by_cmdlets_in_their_classes(host: ExchangeHost) -> None:
    windows = host.windows
    for ask, class_name in (
        (lambda: windows.services.status("nothing"), "ServiceCommandException"),
        (lambda: windows.files.get(r"C:\nothing"), "ItemNotFoundException"),
        (lambda: windows.wmi.query("Win32_Nothing"), "ManagementException"),
        (lambda: windows.store(r"Cert:\LocalMachine\Nothing"), "ItemNotFoundException"),
    ):
        with pytest.raises(ExchangeError) as caught:
            ask()
        assert caught.value.class_name == class_name
    windows.wmi.broken = True
    with pytest.raises(ExchangeError) as caught:
        windows.wmi.query("Win32_ComputerSystem")
    assert caught.value.class_name == "COMException"


@pytest.mark.parametrize("edition", EDITIONS)
def test_windows_goes_with_its_exchange(edition: str) -> None:
    host = ExchangeHost("EX1", edition, Directory("example.test"))
    registry = host.windows.registry
    build = build_of(host.edition)
    assert registry.get(SYSTEM_KEY, "CurrentBuild") == str(build)
    assert (registry.get(SYSTEM_KEY, "UBR") is None) == (build < 14393)
    assert (
        registry.find(
            r"SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2"
        )
        is None
    )
    numbers = host.windows.files.get(rf"{host.edition.install_path}Bin\ExSetup.exe").numbers
    assert numbers == host.edition.build


@needs_engine
def test_a_script_in_a_real_engine_meets_the_same(host: ExchangeHost) -> None:
    host.windows.registry.denied.add(r"software\denied")
    script = r"""
        function Get-Class($block) {
            try { [void](& $block); 'none' }
            catch { $_.Exception.GetBaseException().GetType().Name }
        }
        $machine = Get-Item -LiteralPath 'HKLM:\'
        $key = $machine.OpenSubKey('SOFTWARE\Example\Inner', $true)
        $read = $machine.OpenSubKey('SOFTWARE\Example\Inner')
        $wmi = @(Get-WmiObject Win32_QuickFixEngineering)[0]
        ConvertTo-Json -Compress @(
            $key.GetValue('Number'), $key.GetValueKind('Text'),
            ($null -eq $machine.OpenSubKey('SOFTWARE\Nothing')),
            (Get-Class { $machine.OpenSubKey('SOFTWARE\Denied') }),
            (Get-Class { $read.SetValue('Number', 1, 'DWord') }),
            (Get-Class { $key.SetValue('Number', 'x', 'DWord') }),
            ($null -eq $wmi.InstalledOn), ($wmi.GetPropertyValue('InstalledOn') -ne ''),
            (Get-Class { $wmi.GetPropertyValue('Nothing') }),
            (@(Get-ChildItem 'Cert:\LocalMachine\My')[0].NotAfter.Kind.ToString())
        )
    """
    code, stdout, stderr = run_powershell(host, script, b"", PWSH)
    assert (code, stderr) == (0, b"")
    said = json.loads(stdout)
    assert said[0] == -1
    assert said[1:3] == ["String", True]
    assert said[3:6] == ["SecurityException", "UnauthorizedAccessException", "ArgumentException"]
    assert said[6:8] == [True, True]
    assert said[8] != "none"
    assert said[9] == "Local"
