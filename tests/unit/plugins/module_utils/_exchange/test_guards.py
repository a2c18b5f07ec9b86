# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards: each speaks where it should, and is silent on a lock that does no harm."""

from __future__ import annotations

import datetime
import pathlib
import re
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import guards, recipes
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    SiteNetworks,
    apply_all,
    desired,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites
from ansible_collections.mailedge.lockdown.tests.support.guarded import (
    DEFAULT,
    FILTER,
    HUB,
    NAMED,
    STRIP,
    findings_of,
    networks_of,
    sentences_of,
    severities,
    severities_of,
)

HYBRID: dict[str, t.Any] = {
    "tls_domain_capabilities": ["mail.protection.outlook.com:AcceptCloudServicesMail"]
}
EXCHANGE_ONLINE = "192.0.2.0/24"


@pytest.mark.parametrize("state", [sites.modern(), sites.older(), sites.edge()])
def test_the_default_lock_of_a_described_site_wakes_no_guard(state: State) -> None:
    wish = recipes.inbound_lock(
        state,
        {
            "provider_ranges": [sites.PROVIDER],
            "own_networks": [sites.LAN],
            "exchange_servers": ["10.20.1.12"],
        },
    )
    networks = networks_of(**NAMED, inbound_lock=True)
    assert severities(state, networks, wish) == {"unnamed_senders_shut_out": "warn"}
    assert severities(apply_all(plan(state, wish), state), networks, wish) == {}


def test_every_guard_is_explained_and_every_explanation_is_a_guard_of_a_test() -> None:
    files = pathlib.Path(__file__).parent.glob("test_guards*.py")
    told = {
        name
        for file in files
        for name in re.findall(r"def test_guard_(\w+?)(?:__\w+)?\(", file.read_text("utf-8"))
    }
    assert told == set(guards.GUARDS)


def test_guard_leased() -> None:
    """tests/machine/test_lease.py has what becomes of a run that meets one."""
    now = datetime.datetime(2026, 1, 14, 10, 15, tzinfo=datetime.timezone.utc)
    held = lease.take("EX1", lease.Hold("night42", 60, "jana"), now)
    told = lease.finding(held, now, "other", undoes=False, meanwhile=False)
    assert told is not None
    assert (told.id, told.severity) == ("leased", "stop")
    assert lease.finding(held, now, "night42", undoes=True, meanwhile=False) is None


def test_guard_no_provider_range() -> None:
    assert severities_of(sites.modern(), SiteNetworks(), STRIP)["no_provider_range"] == "stop"
    assert "no_provider_range" not in severities_of(sites.modern(), SiteNetworks(), STRIP, FILTER)


@pytest.mark.parametrize(
    ("ranges", "speaks"),
    [
        (["0.0.0.0/0"], True),
        (["11.0.0.0/9"], True),
        (["11.0.0.0/10"], False),
        # As many addresses in all as no provider has.
        ([f"{first}.0.0.0/10" for first in (11, 13, 15, 17)], False),
        ([f"{first}.0.0.0/10" for first in (11, 13, 15, 17, 19)], True),
        (["2a00::/23"], True),
        (["2a00::/24"], False),
    ],
)
def test_guard_range_too_wide(ranges: list[str], speaks: bool) -> None:
    assert (
        "range_too_wide" in severities_of(sites.modern(), networks_of(provider=ranges))
    ) is speaks


def test_guard_private_range() -> None:
    told = networks_of(provider=[sites.PROVIDER, "192.168.4.4"])

    assert severities_of(sites.modern(), told)["private_range"] == "stop"
    assert "192.168.4.4" in sentences_of(sites.modern(), told)


def test_guard_provider_shut_out() -> None:
    told = networks_of(provider=[sites.PROVIDER, "203.0.113.0/25"])

    assert severities_of(sites.modern(), told, STRIP, FILTER)["provider_shut_out"] == "stop"
    assert "203.0.113.0/25" in sentences_of(sites.modern(), told, STRIP, FILTER)
    assert "198.51.100" not in sentences_of(sites.modern(), told, STRIP, FILTER)


def test_guard_provider_shut_out__never_accepted_is_only_told_unless_it_is_a_lock() -> None:
    state = sites.older(anonymous=False)

    assert (
        severities_of(state, networks_of(provider=[sites.PROVIDER]))["provider_shut_out"] == "warn"
    )
    assert (
        severities_of(state, networks_of(provider=[sites.PROVIDER], inbound_lock=True))[
            "provider_shut_out"
        ]
        == "stop"
    )


