# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole edge, held against what a probe finds: firewall, Windows Firewall and connectors made
at random, packets judged by the lab's own of them, and a look of each stranger at each published
door. MAILEDGE_EXAMPLES=500 tries as many.
"""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
import typing as t

from hypothesis import event, given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge import fold, proof
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import edge as of_exchange
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import edge as of_fortigate
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import state as states
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import exactly
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.inbound_options import (
    InboundOptions,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import Egress
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import whole_result
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import (
    Question,
    look_at,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall import (
    edge as of_windows,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.recipe import Site
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.front_end import FrontEnd
from ansible_collections.mailedge.lockdown.tests.lab.smtp import Mailbox
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.packets import admits
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import Firewall
from ansible_collections.mailedge.lockdown.tests.machine.searching import examples
from ansible_collections.mailedge.lockdown.tests.support import random_windows_firewalls
from ansible_collections.mailedge.lockdown.tests.support.fortigate import refs
from ansible_collections.mailedge.lockdown.tests.support.probe_looks import door
from ansible_collections.mailedge.lockdown.tests.support.random_firewalls import (
    POLICIES,
    Direct,
    seed,
)
from ansible_collections.mailedge.lockdown.tests.support.reading import read

SERVER, SECOND = "10.20.1.11", 2525
PROVIDER, OWN = RangeSet.parse(["198.51.100.0/24"]), RangeSet.parse(["10.20.0.0/16"])
STRANGERS = {"127.0.2.1": "203.0.113.9", "127.0.3.1": "203.0.113.200", "127.0.4.1": "192.0.2.77"}

# Who gets through is as often everybody or nobody as it is some of them.
OPEN: dict[str, t.Any] = {
    "action": "accept",
    "status": "enable",
    "srcintf": refs("wan1"),
    "dstintf": refs("internal"),
    "srcaddr": refs("all"),
    "dstaddr": refs("VIP-mail", "VIP-both", "VIP-second"),
    "service": refs("ALL"),
}
DOORS = st.one_of(POLICIES, POLICIES.map(lambda rows: [*rows, OPEN]), st.just([OPEN]))
RANGES = ("0.0.0.0-255.255.255.255", "203.0.113.0/24", "203.0.113.200", "198.51.100.0/24")
CONNECTORS = st.lists(
    st.fixed_dictionaries(
        {
            "RemoteIPRanges": st.lists(
                st.sampled_from(RANGES), min_size=1, max_size=2, unique=True
            ),
            "Bindings": st.sampled_from((["0.0.0.0:25"], [f"{SERVER}:25"], ["0.0.0.0:26"])),
            "PermissionGroups": st.sampled_from(("AnonymousUsers", "ExchangeUsers", "None")),
        }
    ),
    max_size=3,
)


def windows_firewalls() -> st.SearchStrategy[Firewall]:
    """One that lets all in as Exchange's set-up leaves it, or one of any kind."""
    return st.one_of(
        st.none(), random_windows_firewalls.firewalls(), random_windows_firewalls.firewalls()
    )


def server(folder: pathlib.Path, connectors: list[dict[str, t.Any]], setup: bool) -> ExchangeHost:
    host = defaults.site("2019", folder=folder, addresses=(SERVER,))
    if not setup:
        for connector in list(host.directory.view("")):
            if connector.name == "Default Frontend EX1":
                host.directory.drop(connector)
    for number, values in enumerate(connectors):
        defaults.add_receive(host, f"Connector {number}", values)
    return host


def firewall(policies: list[dict[str, t.Any]]) -> Device:
    """One with a second way to the server's port 25, by another port in front."""
    device = Device(version="v7.4.4")
    device.configs["root"].create(
        "firewall/vip",
        {
            "name": "VIP-second",
            "extip": "203.0.113.82",
            "extport": str(SECOND),
            "mappedport": "25",
            "mappedip": [{"range": SERVER}],
            "extintf": "wan1",
            "portforward": "enable",
        },
    )
    seed(device, policies)
    return device


