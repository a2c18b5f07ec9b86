# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of the policies and the lock, held against the lab's judgement of single packets, for
firewalls made at random. `make firewalls` tries ten thousand.
"""

from __future__ import annotations

import functools
import pathlib
import tempfile
import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import state as states
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.inbound_options import (
    InboundOptions,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import (
    Model,
    Target,
    model_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.routes import Routes
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    parse_address,
    parse_range,
)
from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.packets import (
    Packet,
    delivered,
    within,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.machine.searching import examples
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Firewall
from ansible_collections.mailedge.lockdown.tests.support.random_firewalls import (
    DOUBTFUL,
    DOUBTFUL_POLICIES,
    FIELDS,
    HOLDS,
    INTERFACES,
    MISLEADING_POLICIES,
    OWN,
    PLACES,
    POLICIES,
    RANGES,
    SOURCES,
    SURROUNDINGS,
    TRUTH,
    WAYS,
    Direct,
    Surroundings,
    leads_inwards,
    seed,
    tell,
)

VERSIONS = st.sampled_from(["v7.2.3", "v7.4.4", "v6.4.14", "v6.4.0"])
SERVER, SERVERS = "10.20.1.11", "10.20.1.0/24"
MAIL = (("VIP-mail", 25), ("VIP-both", 25))
# From and to all interfaces, with routes that may change, and with all that the tables do not tell.
ANYWHERE = st.one_of(
    *[
        st.lists(st.fixed_dictionaries({**fields, **WAYS}), max_size=6)
        for fields in (FIELDS, DOUBTFUL)
    ],
    st.lists(
        st.fixed_dictionaries({**FIELDS, **WAYS, "action": st.just("accept")}),
        min_size=1,
        max_size=6,
    ),
    *[MISLEADING_POLICIES] * 2,
)


@functools.cache
def _server() -> FortiGateServer:
    return FortiGateServer()


def served(device: Device) -> FortiGateServer:
    """The same server with another device, for requests without a network: one for each firewall
    would take most of the time.
    """
    server = _server()
    server.device = device
    server.arm()
    return server


def read(firewall: Firewall) -> states.DeviceState:
    wanted = InboundOptions("birke", 25, vips=("VIP-mail",))
    with firewall.client() as client:
        return states.read(client, wanted.tables)


@examples(25)
@given(policies=POLICIES, version=VERSIONS)
def test_the_model_agrees_with_every_packet(policies: list[dict[str, t.Any]], version: str) -> None:
    server = served(Device(version=version))
    seed(server.device, policies)
    # Nor does it trust a deny on all but some addresses to meet what a virtual IP has translated.
    one_way = leads_inwards(policies) and all(
        (row["action"], row["dstaddr-negate"]) != ("deny", "enable") for row in policies
    )
    firewall = Firewall(server, pathlib.Path())
    with firewall.without_network():
        model = Model(read(firewall), ["wan1"])
    for vip, port in (("VIP-mail", 25), ("VIP-web", 443), ("VIP-both", 25), ("VIP-both", 443)):
        for source in SOURCES:
            through = server.device.admits(source, PLACES[vip], port)
            admitted = model.lookup(source, Target(port, vip=vip)) is not None
            # Which interface the server is behind is not in the policies, so that the model may see
            # more ways than there are.
            assert admitted == through or (admitted and not one_way), (vip, port, source)


@examples(75)
@given(policies=DOUBTFUL_POLICIES, truth=TRUTH, holds=HOLDS, version=VERSIONS)
def test_what_is_shut_no_packet_passes(
    policies: list[dict[str, t.Any]],
    truth: dict[str, list[str]],
    holds: dict[str, bool],
    version: str,
) -> None:
    device = Device(version=version, future=["moon-phase"])
    seed(device, policies)
    device.holds.update(holds)
    tell(device, truth)
    wanted = InboundOptions("birke", 25, vips=("VIP-mail",))
    model = Model(states.read(t.cast("t.Any", Direct(device)), wanted.tables), ["wan1"])
    for vip, port in (("VIP-mail", 25), ("VIP-both", 25), ("VIP-both", 443)):
        reached = model.reached(Target(port, vip=vip))
        for source in SOURCES:
            passage = model.lookup(source, Target(port, vip=vip))
            if device.admits(source, PLACES[vip], port):
                behind = [network for name in reached.opaque for network in truth[name.name]]
                assert parse_address(source) in reached.known or any(
                    within(source, network) for network in behind
                ), vip
                assert passage is not None
            else:
                assert passage is None or not passage.certain or not leads_inwards(policies), vip


def arrives(device: Device, source: str, place: str, port: int, interface: str) -> bool:
    """Whether a packet gets through to the server, and not out to the internet by the default
    route, where the server is not, unless its network is there.
    """
    to = delivered(device, Packet(source, place, port, interface))
    outside = (SERVERS, "wan1") in device.routing.connected
    return to == SERVER and (outside or device.route(SERVER, interface) != "wan1")


def shut(
    device: Device, around: Surroundings, model: Model, truth: t.Mapping[str, list[str]]
) -> None:
    """Whom the model calls shut out, no packet of his gets through, by whatever interface."""
    targets = [(Target(port, vip=vip), PLACES[vip]) for vip, port in (*MAIL, ("VIP-both", 443))]
    for target, place in (*targets, (Target(25, address=parse_range(SERVER)), SERVER)):
        reached = model.reached(target)
        behind = [network for name in reached.opaque for network in truth.get(name.name, ())]
        for source in SOURCES:
            for interface in INTERFACES:
                if arrives(device, source, place, target.port, interface):
                    inside = parse_address(source) in reached.known or any(
                        within(source, network) for network in behind
                    )
                    assert inside or model.free_zones(target), (target, source, interface, around)
                    assert model.lookup(source, target) is not None


@examples(50)
@given(policies=ANYWHERE, around=SURROUNDINGS, truth=TRUTH, holds=HOLDS, version=VERSIONS)
def test_what_is_shut_stays_shut_whatever_goes_down(
    policies: list[dict[str, t.Any]],
    around: Surroundings,
    truth: dict[str, list[str]],
    holds: dict[str, bool],
    version: str,
) -> None:
    device = Device(version=version, future=["moon-phase"])
    seed(device, policies, around)
    device.holds.update(holds)
    tell(device, truth)
    client: t.Any = Direct(device, told=around.told)
    wanted = InboundOptions("birke", 25, vips=tuple(PLACES), addresses=(parse_range(SERVER),))
    state = Routes(client).told(states.read(client, wanted.tables), wanted.targets)
    for down in (frozenset(), around.down, frozenset({around.server})):
        device.routing.down = set(down)
        shut(device, around, model_of(state), truth)


@examples(10)  # Each of them makes some fifty requests.
@given(policies=st.one_of(POLICIES, DOUBTFUL_POLICIES), truth=TRUTH)
def test_a_lock_locks_takes_nobody_the_way_and_is_given_back(
    policies: list[dict[str, t.Any]], truth: dict[str, list[str]]
) -> None:
    promises(policies, truth, None, {"interfaces": ["wan1"]})


@examples(10)
@given(
    policies=ANYWHERE,
    truth=TRUTH,
    around=SURROUNDINGS,
    options=st.fixed_dictionaries(
        {
            "interfaces": st.sampled_from([[], [], ["wan1"]]),
            "addresses": st.sampled_from([[], [SERVER]]),
        }
    ),
    version=VERSIONS,
)
def test_the_same_wherever_the_server_is(
    policies: list[dict[str, t.Any]],
    truth: dict[str, list[str]],
    around: Surroundings,
    options: dict[str, t.Any],
    version: str,
) -> None:
    promises(policies, truth, around, options, version)


def promises(
    policies: list[dict[str, t.Any]],
    truth: dict[str, list[str]],
    around: Surroundings | None,
    options: dict[str, t.Any],
    version: str = "v7.4.4",
) -> None:
    """A lock shuts, takes nobody the way whom it does not mean, has nothing more to do, and is
    given back whole, with the order and the numbers of the policies.
    """
    server = served(Device(version=version, future=["moon-phase"]))
    with (
        tempfile.TemporaryDirectory() as folder,
        Firewall(server, pathlib.Path(folder)).without_network(),
    ):
        device, firewall = server.device, Firewall(server, pathlib.Path(folder))
        seed(device, policies, around)
        tell(device, truth)
        if around is not None and not around.told:
            server.arm(gone=("router/lookup", "router/ipv4"))
        before = firewall.dump()
        mail = [(PLACES[vip], port) for vip, port in MAIL]
        mail += [(address, 25) for address in options.get("addresses", ())]
        doors = [*mail, (PLACES["VIP-web"], 443), (PLACES["VIP-both"], 443)]
        ways = options["interfaces"] or list(INTERFACES)

        def passing() -> dict[tuple[str, str, int, str], bool]:
            packets = [(source, *door, way) for source in SOURCES for door in doors for way in ways]
            return {packet: arrives(device, *packet) for packet in packets}

        was = passing()
        lock: dict[str, t.Any] = {
            "name": "birke",
            "vips": ["VIP-mail", "VIP-both"],
            "ranges": RANGES,
            "own_networks": OWN,
            **options,
        }
        result = firewall.run(fortios_inbound_lock, **lock)
        if result["failed"]:
            assert firewall.dump() == before
            if "nothing to lock" in result["msg"]:
                assert not any(through for packet, through in was.items() if packet[2] == 25)
                return
            # It stops where the provider would not get through everywhere, and nothing else stops
            # it.
            stops = {finding["id"] for finding in result["guards"] if finding["severity"] == "stop"}
            assert stops == {"provider_shut_out"}, result["msg"]
            lock["accept_risks"] = ["provider_shut_out"]
            result = firewall.done(fortios_inbound_lock, **lock)
        for packet, now in passing().items():
            through = was[packet]
            if now and device.intrazone and result["state"] == "open":
                continue  # No lock stops what takes no policy, and it says so.
            if packet[2] == 443:
                assert now == through, packet
            elif not packet[0].startswith(("198.51.100.", "10.20.")):
                assert not now, packet
            elif through:
                assert now, packet
        again = firewall.done(fortios_inbound_lock, **lock)
        assert not again["changed"], again["plan"]
        for down in (around.down, {around.server}) if around else ():
            device.routing.down = set(down)
            for packet, now in passing().items():
                wanted = packet[0].startswith(("198.51.100.", "10.20."))
                stopped = not now or wanted or packet[2] == 443
                assert stopped or (device.intrazone and result["state"] == "open"), (packet, down)
        device.routing.down.clear()
        if result["changed"]:
            firewall.done(fortios_rollback)
            assert firewall.dump() == before
