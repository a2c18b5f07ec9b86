# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random sites, locked: no stranger gets in untold at any port, the second run changes nothing, a
rollback gives back the start.

MAILEDGE_EXAMPLES=10000 tries as many; `--hypothesis-seed` says which.
"""

from __future__ import annotations

import pathlib
import tempfile
import typing as t

from hypothesis import event, given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    COLLEAGUE,
    PROVIDER,
    SITE,
    Wire,
    do,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import (
    defaults,
    receive_rules,
    rights,
    transport,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import ALL, FULL, Ace
from ansible_collections.mailedge.lockdown.tests.machine.searching import examples
from ansible_collections.mailedge.lockdown.tests.support.reading import read

EDITIONS = ("2007", "sbs-2008", "2010", "sbs-2011", "2013", "2019", "se")
METHODS = ("auto", "auto", "strip_anonymous", "narrow", "disable")
ADDRESSES = ("192.0.2.25", "192.0.2.26", "2001:db8::25")
STRANGERS = ("203.0.113.9", "198.18.7.7", "203.0.113.200", "2001:db8:9::9")
RANGES = [
    "0.0.0.0-255.255.255.255",
    "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "0.0.0.0-127.255.255.255",
    "128.0.0.0-255.255.255.255",
    "203.0.113.0/24",
    "203.0.113.9",
    "198.51.100.0/24",
    "10.0.0.0/8",
    "10.20.0.0/16",
]
HOSTS = [
    "0.0.0.0:{port}",
    "[::]:{port}",
    "192.0.2.25:{port}",
    "192.0.2.26:{port}",
    "127.0.0.1:{port}",
]
GROUPS = ["AnonymousUsers", "ExchangeUsers", "ExchangeServers"]

_entries = st.builds(
    Ace,
    st.sampled_from([rights.ANONYMOUS, "Everyone", rights.AUTHENTICATED]),
    st.sampled_from(
        [rights.SUBMIT, rights.SUBMIT, rights.ANY_RECIPIENT, rights.ANY_SENDER, ALL, FULL]
    ),
    st.sampled_from([False, False, False, True]),
)


@st.composite
def _connectors(draw: st.DrawFn) -> list[dict[str, t.Any]]:
    drawn = []
    for number in range(draw(st.integers(0, 4))):
        port = draw(st.sampled_from([25, 25, 25, 26, 2526]))
        mechanisms = draw(
            st.sampled_from(["Tls", "Tls", "Tls, ExchangeServer", "Tls, ExternalAuthoritative"])
        )
        groups = draw(st.lists(st.sampled_from(GROUPS), max_size=3, unique=True))
        if "ExternalAuthoritative" in mechanisms:
            groups = sorted({*groups, "ExchangeServers"})
        drawn.append(
            {
                "name": f"Connector {number}",
                "Bindings": [
                    text.format(port=port)
                    for text in draw(
                        st.lists(st.sampled_from(HOSTS), min_size=1, max_size=2, unique=True)
                    )
                ],
                "RemoteIPRanges": draw(
                    st.lists(st.sampled_from(RANGES), min_size=1, max_size=3, unique=True)
                ),
                "PermissionGroups": ", ".join(groups) or "None",
                "AuthMechanism": mechanisms,
                "TransportRole": draw(
                    st.sampled_from(["FrontendTransport"] * 5 + ["HubTransport"])
                ),
                "Enabled": draw(st.sampled_from([True, True, True, False])),
                "rights": draw(st.lists(_entries, max_size=2)),
                "inherited": draw(st.sampled_from([0, 0, 0, 0, 0, 1]))
                and draw(st.lists(_entries, max_size=1)),
                # A replication conflict is asked by nobody whether it is allowed.
                "conflict": draw(st.sampled_from([False] * 5 + [True])),
            }
        )
    return drawn


def build(
    folder: pathlib.Path, connectors: list[dict[str, t.Any]], setup: bool, edition: str = "2019"
) -> ExchangeHost:
    """A server with these connectors, as far as Exchange would have them."""
    host = defaults.site(edition, folder=folder, addresses=ADDRESSES)
    if not setup:
        for connector in list(host.directory.view("")):
            if connector.name == "Default Frontend EX1":
                host.directory.drop(connector)
    unknown = set() if host.edition.frontend else {"TransportRole"}
    for described in connectors:
        values = {
            key: value
            for key, value in described.items()
            if key[0].isupper() and key not in unknown
        }
        made = defaults.add_receive(host, described["name"], values)
        made.rights = tuple(sorted({*made.rights, *described["rights"]}))
        made.inherited = tuple(described["inherited"] or ())
        others = [
            connector
            for connector in host.directory.view("")
            if connector.server and connector is not made
        ]
        try:
            receive_rules.check_against(made, others)
        except ExchangeError:
            if not described["conflict"]:
                host.directory.drop(made)
    return host


def open_ports(host: ExchangeHost) -> set[tuple[int, bool]]:
    """The ports at which a stranger may send, and those at which one may relay, by the lab's own
    reading.
    """
    open_now = set()
    for port in host.ports():
        for sender in STRANGERS:
            for local in ADDRESSES:
                if (":" in local) == (":" in sender):
                    door = host.admission(sender, local, port)
                    open_now |= {
                        (port, relay)
                        for relay in (False, True)
                        if (door.relays if relay else door.submit)
                    }
    return open_now


def untold(host: ExchangeHost, sentences: list[str]) -> set[tuple[int, bool]]:
    said = {
        (port, relay)
        for port, relay in open_ports(host)
        if any(f"on port {port}," in text and ("relay" in text) == relay for text in sentences)
    }
    return open_ports(host) - said


# Who may lose something only where one of these guards says so; nobody else may.
ITSELF = ("127.0.0.1", "::1", *ADDRESSES)
TOLD_BY = {
    COLLEAGUE: {"own_networks_shut_out"},
    "10.99.0.5": {"unnamed_senders_shut_out", "own_networks_shut_out"},
    "fd00::5": {"unnamed_senders_shut_out", "own_networks_shut_out"},
}


def mail(host: ExchangeHost) -> set[tuple[str, str, int, str]]:
    """(sender, local address, port, right) of friends and of the server itself, by the lab's own
    reading.
    """
    pairs = [(sender, sender) for sender in ITSELF]
    pairs += [
        (sender, local)
        for sender in TOLD_BY
        for local in ADDRESSES
        if (":" in local) == (":" in sender)
    ]
    delivered = set()
    for sender, local in pairs:
        for port in (25, 26, 2526):
            door = host.admission(sender, local, port)
            held = {"send": door.submit, "relay": door.relays}
            if door.connector is not None:
                held["log in"] = transport.may(
                    door.connector, [rights.AUTHENTICATED], rights.SUBMIT
                )
            delivered |= {(sender, local, port, right) for right, given in held.items() if given}
    return delivered


def lost_untold(
    before: set[tuple[str, str, int, str]],
    after: set[tuple[str, str, int, str]],
    guards: t.Iterable[dict[str, str]],
) -> set[tuple[str, str, int, str]]:
    ids = {guard["id"] for guard in guards}
    return {way for way in before - after if not TOLD_BY.get(way[0], {"server_shut_out"}) & ids}


RISKS = [
    "still_open",
    "open_relay",
    "ipv6_open",
    "own_networks_shut_out",
    "exchange_servers_shut_out",
    "server_shut_out",
]


@examples(25)
@given(
    _connectors(), st.booleans(), st.booleans(), st.sampled_from(EDITIONS), st.sampled_from(METHODS)
)
def test_no_stranger_gets_in_untold_and_a_rollback_restores_all(
    connectors: list[dict[str, t.Any]], setup: bool, accepting: bool, edition: str, method: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        host = build(pathlib.Path(folder), connectors, setup, edition)
        wire = Wire(host)
        start, had = read(host), mail(host)
        lock = {
            **SITE,
            "inbound_lock": {"method": method},
            "accept_risks": RISKS if accepting else [],
        }

        done = do(wire, lock)

        if done.get("failed"):
            event("stopped")
            assert read(host).receive == start.receive, done["msg"]
            if "strangers" in done:
                assert not untold(host, done["strangers"]["before"]), done["strangers"]
            return
        assert not untold(host, done["strangers"]["after"]), (done["plan"], done["strangers"])
        assert (done["state"] == "in order") <= (not open_ports(host))
        event(done["state"])
        assert not lost_untold(had, mail(host), done["guards"]), done["plan"]
        for local in ADDRESSES:
            if ":" not in local and host.listens_at(local):
                assert host.admission(PROVIDER, local, 25).submit, done["plan"]
        again = do(wire, lock)
        assert not again.get("failed"), again["msg"]
        assert not again["changed"], again["plan"]
        if done["changed"]:
            back = do(wire, {"snapshot": "latest", "accept_risks": RISKS})
            assert not back.get("failed"), back["msg"]
            assert read(host).receive == start.receive