def stages(
    device: Device, host: ExchangeHost, left_out: t.Collection[str]
) -> tuple[fold.Seen, ...]:
    """What a run would read and tell of each."""
    wanted = InboundOptions(
        "birke", 25, vips=("VIP-mail",), ranges=PROVIDER, own_networks=OWN, interfaces=("wan1",)
    )
    state = states.read(t.cast("t.Any", Direct(device)), wanted.tables)
    front = of_fortigate.of(state, wanted, {4: exactly(PROVIDER | OWN)})
    rules = of_windows.of(random_windows_firewalls.read(host.windows), Site((25,), PROVIDER, OWN))
    read_state = read(host)
    networks = SiteNetworks(provider=PROVIDER, own_networks=OWN, inbound_lock=True)
    connectors = of_exchange.of(read_state, networks.on(read_state.server))
    told = zip(fold.STAGES, (front, rules, connectors))
    return tuple(fold.Seen(name, None if name in left_out else stage) for name, stage in told)


@contextlib.contextmanager
def published(device: Device, host: ExchangeHost, place: fold.Place) -> t.Iterator[FrontEnd]:
    """A door on loopback, behind all that the lab has before it."""
    rules = host.windows.firewall

    def passes(sender: str) -> bool:
        if not device.admits(sender, place.address, place.port):
            return False
        profile = rules.current & -rules.current or 1
        # Which program listens is not asked by the product, nor by what interface somebody comes.
        packets = random_windows_firewalls.packets(sender, place.port_inside, profile)
        return any(admits(rules, packet) for packet in packets if not packet.authenticated)

    mailbox = Mailbox(
        fqdn=host.fqdn,
        accepts=host.directory.accepts,
        admission=lambda sender: host.admission(sender, SERVER, place.port_inside),
        listens=lambda version: version == 4 and host.listens_at(SERVER, place.port_inside),
    )
    front_end = FrontEnd(mailbox, "127.0.1.1", STRANGERS, "203.0.113.9", {}, passes)
    front_end.start()
    try:
        yield front_end
    finally:
        front_end.close()


def look(front_end: FrontEnd, source: str, domain: str) -> str:
    question = Question(
        "probe@watchtower.example",
        f"postmaster@{domain}",
        "relay@watchtower.example",
        None,
        source=source,
        connect_seconds=0.15,
        reply_seconds=10.0,
    )
    egress = Egress(None, 25, None, 0.5, 0.5)
    result = whole_result([look_at(door(front_end.port, "127.0.1.1"), question, egress)], egress)
    return str(result["verdict"])


@examples(12)
@given(
    policies=DOORS,
    rules=windows_firewalls(),
    connectors=CONNECTORS,
    setup=st.booleans(),
    left_out=st.sampled_from(((), (), (), (fold.WINDOWS_FIREWALL,), (fold.EXCHANGE,))),
)
def test_what_a_probe_finds_is_what_the_whole_edge_says(
    policies: list[dict[str, t.Any]],
    rules: Firewall | None,
    connectors: list[dict[str, t.Any]],
    setup: bool,
    left_out: tuple[str, ...],
) -> None:
    device = firewall(policies)
    with tempfile.TemporaryDirectory() as folder:
        host = server(pathlib.Path(folder), connectors, setup)
        if rules is not None:
            host.windows.firewall = rules
        answers = fold.answers(stages(device, host, left_out))
        for answer in answers:
            event(answer.answer)
            assert not left_out or answer.answer in (fold.UNKNOWN, fold.REFUSED), answer
            with published(device, host, answer.place) as front_end:
                for source, sender in STRANGERS.items():
                    verdict = look(front_end, source, host.directory.domain)
                    said = answer.holds_for(sender)
                    assert said in (None, verdict == "open"), (sender, verdict, answer)
                    seen = proof.Looked(sender, answer.place.address, answer.place.port, verdict)
                    assert proof.contradicted([answer], [seen]) == []