def test_guard_provider_shut_out__ipv6_counts_only_where_somebody_listens() -> None:
    told = networks_of(provider=[sites.PROVIDER, "2001:db8:100::/48"], inbound_lock=True)

    assert "provider_shut_out" in severities_of(sites.modern(), told, STRIP, FILTER)
    assert "provider_shut_out" not in severities_of(
        sites.edge(),
        told,
        {**FILTER, "bindings": ["0.0.0.0:25"]},
        {
            "name": f"Default internal receive connector {sites.NAME}",
            "permission_groups": ["ExchangeServers"],
        },
    )


def test_guard_own_networks_shut_out() -> None:
    told = networks_of(**NAMED)

    assert severities_of(sites.modern(), told, STRIP, FILTER)["own_networks_shut_out"] == "stop"
    assert "without a login" in sentences_of(sites.modern(), told, STRIP, FILTER)
    unnamed = networks_of(provider=[sites.PROVIDER])
    assert severities_of(sites.modern(), unnamed, STRIP, FILTER)["own_networks_shut_out"] == "stop"
    assert "No own_networks are named" in sentences_of(sites.modern(), unnamed, STRIP, FILTER)
    meant = severities_of(
        sites.modern(), unnamed, STRIP, FILTER, accept_risks=["own_networks_shut_out"]
    )
    assert meant["own_networks_shut_out"] == "warn"


def test_guard_own_networks_shut_out__not_where_no_internal_sender_loses_anything() -> None:
    unnamed = networks_of(provider=[sites.PROVIDER])
    itself = {
        **FILTER,
        "name": "LAN",
        "remote_ip_ranges": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
    }
    others = [
        "100.64.0.0/10",
        "169.254.0.0/16",
        "0.0.0.0/8",
        "224.0.0.0/3",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
        "::",
    ]

    assert (
        severities_of(sites.modern(), unnamed, STRIP, FILTER, itself)["own_networks_shut_out"]
        == "stop"
    )
    everybody = {**itself, "remote_ip_ranges": [*itself["remote_ip_ranges"], *others]}
    assert "own_networks_shut_out" not in severities_of(
        sites.modern(), unnamed, STRIP, FILTER, everybody
    )


def test_guard_own_networks_refused() -> None:
    lock = {"provider": [sites.PROVIDER], "own_networks": [sites.LAN], "inbound_lock": True}
    locked = sites.modern(permission_groups=["ExchangeServers"])

    assert severities_of(locked, networks_of(**lock), FILTER) == {"own_networks_refused": "warn"}
    assert "10.20.0.0/16" in sentences_of(locked, networks_of(**lock), FILTER)
    # What this very change takes is another guard's, which stops.
    assert "own_networks_refused" not in severities_of(
        sites.modern(), networks_of(**lock), STRIP, FILTER
    )
    assert severities_of(locked, networks_of(**{**lock, "inbound_lock": False})) == {
        "provider_shut_out": "warn"
    }
    assert "own_networks_refused" not in severities_of(
        sites.older(anonymous=False), networks_of(**lock), FILTER
    )


@pytest.mark.parametrize("groups", [["AnonymousUsers"], ["ExchangeUsers"]])
def test_guard_own_networks_refused__not_where_somebody_made_a_connector_for_them(
    groups: list[str],
) -> None:
    lock = networks_of(provider=[sites.PROVIDER], own_networks=[sites.LAN], inbound_lock=True)
    lan = {**FILTER, "name": "LAN", "remote_ip_ranges": [sites.LAN], "permission_groups": groups}

    state = sites.modern(permission_groups=["ExchangeServers"])
    assert "own_networks_refused" in severities_of(state, lock, FILTER)
    assert "own_networks_refused" not in severities_of(state, lock, FILTER, lan)


def test_guard_own_networks_shut_out__logins_and_relay_count_too() -> None:
    client = {"name": f"Client Frontend {sites.NAME}", "enabled": False}
    relay = {"name": DEFAULT, "anonymous_relay": False}

    assert "with a login" in sentences_of(sites.modern(), networks_of(**NAMED), client)
    assert "relay without" in sentences_of(
        sites.modern(anonymous_relay=True), networks_of(**NAMED), relay
    )


