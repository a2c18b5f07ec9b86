# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every edition's default site: locked, the second run changes nothing, drift is named, the
rollback gives back the start.
"""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_snapshots import (
    MOST_SNAPSHOTS,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._mail_flow import shown
from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    BOTH,
    COLLEAGUE,
    INBOUND,
    PROVIDER,
    SITE,
    STRANGER,
    Wire,
    accepts,
    do,
    killed,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.support.reading import read

SBS = [name for name in EDITIONS if name.startswith("sbs")]


def exchange_servers_accepted(host: ExchangeHost) -> bool:
    return any(
        connector.values["Enabled"]
        and "ExchangeServers" in host.rights.read(connector.rights)
        and any(binding.port == 25 for binding in connector.values["Bindings"])
        for connector in host.receive_connectors()
    )


@pytest.mark.parametrize("edition", list(EDITIONS))
def test_default_site_is_locked_stays_locked_and_is_given_back(
    edition: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    wire = Wire(host)
    start = host.shown()
    assert accepts(host, STRANGER)

    checked = do(wire, BOTH, check=True)
    assert host.shown() == start, "check mode has written"
    done = do(wire, BOTH)
    assert not done.get("failed"), done["msg"]
    assert checked["plan"] == done["plan"]
    assert not accepts(host, STRANGER)
    assert accepts(host, PROVIDER)
    assert exchange_servers_accepted(host)
    if edition not in SBS:
        assert accepts(host, COLLEAGUE)

    starts, writes = wire.starts, host.counters["writes"]
    again = do(wire, BOTH)
    assert not again["changed"], again["plan"]
    assert wire.starts == starts + 1
    assert host.counters["writes"] == writes

    back = do(wire, {"snapshot": "latest"})
    assert not back.get("failed"), back["msg"]
    assert host.shown() == start
    assert not do(wire, {"snapshot": "latest"})["changed"], "a second rollback has undone the first"


@pytest.mark.parametrize("edition", list(EDITIONS))
def test_original_is_the_state_before_the_first_of_several_changes(
    edition: str, tmp_path: pathlib.Path
) -> None:
    """A refresh of the ranges is a change as well: taking it back leaves the door locked, and that
    is said.
    """
    host = defaults.site(edition, folder=tmp_path)
    wire = Wire(host)
    start = host.shown()
    more = {**BOTH, "provider_ranges": ["198.51.100.0/24", "203.0.113.0/25"]}
    for arguments in (BOTH, more):
        done = do(wire, arguments)
        assert not done.get("failed"), done["msg"]
    first = done["snapshot"]["name"]
    back = do(wire, {"snapshot": "latest"})
    assert not back.get("failed"), back["msg"]
    assert back["restored"] == first
    [further] = back["further"]
    assert not accepts(host, STRANGER), "the range is taken back, and the lock stays"
    checked = do(wire, {"snapshot": "original"}, check=True)
    back = do(wire, {"snapshot": "original"})
    assert not back.get("failed"), back["msg"]
    assert back["plan"] == checked["plan"]
    assert back["restored"] == "original"
    assert host.shown() == start
    assert accepts(host, STRANGER)
    assert not do(wire, {"snapshot": "original"})["changed"]
    assert not do(wire, {"snapshot": further})["changed"]


def test_a_connector_that_is_gone_does_not_keep_the_others_from_being_restored(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2016", folder=tmp_path)
    wire = Wire(host)
    mine = {"name": "Scanner", "bindings": ["0.0.0.0:2526"], "remote_ip_ranges": ["10.20.9.9"]}
    assert not do(wire, {**SITE, "receive_connectors": [mine]}).get("failed")
    start = host.shown()
    done = do(wire, {**INBOUND, "receive_connectors": [{**mine, "comment": "second floor"}]})
    assert not done.get("failed"), done["msg"]
    host.invoke("Remove-ReceiveConnector", {"Identity": "EX1\\Scanner", "Confirm": False})
    back = do(wire, {"snapshot": "latest"})
    assert not back.get("failed"), back["msg"]
    assert back["not_restored"] == [
        (
            "The receive connector 'Scanner' is gone, so that its comment could not be restored; "
            "the rest was."
        )
    ]
    del start["receive_connectors"]["Scanner"]
    assert host.shown() == start
    assert accepts(host, STRANGER)


def test_the_first_snapshot_is_found_whatever_lies_before_it(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2016", folder=tmp_path)
    wire = Wire(host)
    start = host.shown()
    assert not do(wire, INBOUND).get("failed")
    [path] = tmp_path.rglob("*-apply.json")
    other = path.read_text(encoding="utf-8").replace('"layer": "exchange"', '"layer": "iis"')
    for number in range(2 * MOST_SNAPSHOTS + 1):
        # Of another layer, or of a rollback: none that is given back.
        text = other if number % 2 else other.replace('"layer": "iis"', '"layer": "exchange"')
        if not number % 2:
            text = text.replace('"reason": "apply"', '"reason": "rollback"')
        copy = path.with_name(f"20991231T000000.{number:03}Z-aaaaaa-apply.json")
        copy.write_text(text, encoding="utf-8")
        host.own(copy)
    locked = host.shown()
    starts = wire.starts
    for wanted in ("latest", path.name, "original"):
        back = do(wire, {"snapshot": wanted}, check=True)
        assert not back.get("failed"), back["msg"]
        assert back["changed"]
    # A name costs one call, and what lies behind the newest costs one more for every hundred.
    assert wire.starts - starts == 3 + 1 + 3
    assert host.shown() == locked
    back = do(wire, {"snapshot": "original"})
    assert not back.get("failed"), back["msg"]
    assert host.shown() == start


def test_a_snapshot_that_is_none_is_passed_over_and_named(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2016", folder=tmp_path)
    wire = Wire(host)
    start = host.shown()
    assert not do(wire, INBOUND).get("failed")
    [path] = tmp_path.rglob("*-apply.json")
    whole = json.loads(path.read_text(encoding="utf-8"))
    relay = {
        "table": "receive_connector",
        "key": "Relay",
        "place": None,
        "options": {"anonymous_relay": True},
    }
    ours = {
        "99991231T235959.000Z-aaaaaa-apply.json": path.read_text(encoding="utf-8").replace(
            '"EX1"', '"EX9"'
        ),
        "99991231T235958.000Z-aaaaaa-apply.json": path.read_text(encoding="utf-8")[:200],
        "99991231T235957.000Z-aaaaaa-apply.json": '{"meta": {"format": 99}}',
        "99991231T235956.000Z-aaaaaa-apply.json": "[" * 100_000,
    }
    theirs = {"99991231T235955.000Z-aaaaaa-apply.json": json.dumps({**whole, "desired": [relay]})}
    planted = {**ours, **theirs}
    for name, text in planted.items():
        path.with_name(name).write_text(text, encoding="utf-8")
        if name in ours:
            host.own(path.with_name(name))
    for name in planted:
        refused = do(wire, {"snapshot": name})
        assert refused["failed"]
        assert name in refused["msg"]
    back = do(wire, {"snapshot": "latest"})
    assert not back.get("failed"), back["msg"]
    assert host.shown() == start
    told = " ".join(back["warnings"])
    for name in planted:
        assert f"The snapshot {name} was passed over." in told
    assert "It is of the server EX9." in told
    # Any user can put a file into a folder that he made before we did.
    assert "and not to the administrators" in told


@pytest.mark.parametrize("edition", list(EDITIONS))
def test_what_somebody_opens_again_is_named_exactly(edition: str, tmp_path: pathlib.Path) -> None:
    host = defaults.site(edition, folder=tmp_path)
    wire = Wire(host)
    locked = do(wire, INBOUND)
    wide = next(
        name
        for name in locked["after"]["receive_connectors"]
        if not name.startswith("Mail from filter")
    )
    tampered = {"Identity": f"{host.name}\\{wide}"}
    if host.edition.generation.name != "RTM2007":
        tampered["Confirm"] = t.cast("t.Any", False)
    if "enabled" in locked["after"]["receive_connectors"][wide]:
        host.invoke("Set-ReceiveConnector", {**tampered, "Enabled": True})
    else:
        groups = ", ".join(
            ["AnonymousUsers", *sorted(read(host).receive[wide.casefold()]["permission_groups"])]
        )
        host.invoke("Set-ReceiveConnector", {**tampered, "PermissionGroups": groups})
    drift = do(wire, INBOUND, check=True)
    assert drift["changed"]
    assert list(drift["before"]["receive_connectors"]) == [wide]
    assert len(drift["plan"]) == 1
    assert wide in drift["plan"][0]
    internet = [
        line for line in drift["exposure"]["words"] if line.startswith("any internet address: ")
    ]
    assert "anonymous mail accepted" in internet[0]
    assert " → refused" in internet[0]


@pytest.mark.parametrize(
    "edition",
    [
        "2010",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in ("2007-rtm", "sbs-2011", "edge", "se")
        ),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("way", ["again", "rollback"])
def test_a_cut_at_every_write_never_shuts_out_the_provider_and_can_be_finished_or_undone(
    edition: str, when: str, way: str, tmp_path: pathlib.Path
) -> None:
    for number in itertools.count(1):
        folder = tmp_path / str(number)
        folder.mkdir()
        if not cut_at_write(defaults.site(edition, folder=folder), when, number, way):
            break
    assert number > 3, "a lock takes more writes than that"


def cut_at_write(host: ExchangeHost, when: str, number: int, way: str) -> bool:
    """Cut a lock at one write, then finish it or undo it; whether there was such a write."""
    wire = Wire(host)
    start = host.shown()
    writes = itertools.count(1)
    moments: list[bool] = []

    def cut(moment: str, cmdlet: str, _parameters: t.Mapping[str, t.Any]) -> None:
        if cmdlet.startswith("Get-") or not cmdlet.endswith(("Connector", "Permission")):
            return
        moments.append(accepts(host, PROVIDER))
        if moment == when and next(writes) == number:
            wire.cut_now = True
            raise killed()

    host.hooks.append(cut)
    failure = ""
    try:
        done = do(wire, BOTH)
    except AnsibleConnectionFailure as error:
        failure = str(error)
    else:
        assert not done.get("failed"), done["msg"]
    assert not failure or "while changes were being written" in failure
    host.hooks.clear()
    assert all(moments)
    assert accepts(host, PROVIDER)
    if way == "again":
        finished = do(wire, BOTH)
        assert not finished.get("failed"), finished["msg"]
        assert not accepts(host, STRANGER)
        assert not do(wire, BOTH)["changed"]
    else:
        back = do(wire, {"snapshot": "latest"})
        assert not back.get("failed"), back["msg"]
        assert host.shown() == start
    return bool(failure)


@pytest.mark.parametrize("edition", ["2007", "2019"])
@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("side", ["cut_before", "cut_after"])
def test_a_cut_around_every_remote_call_is_finished_by_the_next_run(
    edition: str, call: int, side: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    wire = Wire(host)
    setattr(wire, side, call)
    with pytest.raises(AnsibleConnectionFailure):
        do(wire, INBOUND)
    assert accepts(host, PROVIDER)
    done = do(wire, INBOUND)
    assert not done.get("failed"), done["msg"]
    assert accepts(host, PROVIDER)
    assert not accepts(host, STRANGER)


def test_the_real_server_plans_no_change_against_itself_and_locks(tmp_path: pathlib.Path) -> None:
    folder = os.environ.get("MAILEDGE_FIXTURES")
    if not folder:
        pytest.skip("MAILEDGE_FIXTURES is not set: no data of a real server")
    host = defaults.from_dump(folder, folder=tmp_path)
    wire = Wire(host)
    state = read(host)
    itself = {
        "receive_connectors": [shown(RECEIVE, connector) for connector in state.receive.values()],
        "send_connectors": [shown(SEND, connector) for connector in state.send.values()],
    }
    same = do(wire, itself)
    assert not same.get("failed"), same["msg"]
    assert not same["changed"], same["plan"]
    done = do(wire, {**INBOUND, "hybrid_ranges": ["40.92.0.0/15"]})
    assert not done.get("failed"), done["msg"]
    assert accepts(host, PROVIDER)
    assert not accepts(host, STRANGER)
    assert not do(wire, {**INBOUND, "hybrid_ranges": ["40.92.0.0/15"]})["changed"]


@pytest.mark.parametrize("ahead", [-7_200.0, 7_200.0])
def test_a_clock_that_is_wrong_stops_no_write(ahead: float, tmp_path: pathlib.Path) -> None:
    host = defaults.site("2016", folder=tmp_path)
    host.clock_ahead = ahead
    done = do(Wire(host), INBOUND)
    assert not done.get("failed"), done["msg"]
    assert not accepts(host, STRANGER)
