# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes on the sites they are for: who is heard after the lock, and who still is."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import match
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    apply_all,
    desired,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.recipes import (
    inbound_lock,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites
from ansible_collections.mailedge.lockdown.tests.support.locked import (
    LAN_HOST,
    OPTIONS,
    PROVIDER,
    PROVIDER_6,
    STRANGERS,
    lock,
    meets,
)

DEFAULT = f"Default Frontend {sites.NAME}"
HYBRID: dict[str, t.Any] = {
    "tls_domain_capabilities": ["mail.protection.outlook.com:AcceptCloudServicesMail"]
}


@pytest.mark.parametrize("method", ["auto", "strip_anonymous", "narrow", "disable"])
@pytest.mark.parametrize("version", [Version.E2013, Version.E2016, Version.E2019, Version.SE])
def test_the_lock_of_a_modern_server_leaves_provider_and_lan_and_nobody_else(
    version: Version, method: str
) -> None:
    after = lock(sites.modern(version), method=method)

    for sender in (PROVIDER, PROVIDER_6, LAN_HOST):
        assert meets(after, sender).accepts_anonymous
        assert not meets(after, sender).relay
    assert all(meets(after, stranger).refused for stranger in STRANGERS)
    assert "ExchangeServers" in meets(after, LAN_HOST).groups
    assert meets(after, PROVIDER).connector == "Mail from filter"


def test_by_default_a_modern_server_loses_the_anonymous_right_and_nothing_else() -> None:
    state = sites.modern()
    after = lock(state)

    changed = {
        key: connector
        for key, connector in after.receive.items()
        if state.receive.get(key) != connector
    }
    assert set(changed) == {
        "mail from filter",
        "mail from filter (own networks)",
        DEFAULT.casefold(),
    }
    assert changed[DEFAULT.casefold()] == {
        **state.receive[DEFAULT.casefold()],
        "permission_groups": frozenset({"ExchangeServers", "ExchangeLegacyServers"}),
    }


def test_the_provider_connector_is_what_a_filter_needs() -> None:
    connector = lock(sites.modern()).receive["mail from filter"]

    assert connector["permission_groups"] == frozenset({"AnonymousUsers"})
    assert connector["auth_mechanism"] == frozenset({"Tls"})
    assert connector["anonymous_relay"] is False
    assert connector["transport_role"] == "FrontendTransport"
    assert connector["max_inbound_connection_per_source"] == "unlimited"
    assert connector["max_inbound_connection_percentage_per_source"] == 100
    assert connector["protocol_logging_level"] == "Verbose"
    assert sorted(map(str, connector["bindings"])) == ["0.0.0.0:25", "[::]:25"]
    assert connector["remote_ip_ranges"] == RangeSet.parse(OPTIONS["provider_ranges"])


def test_the_options_of_the_lock_reach_the_provider_connector() -> None:
    connector = lock(
        sites.modern(),
        name="Filter",
        fqdn="mail.birke.example",
        banner="220 mail.birke.example",
        bindings=["10.20.1.11:25", "0.0.0.0:25", "[::]:25"],
        require_tls=True,
        max_inbound_connection_per_source="50",
        max_inbound_connection_percentage_per_source=5,
        protocol_logging_level="None",
    ).receive["filter"]

    assert (connector["fqdn"], connector["banner"]) == (
        "mail.birke.example",
        "220 mail.birke.example",
    )
    assert (connector["require_tls"], connector["max_inbound_connection_per_source"]) == (True, 50)
    assert (
        connector["max_inbound_connection_percentage_per_source"],
        connector["protocol_logging_level"],
    ) == (5, "None")
    assert len(connector["bindings"]) == 3


def test_a_connector_that_has_drifted_is_brought_back() -> None:
    locked = lock(sites.modern())
    opened = apply_all(
        plan(
            locked,
            desired(
                receive=[
                    {"name": DEFAULT, "permission_groups": {"add": ["AnonymousUsers"]}},
                    {
                        "name": "Mail from filter",
                        "remote_ip_ranges": {"add": ["203.0.113.0/24"]},
                        "anonymous_relay": True,
                    },
                    {"name": "Mail from filter (own networks)", "enabled": False},
                ]
            ),
        ),
        locked,
    )

    assert apply_all(plan(opened, inbound_lock(opened, OPTIONS)), opened) == locked


def test_the_wide_connector_is_found_by_what_strangers_meet_and_not_by_its_name() -> None:
    odd = sites.receive(
        "Nothing to see",
        permission_groups=["AnonymousUsers"],
        remote_ip_ranges=["0.0.0.0/1", "128.0.0.0/1", "::/0"],
    )
    after = lock(sites.site(Version.E2016, [odd]))

    assert meets(after, STRANGERS[0]).refused
    assert after.receive["nothing to see"]["permission_groups"] == frozenset()


def test_a_connector_that_another_one_hid_is_closed_as_well() -> None:
    hidden = sites.receive("Hidden", permission_groups=["AnonymousUsers"])
    front = sites.receive(
        "Front", permission_groups=["AnonymousUsers"], remote_ip_ranges=["0.0.0.0/1", "::/1"]
    )
    behind = sites.receive(
        "Behind", permission_groups=["AnonymousUsers"], remote_ip_ranges=["0.0.0.0/2"]
    )
    after = lock(sites.site(Version.E2010, [hidden, front, behind]))

    assert [
        connector["enabled"]
        for connector in (after.receive[key] for key in ("hidden", "front", "behind"))
    ] == [False] * 3
    assert all(meets(after, stranger).refused for stranger in STRANGERS)


def test_a_partner_that_somebody_let_in_on_purpose_is_left_alone() -> None:
    partner = sites.receive(
        "Partner", permission_groups=["AnonymousUsers"], remote_ip_ranges=["203.0.113.77"]
    )
    state = sites.modern()
    state = sites.site(
        Version.E2016, [*state.receive.values(), {**partner, "transport_role": "FrontendTransport"}]
    )

    assert lock(state).receive["partner"] == state.receive["partner"]


def test_trust_without_a_login_is_taken_from_a_wide_connector() -> None:
    trusting = sites.receive(
        "Trusting",
        permission_groups=["ExchangeServers", "AnonymousUsers"],
        auth_mechanism=["Tls", "ExternalAuthoritative"],
    )
    after = lock(sites.site(Version.E2016, [trusting]), own_networks=[])

    assert meets(after, STRANGERS[0]).refused
    assert after.receive["trusting"]["auth_mechanism"] == frozenset({"Tls"})


def test_own_networks_keep_the_relay_they_have_and_get_none_they_have_not() -> None:
    assert not meets(lock(sites.modern()), LAN_HOST).relay
    relaying = lock(sites.modern(anonymous_relay=True))

    assert meets(relaying, LAN_HOST).relay
    assert not meets(relaying, PROVIDER).relay
    assert relaying.receive[DEFAULT.casefold()]["anonymous_relay"] is False


def test_own_networks_get_no_connector_of_their_own_where_they_lose_nothing() -> None:
    scanners = sites.receive(
        "LAN", permission_groups=["AnonymousUsers"], remote_ip_ranges=[sites.LAN]
    )
    state = sites.modern()
    state = sites.site(
        Version.E2016,
        [*state.receive.values(), {**scanners, "transport_role": "FrontendTransport"}],
    )

    # The server itself sends from loopback, and from its own address, which the LAN connector
    # hears.
    for locked, more in (
        (lock(state), []),
        (lock(sites.modern(), own_networks=[]), [sites.LAN_ADDRESS]),
    ):
        keeper = locked.receive["mail from filter (own networks)"]
        assert keeper["remote_ip_ranges"] == RangeSet.parse(["127.0.0.0/8", "::1", *more])
        assert match(locked.receive.values(), "127.0.0.1") == match(locked.receive.values(), "::1")
        assert match(locked.receive.values(), sites.LAN_ADDRESS).accepts_anonymous
    assert "mail from filter (own networks)" not in lock(sites.older(anonymous=False)).receive


def test_own_networks_stand_as_the_site_wrote_them_unless_another_connector_is_in_the_way() -> None:
    plain = lock(sites.modern(), own_networks=[sites.LAN, "10.21.0.0/16"])
    scanner = sites.receive(
        "Scanner", permission_groups=["ExchangeUsers"], remote_ip_ranges=["10.20.0.128-10.20.1.3"]
    )
    state = sites.modern()
    state = sites.site(
        Version.E2016, [*state.receive.values(), {**scanner, "transport_role": "FrontendTransport"}]
    )
    crossed = lock(state, own_networks=["10.20.1.0/24"])

    name = "mail from filter (own networks)"
    assert {"10.20.0.0/16", "10.21.0.0/16"} <= {
        str(interval) for interval in plain.receive[name]["remote_ip_ranges"].entries
    }
    assert "10.20.1.2" not in crossed.receive[name]["remote_ip_ranges"]
    assert "10.20.1.4" in crossed.receive[name]["remote_ip_ranges"]


BRANCH = "192.168.40.0/24"
OWN = "mail from filter (own networks)"


@pytest.mark.parametrize("method", ["strip_anonymous", "disable"])
@pytest.mark.parametrize(
    "state", [sites.modern(), sites.modern(Version.SE), sites.older(), sites.edge()]
)
def test_a_network_that_is_named_later_gets_what_it_had_before_the_lock(
    state: State, method: str
) -> None:
    locked = lock(state, method=method)
    assert OWN in locked.receive
    assert (
        meets(locked, "192.168.40.9").refused or not meets(locked, "192.168.40.9").accepts_anonymous
    )
    after = lock(locked, method=method, own_networks=[sites.LAN, BRANCH])

    assert meets(after, "192.168.40.9") == meets(after, LAN_HOST)
    changed = {key for key, connector in after.receive.items() if locked.receive[key] != connector}
    assert changed == {OWN}
    assert lock(after, method=method, keep_unnamed=True) == after
    assert lock(after, method=method) == locked, "a network that is named no longer is taken out"


def test_new_ranges_of_exchange_online_reach_the_hybrid_path() -> None:
    locked = lock(sites.modern(**HYBRID), hybrid_ranges=["192.0.2.0/24"])
    after = lock(locked, hybrid_ranges=["192.0.2.0/24", "203.0.113.64/27"])

    assert meets(after, "203.0.113.70") == meets(after, "192.0.2.9")
    assert meets(after, "203.0.113.70").accepts_anonymous
    assert meets(after, STRANGERS[0]).refused


@pytest.mark.parametrize(
    "broken",
    [
        {"enabled": False},
        {"permission_groups": {"remove": ["AnonymousUsers"]}},
        {"remote_ip_ranges": ["::1"]},
    ],
)
def test_own_networks_that_somebody_has_shut_out_are_let_in_again(broken: dict[str, t.Any]) -> None:
    locked = lock(sites.modern())
    wish = desired(receive=[{"name": "Mail from filter (own networks)", **broken}])
    opened = apply_all(plan(locked, wish), locked)
    assert not meets(opened, LAN_HOST).accepts_anonymous

    assert lock(opened) == locked


def test_what_was_refused_before_the_lock_is_not_opened_by_naming_it() -> None:
    login = sites.receive(
        "Login", permission_groups=["ExchangeUsers"], remote_ip_ranges=["10.20.9.0/24"]
    )
    state = sites.modern()
    state = sites.site(
        Version.E2016, [*state.receive.values(), {**login, "transport_role": "FrontendTransport"}]
    )
    locked = lock(state, own_networks=[BRANCH])
    after = lock(locked, own_networks=[BRANCH, sites.LAN])
    assert meets(after, "10.20.9.7").connector == "Login"
    assert meets(after, LAN_HOST).accepts_anonymous

    small = lock(sites.small_business(), own_networks=[BRANCH])
    assert OWN in small.receive
    assert meets(lock(small, own_networks=[BRANCH, sites.LAN]), LAN_HOST) == meets(small, LAN_HOST)


@pytest.mark.parametrize(
    "comment",
    ["", "Ours now", "Keeps what 'Gone' gave these senders before it was locked.", "Keeps what '"],
)
def test_a_narrow_connector_that_tells_nothing_of_the_lock_is_left_alone(comment: str) -> None:
    locked = lock(sites.modern())
    told = apply_all(
        plan(
            locked,
            desired(receive=[{"name": "Mail from filter (own networks)", "comment": comment}]),
        ),
        locked,
    )

    assert lock(told, own_networks=[sites.LAN, BRANCH]) == told


def test_the_server_itself_keeps_sending_with_its_own_networks() -> None:
    after = lock(sites.modern())

    assert match(after.receive.values(), "127.0.0.1").accepts_anonymous
    assert match(after.receive.values(), "::1").accepts_anonymous


def test_the_hybrid_path_keeps_its_capability_and_its_rights() -> None:
    after = lock(sites.modern(**HYBRID), hybrid_ranges=["192.0.2.0/24"])
    hybrid = after.receive["mail from filter (hybrid)"]

    assert meets(after, "192.0.2.9").connector == hybrid["name"]
    assert meets(after, "192.0.2.9").accepts_anonymous
    assert hybrid["tls_domain_capabilities"] == frozenset(HYBRID["tls_domain_capabilities"])


@pytest.mark.parametrize("version", [Version.E2007RTM, Version.E2007, Version.E2010])
def test_an_older_server_whose_default_connector_was_opened_loses_that_opening(
    version: Version,
) -> None:
    after = lock(sites.older(version))
    default = after.receive[f"default {sites.NAME}".casefold()]

    assert default["enabled"] is True
    assert default["permission_groups"] == frozenset(
        {"ExchangeUsers", "ExchangeServers", "ExchangeLegacyServers"}
    )
    assert "transport_role" not in after.receive["mail from filter"]
    assert meets(after, PROVIDER).accepts_anonymous
    assert meets(after, STRANGERS[0]).refused


def test_exchange_2007_rtm_is_spoken_to_in_ipv4() -> None:
    connector = lock(sites.older(Version.E2007RTM)).receive["mail from filter"]

    assert connector["remote_ip_ranges"] == RangeSet.parse([sites.PROVIDER])
    assert [str(binding) for binding in connector["bindings"]] == ["0.0.0.0:25"]
    with pytest.raises(PlanError, match="no usable provider range"):
        inbound_lock(sites.older(Version.E2007RTM), {"provider_ranges": ["2001:db8:100::/48"]})


def test_the_internet_connector_of_a_small_business_server_is_disabled_and_kept() -> None:
    state = sites.small_business()
    after = lock(state)
    key = f"windows sbs internet receive {sites.NAME}".casefold()

    assert after.receive[key] == {**state.receive[key], "enabled": False}
    # The provider comes in where the Internet connector listened: on the LAN address, which beats
    # all addresses.
    assert [str(binding) for binding in after.receive["mail from filter"]["bindings"]] == [
        f"{sites.LAN_ADDRESS}:25"
    ]
    assert meets(after, PROVIDER).accepts_anonymous
    assert meets(after, STRANGERS[0]).refused
    assert meets(after, LAN_HOST) == meets(state, LAN_HOST)


def test_an_edge_server_still_hears_the_hubs() -> None:
    after = lock(sites.edge())

    assert meets(after, PROVIDER).accepts_anonymous
    assert meets(after, STRANGERS[0]).refused
    assert "ExchangeServers" in meets(after, LAN_HOST).groups


def test_connectors_between_the_services_are_never_closed() -> None:
    opened = sites.inner(
        f"Default {sites.NAME}", "HubTransport", 25, ["ExchangeServers", "AnonymousUsers"]
    )
    after = lock(sites.site(Version.E2016, [opened]), own_networks=[])

    assert after.receive[opened["name"].casefold()] == opened


def test_narrowing_keeps_the_named_networks_and_the_server_itself() -> None:
    after = lock(sites.modern(), method="narrow", exchange_servers=["192.0.2.12"])

    assert after.receive[DEFAULT.casefold()]["remote_ip_ranges"] == RangeSet.parse(
        [sites.LAN, "192.0.2.12", "127.0.0.0/8", "::1"]
    )
    with pytest.raises(PlanError, match="cannot be narrowed"):
        inbound_lock(sites.modern(), {"provider_ranges": [sites.PROVIDER], "method": "narrow"})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"provider_ranges": []}, "no usable provider range"),
        ({}, "no usable provider range"),
        ({"provider_ranges": ["198.51.100.9-198.51.100.1"]}, "provider_ranges"),
        ({"provider_ranges": ["198.51.100.1-2001:db8::1"]}, "provider_ranges"),
        ({"provider_ranges": ["everybody"]}, "provider_ranges"),
        ({"provider_ranges": [sites.PROVIDER], "own_networks": ["10.20.0.0/33"]}, "own_networks"),
        ({"provider_ranges": [sites.PROVIDER], "method": "shut"}, "method"),
    ],
)
def test_a_lock_that_cannot_be_meant_is_refused_in_one_sentence(
    options: dict[str, t.Any], text: str
) -> None:
    with pytest.raises(PlanError, match=text) as caught:
        inbound_lock(sites.modern(), options)
    assert "Nothing was changed." in str(caught.value)