def test_guard_exchange_servers_shut_out() -> None:
    off = {"name": DEFAULT, "enabled": False}

    assert (
        severities_of(sites.modern(), networks_of(**NAMED), off, FILTER)[
            "exchange_servers_shut_out"
        ]
        == "stop"
    )
    assert "10.20.1.12" in sentences_of(sites.modern(), networks_of(**NAMED), off, FILTER)
    assert (
        severities_of(sites.modern(), networks_of(provider=[sites.PROVIDER]), off)[
            "exchange_servers_shut_out"
        ]
        == "stop"
    )
    described = networks_of(provider=[sites.PROVIDER], own_networks=[sites.LAN])
    assert severities_of(sites.modern(), described, off)["exchange_servers_shut_out"] == "warn"
    assert "exchange_servers_shut_out" not in severities_of(
        sites.modern(), networks_of(**NAMED), STRIP, FILTER
    )


def test_guard_exchange_servers_shut_out__a_narrower_door_without_their_group_shuts_them_out() -> (
    None
):
    scanners = {**FILTER, "name": "Scanners", "remote_ip_ranges": [sites.LAN]}

    assert (
        severities_of(sites.modern(), networks_of(**NAMED), scanners)["exchange_servers_shut_out"]
        == "stop"
    )


def test_guard_hybrid_shut_out() -> None:
    named, unnamed = networks_of(**NAMED, hybrid=[EXCHANGE_ONLINE]), networks_of(**NAMED)

    assert severities_of(sites.modern(**HYBRID), named, STRIP, FILTER)["hybrid_shut_out"] == "stop"
    assert (
        severities_of(sites.modern(**HYBRID), unnamed, STRIP, FILTER)["hybrid_shut_out"] == "stop"
    )
    assert "hybrid_shut_out" not in severities_of(sites.modern(), unnamed, STRIP, FILTER)


def test_guard_hybrid_shut_out__a_door_without_the_capability_is_no_hybrid_path() -> None:
    plain = {**FILTER, "name": "From Microsoft", "remote_ip_ranges": [EXCHANGE_ONLINE]}
    named = networks_of(**NAMED, hybrid=[EXCHANGE_ONLINE])

    assert severities_of(sites.modern(**HYBRID), named, plain)["hybrid_shut_out"] == "stop"
    assert "hybrid_shut_out" not in severities_of(
        sites.modern(**HYBRID), named, {**plain, **HYBRID}
    )


def test_guard_ipv6_open() -> None:
    # What comes of naming IPv4 alone and leaving a second wide connector for IPv6.
    state = sites.modern()
    six = {**FILTER, "name": "Six", "bindings": ["[::]:25"], "remote_ip_ranges": ["2000::/3"]}
    told = networks_of(**NAMED, inbound_lock=True)

    assert severities_of(state, told, STRIP, FILTER, six)["ipv6_open"] == "stop"
    assert "through 'Six', while IPv4 is shut." in sentences_of(state, told, STRIP, FILTER, six)
    assert "ipv6_open" not in severities_of(state, told, STRIP, FILTER)
    # Also where a task that claims no lock shuts IPv4 alone, and not where it shuts nothing.
    plain = networks_of(**NAMED)
    assert severities_of(state, plain, STRIP, FILTER, six)["ipv6_open"] == "stop"
    shut = apply_all(plan(state, desired(receive=[STRIP, FILTER, six])), state)
    assert "ipv6_open" not in severities_of(shut, plain)


def test_guard_still_open() -> None:
    locks, looks = networks_of(**NAMED, inbound_lock=True), networks_of(**NAMED)
    partner = {**FILTER, "name": "Partner", "remote_ip_ranges": ["203.0.113.77"]}

    assert severities_of(sites.modern(), locks, FILTER)["still_open"] == "stop"
    assert severities_of(sites.modern(), looks, FILTER)["still_open"] == "warn"
    assert severities_of(sites.modern(), SiteNetworks(), {**FILTER, "comment": "x"}) == {}
    assert severities_of(sites.modern(), locks, STRIP, FILTER, partner)["still_open"] == "warn"
    assert (
        "203.0.113.77 could still send without a login on port 25, through 'Partner'."
        in sentences_of(sites.modern(), locks, STRIP, FILTER, partner)
    )


