# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""windows_tls on the lab's Windows: set, unchanged, drift, given back, by the stand-in and by the
real engine.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.action.windows_tls import ActionModule
from ansible_collections.mailedge.lockdown.tests.integration.on_windows import Wire, do
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.windows.defaults import set_build
from ansible_collections.mailedge.lockdown.tests.support.lab_answers import WAYS

SCHANNEL = r"SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols"
SERVER, CLIENT = rf"{SCHANNEL}\TLS 1.2\Server", rf"{SCHANNEL}\TLS 1.2\Client"
NET = r"SOFTWARE\Microsoft\.NETFramework"
NET_32 = r"SOFTWARE\WOW6432Node\Microsoft\.NETFramework"
STRONG = ("SystemDefaultTlsVersions", "SchUseStrongCrypto")

pytestmark = pytest.mark.parametrize("engine", WAYS)


def ok(result: dict[str, t.Any]) -> dict[str, t.Any]:
    assert not result.get("failed"), result["msg"]
    return result


def refused(result: dict[str, t.Any]) -> str:
    assert result.get("failed"), result
    return str(result["msg"])


def wire_to(edition: str, engine: bool, folder: pathlib.Path) -> Wire:
    return Wire(defaults.site(edition, folder=folder), engine=engine)


def test_apply_again_drift_and_rollback(engine: bool, tmp_path: pathlib.Path) -> None:
    wire = wire_to("2019", engine, tmp_path)
    registry = wire.host.windows.registry
    start = registry.shown()

    checked = ok(do(ActionModule, wire, check=True))
    assert checked["changed"]
    assert checked["restart_needed"]
    assert registry.shown() == start
    assert wire.starts == 1
    assert checked["cost"] == {"powershell_starts": 1, "exchange_shells": 0}

    made = ok(do(ActionModule, wire))
    assert made["changed"]
    assert made["plan"] == checked["plan"]
    assert made["diff"] == checked["diff"]
    assert made["state"] == "in order"
    assert any("restarted" in warning for warning in made["warnings"])
    assert made["cost"] == {"powershell_starts": 2, "exchange_shells": 0}
    assert wire.starts == 3
    assert [
        registry.get(key, name)
        for key in (SERVER, CLIENT)
        for name in ("Enabled", "DisabledByDefault")
    ] == [
        1,
        0,
    ] * 2
    for half in (NET, NET_32):
        for version in ("v4.0.30319", "v2.0.50727"):
            assert [registry.get(rf"{half}\{version}", name) for name in STRONG] == [1, 1]
    assert registry.get(rf"{NET}\v4.0.30319", "AspNetEnforceViewStateMac") == 1
    assert (
        wire.host.counters["reads"],
        wire.host.counters["writes"],
        wire.host.counters["exchange_shells"],
    ) == (
        0,
        0,
        0,
    )

    again = ok(do(ActionModule, wire))
    assert (again["changed"], again["plan"], again["state"]) == (False, [], "in order")
    assert not again["restart_needed"]
    assert "warnings" not in again
    assert wire.starts == 4

    registry.set(SERVER, "Enabled", 0)
    registry.remove(rf"{NET}\v4.0.30319", "SchUseStrongCrypto")
    drift = ok(do(ActionModule, wire, check=True))
    assert drift["state"] == "drift"
    assert any("it was 0" in sentence for sentence in drift["plan"])
    assert any("it was missing" in sentence for sentence in drift["plan"])
    ok(do(ActionModule, wire))
    assert registry.get(SERVER, "Enabled") == 1

    back = ok(do(ActionModule, wire, {"snapshot": "original"}))
    assert back["changed"]
    assert registry.shown() == start, "absent is given back as absent, keys and all"
    nothing = ok(do(ActionModule, wire, {"snapshot": "original"}))
    assert not nothing["changed"]


def test_a_value_that_means_the_same_is_left_alone(engine: bool, tmp_path: pathlib.Path) -> None:
    wire = wire_to("2019", engine, tmp_path)
    registry = wire.host.windows.registry
    for key in (SERVER, CLIENT):
        # What Microsoft wrote in older articles.
        registry.set(key, "Enabled", 0xFFFFFFFF)
        registry.set(key, "DisabledByDefault", 0)
    result = ok(do(ActionModule, wire, {"dotnet": []}))
    assert (result["changed"], result["state"]) == (False, "in order")
    assert registry.get(SERVER, "Enabled") == 0xFFFFFFFF


