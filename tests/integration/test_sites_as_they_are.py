# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites that somebody has locked by hand, in part or as a whole: what is right stays as it is, and
the rest is locked beside it.
"""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    COLLEAGUE,
    INBOUND,
    PROVIDER,
    SITE,
    STRANGER,
    Wire,
    do,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults, rights
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Ace, Stored
from ansible_collections.mailedge.lockdown.tests.machine import judge
from ansible_collections.mailedge.lockdown.tests.support.reading import read

DEFAULT = "Default Frontend EX1"
OURS = "Mail from filter"
LAN, RANGE = "10.20.0.0/16", "198.51.100.0/24"
_PLAIN = {"Bindings": ["0.0.0.0:25"], "PermissionGroups": "AnonymousUsers", "AuthMechanism": "Tls"}


def make(host: ExchangeHost, name: str, *ranges: str, **more: t.Any) -> Stored:
    """A connector that somebody has made by hand."""
    role = {"TransportRole": "FrontendTransport"} if host.edition.frontend else {}
    return defaults.add_receive(
        host, name, {**_PLAIN, **role, "RemoteIPRanges": list(ranges), **more}
    )


def edit(host: ExchangeHost, name: str, **values: t.Any) -> None:
    """A connector that somebody has changed by hand."""
    host.colleague("Set-ReceiveConnector", {"Identity": f"EX1\\{name}", **values})


def told(result: dict[str, t.Any]) -> str:
    return " ".join(guard["sentence"] for guard in result["guards"])


def locked(wire: Wire, lock: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
    """Lock a site: the door is shut, the mail comes in, a second run has nothing to do, and a
    rollback gives all of it back.
    """
    host, lock = wire.host, INBOUND if lock is None else lock
    start = read(host)
    done = do(wire, lock)
    assert not done.get("failed"), done["msg"]
    assert done["state"] == "in order", told(done)
    assert not host.admission(STRANGER).submit
    assert not host.admission("2001:db8:9::9").submit
    provider = host.admission(PROVIDER)
    assert (provider.submit, provider.relays) == (True, False)
    again = do(wire, lock, check=True)
    assert (again["changed"], again["state"]) == (False, "in order"), again["plan"]
    if done["changed"]:
        goal = read(host).receive
        back = do(
            wire, {"snapshot": "latest", "accept_risks": ["open_relay", "transport_role_conflict"]}
        )
        assert not back.get("failed"), back["msg"]
        assert read(host).receive == start.receive
        assert not do(wire, lock).get("failed")
        assert read(host).receive == goal
    return done


@pytest.mark.parametrize("edition", ["2010", "2013", "2019"])
def test_a_narrow_connector_beside_the_open_one_is_adopted(
    edition: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    make(host, "From the filter", RANGE)
    before = judge.configuration(host)
    locked(Wire(host))
    after = judge.configuration(host)
    assert f"receive {OURS}" not in after
    assert after["receive From the filter"] == before["receive From the filter"]
    assert host.admission(PROVIDER).heard == ("From the filter",)


def test_what_an_adopted_connector_does_not_hear_gets_one_beside_it(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    make(host, "From the filter", "198.51.100.7", "198.51.100.8")
    provider = ["198.51.100.7", "198.51.100.8", "198.51.100.64/26", "2001:db8:100::/48"]
    locked(Wire(host), {**INBOUND, "provider_ranges": provider})
    assert host.admission("198.51.100.8").heard == ("From the filter",)
    assert host.admission("198.51.100.70").heard == (OURS,)
    assert host.admission("2001:db8:100::7").heard == (OURS,)


def test_ranges_that_cross_or_equal_those_of_others_are_cut_until_exchange_takes_them(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    make(host, "Out of service", RANGE, Enabled=False)
    make(host, "Crossing", "198.51.100.200-198.51.101.7", PermissionGroups="ExchangeUsers")
    make(host, "Partner", "203.0.113.0/26", PermissionGroups="Partners")
    lock = {**INBOUND, "provider_ranges": [RANGE, "203.0.113.32-203.0.113.191"]}
    locked(Wire(host), lock)
    for sender in ("198.51.100.0", "198.51.100.255", "203.0.113.32", "203.0.113.191"):
        assert host.admission(sender).heard == (OURS,), sender
    assert host.admission("198.51.101.3").heard == ("Crossing",)


def test_a_default_connector_that_was_narrowed_to_provider_and_lan_is_closed_already(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    edit(
        host,
        DEFAULT,
        RemoteIPRanges=[RANGE, "10.0.0.0/8", "192.168.0.0/16", "127.0.0.1", "172.16.0.0/12"],
    )
    wire = Wire(host)
    assert not locked(wire)["changed"]
    assert wire.host.counters["writes"] == 0
    # A range that the provider has since.
    more = {**INBOUND, "provider_ranges": [RANGE, "203.0.113.64/26"]}
    locked(wire, more)
    assert host.admission("203.0.113.70").heard == (OURS,)
    assert host.admission(PROVIDER).heard == (DEFAULT,)


def test_a_range_of_an_adopted_connector_that_left_the_provider_is_an_open_door(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    edit(host, DEFAULT, RemoteIPRanges=[RANGE, "203.0.113.64/26", "10.0.0.0/8"])
    seen = do(Wire(host), INBOUND, check=True)
    assert seen["state"] == "open"
    assert (
        f"203.0.113.64/26 could still send without a login on port 25, through '{DEFAULT}'."
        in told(seen)
    )
    remove = f"{{name: '{DEFAULT}', remote_ip_ranges: {{remove: [203.0.113.64/26]}}}}"
    assert f"If they are not meant to, write in receive_connectors {remove}." in told(seen)
    # What is told is enough, word for word.
    locked(Wire(host), {**INBOUND, "receive_connectors": [yaml.safe_load(remove)]})
    assert not host.admission("203.0.113.70").submit


def test_a_provider_that_was_left_is_told_with_what_to_write(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    gone = [f"203.0.113.{number}" for number in range(0, 60, 4)]
    make(host, "From the old filter", *gone)
    make(
        host,
        "From both",
        RANGE,
        "192.0.2.128/25",
        *[f"203.0.113.{number}" for number in range(1, 60, 4)],
    )
    edit(host, DEFAULT, PermissionGroups="ExchangeServers, ExchangeLegacyServers")
    seen = do(Wire(host), INBOUND, check=True)
    assert seen["state"] == "open"
    written = re.findall(
        r"\{name: '[^']+', (?:enabled: false|remote_ip_ranges: \{remove: \[[^]]+\]\})\}", told(seen)
    )
    assert len(written) == 2, told(seen)
    locked(
        Wire(host), {**INBOUND, "receive_connectors": [yaml.safe_load(text) for text in written]}
    )
    assert not any(
        host.admission(sender).submit for sender in (*gone, "203.0.113.1", "192.0.2.200")
    )


def test_drift_of_a_site_that_was_closed_by_hand_is_green(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    make(host, "From the filter", RANGE, Bindings=["0.0.0.0:25", "[::]:25"], MaxHopCount=60)
    relay = make(
        host, "LAN relay", LAN, "127.0.0.1", PermissionGroups="AnonymousUsers, ExchangeServers"
    )
    relay.rights = (*relay.rights, Ace(rights.ANONYMOUS, rights.ANY_RECIPIENT))
    edit(host, DEFAULT, PermissionGroups="ExchangeServers, ExchangeLegacyServers")
    wire = Wire(host)
    seen = do(wire, INBOUND, check=True)
    assert (seen["changed"], seen["state"], seen["guards"]) == (False, "in order", [])
    assert not locked(wire)["changed"]
    assert host.admission(COLLEAGUE).relays


def test_a_relay_that_hears_the_provider_too_keeps_the_lan_and_loses_the_provider(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    relay = make(host, "Relay", LAN, RANGE, PermissionGroups="AnonymousUsers, ExchangeServers")
    relay.rights = (*relay.rights, Ace(rights.ANONYMOUS, rights.ANY_RECIPIENT))
    assert host.admission(PROVIDER).relays
    before = judge.configuration(host)["receive Relay"]
    locked(Wire(host))
    assert judge.configuration(host)["receive Relay"] == before
    assert host.admission(COLLEAGUE).relays


def test_what_exchange_refuses_anyway_offers_no_override_and_says_what_to_do(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    relay = make(host, "Relay", LAN, "198.51.100.7")
    relay.rights = (*relay.rights, Ace(rights.ANONYMOUS, rights.ANY_RECIPIENT))
    wire = Wire(host)
    lock = {**INBOUND, "provider_ranges": ["198.51.100.7", "198.51.100.8"]}
    for accepted in ([], ["range_conflict", "open_relay"]):
        stopped = do(wire, {**lock, "accept_risks": accepted})
        assert stopped["failed"]
        assert stopped["state"] == "open"
        assert "'Mail from filter' and 'Relay' both hear 198.51.100.7 on 0.0.0.0:25" in told(
            stopped
        )
        assert "Take 198.51.100.7 out of the remote_ip_ranges of 'Relay'" in told(stopped)
        assert "name range_conflict" not in stopped["msg"]
        assert "in accept_risks" not in stopped["msg"]
        assert "two runs" not in stopped["msg"]
    assert host.counters["writes"] == 0
    edit(host, "Relay", RemoteIPRanges=[LAN])
    locked(wire, lock)


def test_an_option_that_an_adopted_connector_lacks_makes_it_none_to_adopt(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    make(host, "From the filter", RANGE)
    wire = Wire(host)
    locked(wire, {**SITE, "inbound_lock": {"require_tls": True}})
    assert host.admission(PROVIDER).heard == (OURS,)
    assert host.admission(PROVIDER).tls_first
    # Or it is taken over by its name.
    other = defaults.site("2019", folder=tmp_path / "other")
    make(other, "From the filter", RANGE)
    locked(Wire(other), {**SITE, "inbound_lock": {"require_tls": True, "name": "From the filter"}})
    assert other.admission(PROVIDER).heard == ("From the filter",)
    assert other.admission(PROVIDER).tls_first


HUB = {"TransportRole": "HubTransport", "Bindings": ["192.0.2.25:25"]}


def test_a_connector_of_the_transport_service_on_port_25_is_adopted_where_it_hears_the_provider(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site(
        "2019", folder=tmp_path, addresses=("192.0.2.25", "192.0.2.26", "2001:db8::25")
    )
    make(
        host,
        "From the filter",
        RANGE,
        LAN,
        PermissionGroups="AnonymousUsers, ExchangeServers",
        **HUB,
    )
    locked(Wire(host))
    assert host.admission(PROVIDER, "192.0.2.25").heard == ("From the filter",)
    assert host.admission(PROVIDER, "192.0.2.26").heard == (OURS,)


def test_one_of_the_transport_service_that_is_open_is_told_with_what_to_do(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site(
        "2019", folder=tmp_path, addresses=("192.0.2.25", "192.0.2.26", "2001:db8::25")
    )
    make(host, "From the filter", "0.0.0.0-255.255.255.255", **HUB)
    wire = Wire(host)
    stopped = do(wire, INBOUND)
    assert stopped["failed"]
    assert "belong to different transport roles" in told(stopped)
    assert "Give 'From the filter' the transport_role FrontendTransport" in told(stopped)
    assert "accept_risks" not in stopped["msg"]
    given = [{"name": "From the filter", "transport_role": "FrontendTransport"}]
    locked(wire, {**INBOUND, "receive_connectors": given})
    assert not host.admission(STRANGER, "192.0.2.25").submit
    assert host.admission(PROVIDER, "192.0.2.25").submit


# ---------------------------------------------------------------- several local addresses

TWO = ("192.0.2.25", "192.0.2.26")
EVERYONE = "0.0.0.0-255.255.255.255"
SMALL_LAN = {
    **INBOUND,
    "own_networks": ["192.0.2.0/24", LAN],
    "accept_risks": ["exchange_servers_shut_out"],
}


@pytest.mark.parametrize("edition", ["sbs-2008", "sbs-2011"])
def test_a_small_business_server_with_a_second_address_keeps_at_each_what_it_has(
    edition: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path, addresses=TWO)
    make(host, "All other addresses", EVERYONE, PermissionGroups="AnonymousUsers, ExchangeServers")
    senders = [(sender, local) for sender in (COLLEAGUE, "192.0.2.80", *TWO) for local in TWO]
    before = {pair: host.admission(*pair).submit for pair in senders}
    done = do(Wire(host), SMALL_LAN)
    assert not done.get("failed"), done["msg"]
    assert done["state"] == "in order", told(done)
    assert {pair: host.admission(*pair).submit for pair in senders} == before
    for local in TWO:
        assert not host.admission(STRANGER, local).submit
        assert host.admission(PROVIDER, local).submit
    # Who met the connector of the LAN at the first address meets it there still.
    assert host.admission("192.0.2.80", TWO[0]).heard == ("Default EX1",)
    assert host.admission(TWO[0], TWO[0]).heard == ("Default EX1",)
    again = do(Wire(host), SMALL_LAN, check=True)
    assert (again["changed"], again["state"]) == (False, "in order"), again["plan"]


def test_narrow_connectors_for_several_addresses_follow_the_description(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("sbs-2011", folder=tmp_path, addresses=TWO)
    make(host, "All other addresses", EVERYONE, PermissionGroups="AnonymousUsers, ExchangeServers")
    start = read(host)
    wire, branch = Wire(host), "10.30.0.5"
    more = {**SMALL_LAN, "own_networks": [*SMALL_LAN["own_networks"], "10.30.0.0/16"]}
    assert not do(wire, SMALL_LAN).get("failed")
    fewer = read(host).receive
    assert not host.admission(branch, TWO[1]).submit
    # Named later: it has then what it had before the first lock, at each address.
    assert not do(wire, more).get("failed")
    assert [host.admission(branch, local).submit for local in TWO] == [True, True]
    waiting = do(wire, {**SMALL_LAN, "inbound_lock": {"keep_unnamed_until": "2999-12-31"}})
    assert (waiting["changed"], told(waiting).count("still hears 10.30.0.0/16")) == (False, 2)
    # Named no more: out of all of them.
    assert not do(wire, SMALL_LAN).get("failed")
    assert read(host).receive == fewer
    assert not do(wire, {"snapshot": "original", "accept_risks": ["open_relay"]}).get("failed")
    assert read(host).receive == start.receive


def test_a_connector_that_cannot_be_narrowed_without_harm_loses_its_anonymous_right(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("sbs-2011", folder=tmp_path, addresses=TWO)
    make(host, "Both", EVERYONE, Bindings=["127.0.0.1:25", "192.0.2.25:25"])
    lock = {**SMALL_LAN, "own_networks": ["192.0.2.0/24"], "inbound_lock": {"method": "narrow"}}
    done = do(Wire(host), lock)
    assert not done.get("failed"), done["msg"]
    assert host.admission(TWO[0], TWO[0]).heard == ("Default EX1",)
    assert not host.admission(STRANGER, TWO[0]).submit
    assert not do(Wire(host), lock)["changed"]
