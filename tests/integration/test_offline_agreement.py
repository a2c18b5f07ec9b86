# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump is judged as its server is: whatever a run in check mode says of a server of the lab, it
says of the dump as well; and nothing is ever written by way of one.
"""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import recipes
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.layer import ExchangeLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import Refused
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.run import (
    Task,
    execute,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent, AgentError
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_port import (
    AgentPort,
    Options,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._offline import dumps
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._offline.agent import DumpAgent
from ansible_collections.mailedge.lockdown.tests.lab import standin
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.support.dumps import by_standin
from ansible_collections.mailedge.lockdown.tests.support.lab_connectors import create, grant

QUICK = ("2007", "2016")
LAN, PROVIDER = ["10.20.0.0/16"], ["198.51.100.0/24"]
ANYBODY = "0.0.0.0-255.255.255.255"
RANGES = st.sampled_from([PROVIDER, LAN, ["10.20.1.11"], [ANYBODY], ["203.0.113.0-203.0.113.99"]])
GROUPS = st.sampled_from(["AnonymousUsers", "ExchangeServers", "AnonymousUsers, ExchangeServers"])


def layer() -> ExchangeLayer:
    """A lock of the way in."""
    networks = SiteNetworks(
        provider=RangeSet.parse(PROVIDER), own_networks=RangeSet.parse(LAN), inbound_lock=True
    )
    site = {
        "provider_ranges": PROVIDER,
        "own_networks": LAN,
        "exchange_servers": [],
        "hybrid_ranges": [],
    }
    lock = {"name": "mailedge inbound", "keep_unnamed": False}
    return ExchangeLayer(networks, lambda state: recipes.inbound_lock(state, {**lock, **site}))


def live(host: ExchangeHost) -> Agent:
    return Agent(lambda stdin: (0, standin.answer(host, stdin), b""), 60)


def dumped(host: ExchangeHost) -> DumpAgent:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "dump.json")
        path.write_text(by_standin(host), encoding="utf-8")
        return DumpAgent(dumps.read(path))


def result(agent: Agent, **task: t.Any) -> dict[str, t.Any]:
    """What a run ends in, without what it cost."""
    port = AgentPort(agent, layer(), Options({"way": "auto"}))
    try:
        told = execute(layer(), port, Task(**{"check_mode": True, "diff": True, **task}))
    except Refused as refused:
        told = {**refused.result, "failed": True, "msg": str(refused)}
    return {name: value for name, value in told.items() if name != "cost"}


def assert_agree(host: ExchangeHost) -> dict[str, t.Any]:
    expected = result(live(host))
    assert result(dumped(host)) == expected
    return expected


@pytest.mark.parametrize(
    "edition",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.long)
        for name in sorted(EDITIONS)
    ],
)
def test_a_server_and_its_dump_are_told_of_alike(edition: str, tmp_path: pathlib.Path) -> None:
    host = defaults.site(EDITIONS[edition], "EX1", "birke.example", folder=tmp_path)
    assert assert_agree(host)["state"] == "open"
    result(live(host), check_mode=False, accept_risks=["unnamed_senders_shut_out"])
    assert assert_agree(host)["state"] == "in order"


@settings(max_examples=8)
@given(
    edition=st.sampled_from(["2007", "2010", "2016", "edge"]),
    made=st.lists(st.tuples(RANGES, GROUPS, st.booleans(), st.booleans()), max_size=3),
    locked=st.booleans(),
)
def test_whatever_a_site_has_made_of_its_connectors_the_dump_tells(
    edition: str, made: list[tuple[list[str], str, bool, bool]], locked: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        host = defaults.site(EDITIONS[edition], "EX1", "birke.example", folder=pathlib.Path(folder))
        if locked:
            result(live(host), check_mode=False, accept_risks=["unnamed_senders_shut_out"])
        for number, (ranges, groups, enabled, relays) in enumerate(made):
            try:
                connector = create(
                    host,
                    f"Own {number}",
                    Bindings=["0.0.0.0:25"],
                    RemoteIPRanges=ranges,
                    PermissionGroups=groups,
                    Enabled=enabled,
                )
            except ExchangeError:
                continue  # The server refuses what collides.
            if relays:
                grant(host, connector, "ms-Exch-SMTP-Accept-Any-Recipient")
        assert_agree(host)


def test_nothing_is_written_by_way_of_a_dump(tmp_path: pathlib.Path) -> None:
    host = defaults.site(EDITIONS["2016"], "EX1", "birke.example", folder=tmp_path)
    told = result(dumped(host), check_mode=False, accept_risks=["unnamed_senders_shut_out"])
    assert told["failed"]
    assert not told["changed"]
    assert told["msg"].startswith(
        "What is known of ex1.birke.example comes from the dump dump.json, to which nothing can be "
        "written. Nothing was changed."
    )


def test_what_a_dump_does_not_tell_is_an_error_of_who_asks(tmp_path: pathlib.Path) -> None:
    host = defaults.site(EDITIONS["2016"], "EX1", "birke.example", folder=tmp_path)
    agent = dumped(host)
    port = AgentPort(agent, layer(), Options({"way": "auto"}))
    steps = port.reading_steps()
    asked = [
        {"op": "firewall_read", "id": "firewall"},
        # The name of a step that the dump has, and another question.
        {**next(step for step in steps if step["id"] == "receive"), "select": ["Name", "Else"]},
    ]
    for step in asked:
        with pytest.raises(AgentError, match="does not tell this") as caught:
            agent.run({"steps": [*(each for each in steps if each["id"] != step["id"]), step]})
        assert caught.value.step == step["id"]
        assert caught.value.answer["steps"]["send"]["ok"]
        optional = {**step, "optional": True}
        assert not agent.run({"steps": [optional]})["steps"][step["id"]]["ok"]


def test_what_failed_at_the_server_is_no_empty_table(tmp_path: pathlib.Path) -> None:
    host = defaults.site(EDITIONS["2016"], "EX1", "birke.example", folder=tmp_path)
    agent = dumped(host)
    failed = {"ok": False, "error": {"class": "AccessDenied", "id": "", "message": "No access."}}
    answer = {**agent._dump.answer, "steps": {**agent._dump.answer["steps"], "rights": failed}}
    broken = DumpAgent(dataclasses.replace(agent._dump, answer=answer))
    with pytest.raises(AgentError, match="No access"):
        result(broken)