def test_what_this_windows_does_by_itself_need_not_be_written(
    engine: bool, tmp_path: pathlib.Path
) -> None:
    wire = wire_to("2019", engine, tmp_path)
    implied: dict[str, t.Any] = {"explicit": False, "dotnet": []}
    assert not ok(do(ActionModule, wire, implied))["changed"]
    # Before Windows Server 2012, missing is off.
    set_build(wire.host.windows, 7601)
    assert ok(do(ActionModule, wire, implied))["changed"]
    assert wire.host.windows.registry.get(CLIENT, "DisabledByDefault") == 0


def test_a_colleague_between_read_and_write_stops_the_write(
    engine: bool, tmp_path: pathlib.Path
) -> None:
    wire = wire_to("2016", engine, tmp_path)
    registry = wire.host.windows.registry
    wire.before[2] = lambda: registry.set(SERVER, "DisabledByDefault", 1)
    message = refused(do(ActionModule, wire))
    assert "no longer as it was" in message
    assert registry.get(SERVER, "Enabled") is None
    assert registry.get(SERVER, "DisabledByDefault") == 1


def test_a_rollback_leaves_what_a_colleague_has_put_into_our_keys(
    engine: bool, tmp_path: pathlib.Path
) -> None:
    wire = wire_to("2019", engine, tmp_path)
    registry = wire.host.windows.registry
    ok(do(ActionModule, wire, {"dotnet": []}))
    registry.set(CLIENT, "Note", "of a colleague")
    back = ok(do(ActionModule, wire, {"snapshot": "latest"}))
    assert back["changed"]
    assert registry.find(SERVER) is None
    assert registry.get(CLIENT, "Note") == "of a colleague"
    assert registry.get(CLIENT, "Enabled") is None
    assert not ok(do(ActionModule, wire, {"snapshot": "latest"}))["changed"]


def test_a_value_of_another_kind_is_replaced_with_a_word_and_given_back(
    engine: bool, tmp_path: pathlib.Path
) -> None:
    wire = wire_to("2019", engine, tmp_path)
    registry = wire.host.windows.registry
    registry.set(SERVER, "Enabled", "1")
    start = registry.shown()
    made = ok(do(ActionModule, wire, {"dotnet": []}))
    assert "value_of_other_kind" in {guard["id"] for guard in made["guards"]}
    assert registry.shown()[rf"\{SERVER}"]["Enabled"] == ("DWord", 1)
    ok(do(ActionModule, wire, {"snapshot": "latest"}))
    assert registry.shown() == start


def test_a_windows_without_tls_12_is_refused(engine: bool, tmp_path: pathlib.Path) -> None:
    wire = wire_to("2007", engine, tmp_path)
    set_build(wire.host.windows, 6001)
    start = wire.host.windows.registry.shown()
    message = refused(do(ActionModule, wire, {"accept_risks": ["tls_12_unsupported"]}))
    assert "does not have it" in message
    assert wire.host.windows.registry.shown() == start
    assert wire.starts == 1
    set_build(wire.host.windows, 6002)
    assert "tls_12_needs_update" in {guard["id"] for guard in ok(do(ActionModule, wire))["guards"]}


def test_a_key_that_may_not_be_read_stops_everything(engine: bool, tmp_path: pathlib.Path) -> None:
    wire = wire_to("2019", engine, tmp_path)
    wire.host.windows.registry.denied.add(CLIENT.casefold())
    message = refused(do(ActionModule, wire))
    assert CLIENT in message
    assert wire.starts == 1
    assert wire.host.windows.registry.find(SERVER) is None


def test_a_key_that_may_not_be_written_is_told_with_what_was_done(
    engine: bool, tmp_path: pathlib.Path
) -> None:
    wire = wire_to("2019", engine, tmp_path)
    registry = wire.host.windows.registry
    # Whose owner lets administrators read it and no more.
    registry.read_only.add(CLIENT.casefold())
    result = do(ActionModule, wire, {"dotnet": []})
    message = refused(result)
    assert "UnauthorizedAccessException" in message or "SecurityException" in message
    assert len(result["done"]) == 2
    assert result["changed"]
    registry.read_only.clear()
    assert ok(do(ActionModule, wire, {"snapshot": "latest"}))["changed"]
    assert registry.find(rf"{SCHANNEL}\TLS 1.2") is None
