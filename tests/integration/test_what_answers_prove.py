# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe at a site whose door stands open behind something that refuses: what it is told is no
lock.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.control import (
    Sought,
    settled,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import ARGUMENTS
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.proof import judge_look
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.task import prepare
from ansible_collections.mailedge.lockdown.tests.integration.sending import change
from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.playing import play
from ansible_collections.mailedge.lockdown.tests.lab.site import PROVIDER_RANGES, SOURCES

STRANGER, FILTER = ("internet", "closed"), ("provider", "open")
CONNECTOR = "Default Frontend EX1"


def judged_from(
    lab: Lab, host: LabHost, *seekers: tuple[str, str], **more: t.Any
) -> list[tuple[str, str]]:
    """State and first sentence of a look of each role at one host, all in one task."""
    named = [
        {"name": role, "source_address": SOURCES[role], "expect": expect}
        for role, expect in seekers
    ]
    own = dict.fromkeys(ARGUMENTS["looks"]["options"])
    params = {
        **{name: option.get("default") for name, option in ARGUMENTS.items()},
        "targets": [host.front_end.address],
        "port": host.front_end.port,
        "sender": "probe@watchtower.example",
        "recipient": "postmaster@birke.example",
        "relay_recipient": "relay-check@watchtower.example",
        "own_domain_sender": "director@birke.example",
        "timeout": 5,
        "control_host": "127.0.0.1",
        "control_port": control_port(lab),
        **more,
        "looks": [{**own, **look} for look in named],
    }
    looks = [Sought(task.name, task.expect, task.take()[0]) for task in prepare(params)]
    judged = (judge_look(result, look.expect) for look, result in zip(looks, settled(looks)))
    return [(state, sentences[0]) for state, sentences in judged]


def control_port(lab: Lab) -> int:
    assert lab._greeter is not None
    return lab._greeter.port


def narrowed(client: LabClient) -> None:
    change(client, CONNECTOR, RemoteIPRanges=[text for text in PROVIDER_RANGES if ":" not in text])


@pytest.mark.parametrize("ails", ["not available", "not active"])
def test_a_server_that_is_down_is_not_locked(lab: Lab, host: LabHost, ails: str) -> None:
    """For one of the two: the very words of a server without a connector for the stranger."""
    host.mailbox.service = ails
    [(stranger, why), (filter_, _why)] = judged_from(lab, host, STRANGER, FILTER)
    assert (stranger, filter_) == ("unknown", "unknown")
    assert f"421 4.3.2 Service {ails}" in why
    host.mailbox.service = ""
    assert [state for state, _why in judged_from(lab, host, STRANGER, FILTER)] == [
        "open",
        "in order",
    ]


def test_a_connector_that_hears_only_the_filter_is_a_lock_once_the_filter_is_heard(
    lab: Lab, host: LabHost, client: LabClient
) -> None:
    narrowed(client)
    [(state, why)] = judged_from(lab, host, STRANGER)
    assert (state, "421 4.3.2 Service not available" in why) == ("unknown", True)
    assert "an allowed sender that is accepted at the same address" in why
    assert [state for state, _why in judged_from(lab, host, STRANGER, FILTER)] == [
        "in order",
        "in order",
    ]
    change(client, CONNECTOR, PermissionGroups="ExchangeServers")
    assert [state for state, _why in judged_from(lab, host, STRANGER, FILTER)] == [
        "unknown",
        "drift",
    ]


def test_exchanges_own_words_need_nobody_else(lab: Lab, host: LabHost, client: LabClient) -> None:
    change(client, CONNECTOR, PermissionGroups="ExchangeServers")
    [(state, why)] = judged_from(lab, host, STRANGER)
    assert (state, "530 5.7.57" in why) == ("in order", True)


def test_a_recipient_that_takes_only_members_says_nothing_about_the_door(
    lab: Lab, host: LabHost
) -> None:
    host.mailbox.members_only = {"postmaster@birke.example"}
    [(state, why), (filter_, _why)] = judged_from(lab, host, STRANGER, FILTER)
    assert (state, filter_) == ("unknown", "unknown")
    assert "Name a recipient that everybody may write to" in why


@pytest.mark.parametrize(
    "answer",
    [
        "530 5.7.0 Authentication required",
        "530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM",
        "550 5.7.1 Access denied",
        "250 2.1.0 OK",
    ],
)
def test_a_proxy_on_the_way_is_not_the_server(
    lab: Lab, host: LabHost, client: LabClient, answer: str
) -> None:
    lab.proxy.senders.add(SOURCES["internet"])
    lab.proxy.answer = answer
    [(state, why), (filter_, _why)] = judged_from(lab, host, STRANGER, FILTER)
    assert (state, filter_) == ("unknown", "in order")
    if not answer.startswith("550"):
        assert "both greet as proxy.isp.example" in why
    # Nobody who could tell: the filter is accepted, but by a server that greets as another one.
    if answer == "530 5.7.0 Authentication required":
        assert judged_from(lab, host, STRANGER, FILTER, control_host=None)[0][0] == "unknown"
    # What the proxy accepts for the filter is no proof that the server does.
    lab.proxy.senders.add(SOURCES["provider"])
    narrowed(client)
    assert [state for state, _why in judged_from(lab, host, STRANGER, FILTER)] == [
        "unknown",
        "unknown",
    ]


@pytest.mark.long
def test_a_play_names_the_proxy_and_is_not_green(lab: Lab) -> None:
    lab.proxy.senders.add(SOURCES["internet"])
    looks = [
        {"name": name, "source_address": SOURCES[name], "expect": expect}
        for name, expect in (STRANGER, FILTER)
    ]
    run = play("probe", lab.inventory, variables={"mailedge_probe_looks": looks})
    assert run.code != 0
    assert "birke: unknown" in run.output
    assert "internet at 127.0.1.1" in run.output
    assert "both greet as proxy.isp.example" in run.output
    assert run.looks()["provider"]["delivery"] == "open"
    assert len(lab.proxy.calls) == 2


@pytest.mark.long
def test_a_lock_that_narrows_is_proven_beside_an_allowed_sender_and_not_begun_without(
    lab: Lab, client: LabClient
) -> None:
    looks = [
        {"name": name, "source_address": SOURCES[name], "expect": expect}
        for name, expect in (STRANGER, FILTER)
    ]
    lock = {"mailedge_exchange_inbound": {"method": "narrow"}}
    before = client.dump("birke-ex1")["receive_connectors"]
    alone = play("apply", lab.inventory, variables={**lock, "mailedge_probe_looks": looks[:1]})
    assert alone.code != 0
    assert "Add a look from an address that is let in" in alone.output
    assert client.dump("birke-ex1")["receive_connectors"] == before
    both = play("apply", lab.inventory, variables={**lock, "mailedge_probe_looks": looks})
    assert both.code == 0, both.output
    assert "birke: in order" in both.output
    assert client.dump("birke-ex1")["meets"]["internet 203.0.113.9"] == "no connector"