def test_guard_still_open__on_another_port_too_and_there_it_is_told() -> None:
    client = {
        "name": f"Client Frontend {sites.NAME}",
        "permission_groups": {"add": ["AnonymousUsers"]},
    }
    told = networks_of(**NAMED, inbound_lock=True)

    assert severities_of(sites.modern(), told, STRIP, FILTER, client)["still_open"] == "warn"
    assert (
        "The internet could still send without a login on port 587, "
        f"through 'Client Frontend {sites.NAME}'."
    ) in sentences_of(sites.modern(), told, STRIP, FILTER, client)


def test_what_a_snapshot_gives_back_is_told_and_stops_only_what_exchange_would_not_survive() -> (
    None
):
    locked = sites.modern(permission_groups=["ExchangeServers"], anonymous_relay=False)
    wide = {"name": DEFAULT, "permission_groups": ["AnonymousUsers"], "anonymous_relay": True}

    assert severities_of(locked, networks_of(**NAMED), wide)["open_relay"] == "stop"
    assert severities_of(locked, networks_of(**NAMED), wide, restoring=True)["open_relay"] == "warn"
    foreign = {**FILTER, "bindings": ["10.20.1.99:25"]}
    assert (
        severities_of(locked, networks_of(**NAMED), foreign, restoring=True)["foreign_binding"]
        == "stop"
    )


@pytest.mark.parametrize(
    "harm",
    [
        {"name": HUB, "enabled": False},
        {"name": HUB, "remote_ip_ranges": [sites.LAN]},
        {"name": HUB, "permission_groups": ["ExchangeUsers"]},
        {"name": HUB, "fqdn": "EX1"},
        {"name": HUB, "state": "absent"},
        {"name": f"Client Proxy {sites.NAME}", "bindings": ["0.0.0.0:465"]},
        {
            "name": f"Outbound Proxy Frontend {sites.NAME}",
            "auth_mechanism": ["Tls", "ExchangeServer"],
        },
        {"name": DEFAULT, "state": "absent"},
    ],
)
def test_guard_protected_connector(harm: dict[str, t.Any]) -> None:
    assert severities_of(sites.modern(), SiteNetworks(), harm)["protected_connector"] == "stop"


def test_guard_protected_connector__knows_a_renamed_one_and_lets_rights_be_given_back() -> None:
    renamed = sites.inner("Standard", "HubTransport", 2525, ["ExchangeServers"])
    state = sites.site(Version.E2019, [renamed])

    assert "protected_connector" in severities_of(
        state, SiteNetworks(), {"name": "Standard", "enabled": False}
    )
    assert (
        severities_of(
            state,
            SiteNetworks(),
            {"name": "Standard", "permission_groups": {"add": ["ExchangeUsers"]}},
        )
        == {}
    )
    assert "protected_connector" not in severities_of(
        sites.older(), SiteNetworks(), {"name": HUB, "comment": "x"}
    )


def test_guard_open_relay() -> None:
    told = networks_of(**NAMED)
    relay = {**FILTER, "anonymous_relay": True}
    external = {
        **FILTER,
        "name": "Partner",
        "remote_ip_ranges": ["203.0.113.77"],
        "auth_mechanism": ["Tls", "ExternalAuthoritative"],
        "permission_groups": ["ExchangeServers"],
    }

    assert severities_of(sites.modern(), told, relay)["open_relay"] == "stop"
    assert severities_of(sites.modern(), told, external)["open_relay"] == "stop"
    assert severities_of(sites.modern(anonymous_relay=True), told)["open_relay"] == "warn"
    assert (
        f"The internet can relay to any recipient on port 25, through '{DEFAULT}', as before."
        in sentences_of(sites.modern(anonymous_relay=True), told)
    )
    inside = {**relay, "name": "Scanners", "remote_ip_ranges": ["10.20.5.0/24"]}
    assert "open_relay" not in severities_of(sites.modern(), told, inside)


def test_guard_foreign_binding() -> None:
    def bound(to: str) -> dict[str, str]:
        return severities_of(sites.modern(), SiteNetworks(), {**FILTER, "bindings": [to]})

    assert bound("10.20.1.99:25")["foreign_binding"] == "stop"
    assert "foreign_binding" not in bound(f"{sites.LAN_ADDRESS}:25")
    assert "foreign_binding" not in bound("127.0.0.1:25")


