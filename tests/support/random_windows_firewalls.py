# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows Firewalls of the lab made at random, packets for them, and how the product reads and
writes one without an agent.
"""

from __future__ import annotations

import functools
import itertools
import typing as t

from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Change
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.calls import (
    READ,
    change_calls,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.state import (
    State,
    read_state,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall import (
    addresses,
    operations,
    store,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.packets import Packet
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import (
    Firewall,
    Rule,
    Settings,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.host import WindowsHost

PORTS = (25, 587, 2000)
SOURCES = (
    *("198.51.100.7", "198.51.100.200", "203.0.113.9", "10.20.0.5", "10.99.0.1", "192.168.7.7"),
    *("2001:db8:100::7", "2001:db8:bad::1", "fe80::7", "fd00::7"),
)
PROGRAMS = ("C:\\Exchange\\MSExchangeFrontendTransport.exe", "%ProgramFiles%\\x\\EdgeTransport.exe")
LISTENERS = ("MSExchangeFrontendTransport.exe", "C:\\y\\edgetransport.exe", "System")
SERVICES = ("", "MSExchangeTransport")

_LISTS = (
    *(
        "*",
        "*",
        "198.51.100.0/24",
        "198.51.100.0/25,10.20.0.0/16",
        "LocalSubnet",
        "LocalSubnet,203.0.113.9",
        "10.0.0.0/8",
    ),
    *(
        "203.0.113.1-203.0.113.20",
        "2001:db8::/32",
        "2001:db8:100::/48,198.51.100.7",
        "DNS",
        "10.20.0.5",
        "2000::/3,0.0.0.1-223.255.255.255",
    ),
)
_PORT_LISTS = (
    "*",
    "25",
    "25,587",
    "20-30",
    "587",
    "RPC",
    "25,RPC",
    "IPHTTPS",
    "1-24,26-65535",
    "2000",
)
_TOKENS = (
    (),
    (),
    (),
    (),
    (store.IGNORES_ADDRESSES,),
    (store.MADE_UP,),
    ("Platform=2:6:2",),
    ("SkipVer=6.3-10.0",),
)


@st.composite
def rules(draw: st.DrawFn, *, policy: bool = False) -> Rule:
    """A rule; most are enabled allow rules for everybody's programs."""
    protocol = draw(st.sampled_from((6, 6, 6, 17, store.ANY_PROTOCOL)))
    bypass = draw(st.integers(0, 9)) == 0
    rule = Rule(
        # Few names, so that there are twins.
        name=draw(
            st.sampled_from(
                (
                    "MSExchangeTransportWorker (TCP-In)",
                    "MSExchangeFrontendTransport (TCP-In)",
                    "own",
                )
            )
        ),
        remote=list(addresses.parse(draw(st.sampled_from(_LISTS)))),
        protocol=protocol,
        ports=None
        if protocol == store.ANY_PROTOCOL
        else list(addresses.parse_ports(draw(st.sampled_from(_PORT_LISTS)))),
        enabled=draw(st.integers(0, 5)) > 0,
        action=store.ALLOW
        if bypass
        else draw(st.sampled_from((store.ALLOW, store.ALLOW, store.ALLOW, store.BLOCK))),
        inbound=draw(st.integers(0, 9)) > 0,
        profiles=draw(st.sampled_from((store.EVERY_PROFILE, store.EVERY_PROFILE, 1, 2, 4, 5))),
        program=draw(st.sampled_from((None, None, *PROGRAMS))),
        service=draw(st.sampled_from((None, None, None, "*", "MSExchangeTransport"))),
        edge=draw(st.booleans()),
        secure=draw(st.sampled_from((0, 0, 0, 0, 1))),
        bypass=bypass,
        interface_types=draw(st.sampled_from(("All", "All", "All", "Lan", "Wireless"))),
        package=draw(st.sampled_from((None,) * 8 + ("S-1-15-2-1",))),
        tokens=draw(st.sampled_from(_TOKENS)),
        reference=draw(st.sampled_from(("", "", "", "@FirewallAPI.dll,-30253"))),
    )
    if draw(st.integers(0, 7)) == 0 and protocol != store.ANY_PROTOCOL:
        rule.remote_ports = [(50000, 50010)]
    if policy:
        rule.id = "policy"
    return rule


def settings() -> st.SearchStrategy[Settings]:
    """A profile; most are on and block what no rule allows."""
    return st.builds(
        Settings,
        enabled=st.sampled_from((True,) * 7 + (False,)),
        inbound=st.sampled_from((store.BLOCK,) * 7 + (store.ALLOW,)),
        blocks_all=st.sampled_from((False,) * 7 + (True,)),
        excluded=st.sampled_from(([], [], [], [], [], [], ["Backup"])),
    )


@st.composite
def firewalls(draw: st.DrawFn, *, plain: bool = False) -> Firewall:
    """A firewall. `plain`: every profile is on and blocks, and group policy is silent."""
    firewall = Firewall()
    for rule in draw(st.lists(rules(), max_size=6)):
        firewall.add(rule)
    firewall.keywords = draw(
        st.sampled_from(
            (
                {"LocalSubnet": ["10.20.0.0/16", "fe80::/10"]},
                {"LocalSubnet": ["203.0.113.0/24"]},
                {},
            )
        )
    )
    firewall.rpc_ports = draw(st.sampled_from((frozenset({2000}), frozenset[int]())))
    firewall.current = draw(st.sampled_from((1, 2, 4, 5, 0)))
    if plain:
        return firewall
    firewall.policy_rules = draw(st.lists(rules(policy=True), max_size=2))
    for bit in store.NAMES:
        firewall.settings[bit] = draw(settings())
        for name in (
            "EnableFirewall",
            "DefaultInboundAction",
            "DoNotAllowExceptions",
            "AllowLocalPolicyMerge",
        ):
            value = draw(st.sampled_from((None,) * 8 + (0, 1)))
            if value is not None:
                firewall.policy[bit][name] = value
    return firewall


@functools.cache
def packets(source: str, port: int, profile: int) -> tuple[Packet, ...]:
    """Every packet of a sender that the parts above know."""
    return tuple(_packets(source, port, profile))


def _packets(source: str, port: int, profile: int) -> t.Iterator[Packet]:
    interfaces = (("Ethernet", "Lan"), ("Backup", "Wireless"))
    for listener, service, authenticated, tunnelled, (
        interface,
        kind,
    ), source_port in itertools.product(
        LISTENERS, SERVICES, (False, True), (False, True), interfaces, (50000, 60000)
    ):
        yield Packet(
            source,
            port,
            profile,
            listener=listener,
            service=service,
            authenticated=authenticated,
            tunnelled=tunnelled,
            interface=interface,
            interface_type=kind,
            source_port=source_port,
        )


def host_of(firewall: Firewall) -> WindowsHost:
    """A Windows with that firewall."""
    host = WindowsHost()
    host.firewall = firewall
    return host


def read(host: WindowsHost) -> State:
    """What the product makes of it."""
    return read_state({"name": "EX1"}, operations.read(host, {"id": READ}))


def write(host: WindowsHost, changes: t.Iterable[Change[str]], state: State) -> t.Iterator[None]:
    """Carry out changes one after the other, as one request of the product would."""
    operations.read(host, {"id": READ})
    for change in changes:
        for step in change_calls(change, state, step="change"):
            operations.write(host, step)
        yield