def test_guard_transport_role_conflict() -> None:
    hub = {**FILTER, "transport_role": "HubTransport"}

    assert severities_of(sites.modern(), SiteNetworks(), hub)["transport_role_conflict"] == "stop"
    assert "range_conflict" not in severities_of(sites.modern(), SiteNetworks(), hub)
    assert (
        f" Give '{DEFAULT}' the transport_role HubTransport in receive_connectors, or remove it."
        in sentences_of(sites.modern(), SiteNetworks(), hub)
    )
    assert "transport_role_conflict" in severities_of(
        sites.modern(), SiteNetworks(), {**FILTER, "bindings": ["0.0.0.0:2525"]}
    )


def test_guard_range_conflict() -> None:
    same = {**FILTER, "remote_ip_ranges": ["0.0.0.0/0"]}
    cross = {**FILTER, "name": "Other", "remote_ip_ranges": ["198.51.100.128-198.51.101.3"]}

    assert severities_of(sites.modern(), SiteNetworks(), same)["range_conflict"] == "stop"
    assert "overlap in part: 198.51.100.0/24 and 198.51.100.128-198.51.101.3" in sentences_of(
        sites.modern(), SiteNetworks(), FILTER, cross
    )
    way = f" Take 0.0.0.0-255.255.255.255 out of the remote_ip_ranges of '{DEFAULT}' in "
    assert way in sentences_of(sites.modern(), SiteNetworks(), same)
    # A new lock may take over the one that is there, and one that is widened has its own already.
    lock, adopt = networks_of(inbound_lock=True), f"name '{DEFAULT}' in the option name"
    assert adopt in sentences_of(sites.modern(), lock, same)
    assert adopt not in sentences_of(sites.modern(), SiteNetworks(), same)
    made = apply_all(plan(sites.modern(), desired(receive=[FILTER])), sites.modern())
    widened = sentences_of(made, lock, same)
    assert way in widened
    assert adopt not in widened
    # Of two that the task makes, neither is the one that is there already.
    assert "Take" not in sentences_of(sites.modern(), SiteNetworks(), FILTER, cross)
    other_port = {**cross, "bindings": ["0.0.0.0:26"]}
    assert "range_conflict" not in severities_of(sites.modern(), SiteNetworks(), FILTER, other_port)


def test_guard_hybrid_wizard_undone() -> None:
    told = networks_of(**NAMED, hybrid=[EXCHANGE_ONLINE], inbound_lock=True)
    options = {
        "provider_ranges": [sites.PROVIDER],
        "own_networks": [sites.LAN],
        "hybrid_ranges": [EXCHANGE_ONLINE],
    }
    start = sites.modern(**HYBRID)
    first = recipes.inbound_lock(start, options)
    assert "hybrid_wizard_undone" not in severities(start, told, first)

    locked = apply_all(plan(start, first), start)
    undone = {"name": DEFAULT, "permission_groups": {"add": ["AnonymousUsers"]}}
    rerun = apply_all(plan(locked, desired(receive=[undone])), locked)
    again = recipes.inbound_lock(rerun, options)

    assert severities(rerun, told, again) == {
        "hybrid_wizard_undone": "warn",
        "unnamed_senders_shut_out": "warn",
    }


def test_an_accepted_risk_is_still_told_but_does_not_stop() -> None:
    told = severities_of(sites.modern(), SiteNetworks(), STRIP, accept_risks=["no_provider_range"])

    assert told["no_provider_range"] == "warn"


def test_an_accepted_risk_that_is_no_guard_is_refused() -> None:
    with pytest.raises(
        PlanError, match=r"'own_network_shut_out', which is no guard.*own_networks_shut_out"
    ):
        severities_of(sites.modern(), SiteNetworks(), STRIP, accept_risks=["own_network_shut_out"])


def test_those_that_stop_come_first() -> None:
    changes = plan(sites.modern(), desired(receive=[STRIP]))
    accepted = ["no_provider_range"]
    findings = findings_of(sites.modern(), SiteNetworks(), changes, accepted)

    assert [finding.severity for finding in findings] == sorted(
        finding.severity for finding in findings
    )
    assert {finding.severity for finding in findings} == {"stop", "warn"}
