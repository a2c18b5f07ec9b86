# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewalls made at random, with all that their tables do not tell, and what is true of it."""

from __future__ import annotations

import dataclasses
import typing as t

from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import DeviceError
from ansible_collections.mailedge.lockdown.tests.lab.fortigate import schema
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.answers import shown
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import POLICY, Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.internet_services import (
    InternetService,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.routing import PolicyRoute
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.system import device_table
from ansible_collections.mailedge.lockdown.tests.support.fortigate import refs

SOURCES = ["192.0.2.77", "198.51.100.7", "198.51.100.200", "10.20.0.5", "203.0.113.200"]
PLACES = {"VIP-mail": "203.0.113.80", "VIP-web": "203.0.113.80", "VIP-both": "203.0.113.81"}
RANGES, OWN = ["198.51.100.0/24"], ["10.20.0.0/16"]


def some(*names: str) -> st.SearchStrategy[list[dict[str, str]]]:
    return st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True).map(
        lambda chosen: refs(*chosen)
    )


SWITCH = st.sampled_from(["disable", "disable", "disable", "enable"])
FIELDS: dict[str, st.SearchStrategy[t.Any]] = {
    "action": st.sampled_from(["accept", "accept", "deny"]),
    "status": st.sampled_from(["enable", "enable", "disable"]),
    "srcintf": some("wan1", "wan1", "any", "dmz"),
    "dstintf": some("internal", "internal", "any", "wan1"),
    "srcaddr": some("all", "all", "half", "others", "office"),
    "dstaddr": some("VIP-mail", "VIP-web", "VIP-both", "all", "of mail"),
    "service": some("SMTP", "HTTPS", "ALL", "Email Access"),
    "srcaddr-negate": SWITCH,
    "dstaddr-negate": SWITCH,
    "service-negate": SWITCH,
    "match-vip": SWITCH,
}
POLICIES = st.lists(st.fixed_dictionaries(FIELDS), max_size=6)

WIDE: dict[str, t.Any] = {
    "action": "accept",
    "srcintf": refs("wan1"),
    "dstintf": refs("internal"),
    "srcaddr": refs("all"),
    "service": refs("ALL"),
}

# The same, with all that the tables do not tell.
UNKNOWN_NAMES = ("land", "host", "dynamic")
SERVICES = ("Microsoft-Outlook", "Mimecast-Mimecast")
EVEN = st.sampled_from(["disable", "enable"])
DOUBTFUL = {
    **FIELDS,
    "action": st.sampled_from(["accept", "deny", "deny", "ipsec"]),
    "status": st.sampled_from(["enable"] * 7 + ["disable"]),
    "srcintf": st.sampled_from(
        [refs("wan1")] * 4 + [refs("any"), refs("dmz"), refs("internal", "wan1")]
    ),
    "dstintf": st.sampled_from([refs("internal")] * 4 + [refs("any"), refs("wan1")]),
    "srcaddr": some("half", "office", *UNKNOWN_NAMES, "all but land", "others but host"),
    "srcaddr-negate": EVEN,
    "dstaddr": some("VIP-mail", "of mail", "of mail", "all", "server", *UNKNOWN_NAMES),
    "service": some("SMTP", "ALL", "Some SMTP"),
    "dstaddr-negate": st.sampled_from(["disable"] * 7 + ["enable"]),
    "service-negate": st.sampled_from(["disable"] * 7 + ["enable"]),
    "match-vip": EVEN,
    "schedule": st.sampled_from(["always"] * 4 + ["nights"]),
    "moon-phase": st.sampled_from([""] * 4 + ["full"]),
}
HOLDS = st.fixed_dictionaries(dict.fromkeys(("schedule", "moon-phase"), st.booleans()))
BY_SERVICE = {
    **DOUBTFUL,
    "internet-service-src": st.just("enable"),
    "internet-service-src-name": some(*SERVICES),
    "internet-service-src-negate": EVEN,
    "srcaddr": st.just([]),
    "srcaddr-negate": st.just("disable"),
}
# One that would hold, were it not for a doubt: most of the others fail for several reasons at once.
DENY = {name: st.just("disable") for name in DOUBTFUL if name.endswith("negate")} | {
    **{name: DOUBTFUL[name] for name in ("srcaddr", "srcaddr-negate", "schedule", "moon-phase")},
    "action": st.just("deny"),
    "srcintf": st.just(refs("wan1")),
    "dstintf": st.just(refs("internal")),
    "dstaddr": st.just(refs("of mail")),
    "service": some("SMTP", "SMTP", "ALL", "Some SMTP"),
}
DOUBTFUL_POLICIES = st.tuples(
    st.one_of(
        st.lists(st.fixed_dictionaries(DENY), min_size=1, max_size=2),
        st.lists(
            st.one_of(*[st.fixed_dictionaries(DOUBTFUL)] * 3, st.fixed_dictionaries(BY_SERVICE)),
            max_size=4,
        ),
    ),
    # Behind them is what an installer leaves: mail for everybody.
    st.sampled_from(
        [[], [{**WIDE, "dstaddr": refs("of mail")}], [{**WIDE, "dstaddr": refs("all")}]]
    ),
).map(lambda parts: [*parts[0], *parts[1]])
HELD = st.lists(
    st.sampled_from(["192.0.2.77", "192.0.2.0/24", "0.0.0.0/0", *SOURCES[1:]]),
    max_size=3,
    unique=True,
)
TRUTH = st.fixed_dictionaries(dict.fromkeys((*UNKNOWN_NAMES, *SERVICES), HELD))


def tell(device: Device, truth: t.Mapping[str, list[str]]) -> None:
    """What is behind the names that the tables do not tell."""
    device.countries["AQ"], device.names["host.example"] = truth["land"], truth["host"]
    device.dynamic["dynamic"] = truth["dynamic"]
    for name in SERVICES:
        device.services[name] = InternetService(
            device.services[name].id, "both", tuple(truth[name])
        )


class Direct:
    """What takes the place of the client where thousands of devices are read. `told`: whether it
    tells its routes.
    """

    def __init__(self, device: Device, *, told: bool = True) -> None:
        self._device, self._told = device, told
        self._config, self.version = device.configs["root"], device.version

    def table(self, path: str, **_options: t.Any) -> list[dict[str, t.Any]]:
        known = device_table(self._device, path)
        if known is not None:
            return t.cast("list[dict[str, t.Any]]", known)
        return [shown(self._config.table(path), row) for row in self._config.all(path).values()]

    def single(self, path: str) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", device_table(self._device, path))

    def monitor(self, path: str, **query: t.Any) -> t.Any:
        if path != "router/lookup" or not self._told:
            raise DeviceError("GET", path, status=404, where="here")
        return self._device.routing.looked_up(query["destination"])


# ------------------------------------------------------------ where everything is

INTERFACES = ("wan1", "dmz", "internal", "guests")
HOME = "where the server is"
"""In the place of an interface, for policies that lead to the server wherever that is."""


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """Where the server is, by which ways it can be reached, and whether the device tells it.

    `free`: the zones whose interfaces reach each other without a policy. `down`: what goes down
    once everything is as it shall be. `told`: whether it answers the monitor of routes.
    """

    server: str = "internal"
    front: str = "wan1"
    static: tuple[tuple[str, str], ...] = ()
    policies: tuple[PolicyRoute, ...] = ()
    zones: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sdwan: tuple[tuple[str, tuple[str, ...]], ...] = ()
    free: frozenset[str] = frozenset()
    down: frozenset[str] = frozenset()
    told: bool = True

    def put_into(self, device: Device) -> None:
        """Before there are policies."""
        device.interfaces = list(INTERFACES)
        device.zones = {name: list(members) for name, members in self.zones}
        device.intrazone = {name for name in self.free if name in device.zones}
        device.sdwan = {name: list(members) for name, members in self.sdwan}
        device.routing.connected = [
            ("10.20.1.0/24", self.server),
            ("2001:db8:20::/48", self.server),
        ]
        device.routing.static = [*self.static, ("0.0.0.0/0", "wan1"), ("::/0", "wan1")]
        device.routing.policies = list(self.policies)

    def renamed(
        self, policies: t.Sequence[dict[str, t.Any]], version: schema.Version
    ) -> list[dict[str, t.Any]]:
        """The policies with the names of zones in place of their members; where a version takes
        both, of every other policy.
        """
        both = version < (6, 4, 1)
        zones = {member: name for name, members in (*self.zones, *self.sdwan) for member in members}
        renamed_rows = []
        for number, row in enumerate(policies):
            named = {
                field: [self.server if name == HOME else name for name in map(_name, row[field])]
                for field in ("srcintf", "dstintf")
            }
            zone = {} if both and number % 2 else zones
            ways = {
                field: refs(*dict.fromkeys(zone.get(name, name) for name in names))
                for field, names in named.items()
            }
            renamed_rows.append({**row, **ways})
        return renamed_rows


ROUTES = [
    ("10.20.0.0/16", "dmz"),
    ("10.20.1.0/24", "guests"),
    ("10.20.1.11/32", "dmz"),
    ("10.20.0.0/20", "internal"),
]
POLICY_ROUTES = [
    PolicyRoute("wan1", "10.20.1.0/24", "guests"),
    PolicyRoute("dmz", "0.0.0.0/0", "internal"),
    PolicyRoute("guests", "10.20.1.11/32", "wan1", enabled=False),
]
INSIDE = (("inside", ("internal", "guests")),)
ROUND = (("inside", ("internal", "wan1")),)
SURROUNDINGS = st.builds(
    Surroundings,
    # At times behind the interface of its virtual IP, as where there is one alone.
    server=st.sampled_from(["internal", "internal", "guests", "dmz", "wan1"]),
    front=st.sampled_from(["wan1", "wan1", "any", "any", "dmz"]),
    static=st.lists(st.sampled_from(ROUTES), max_size=2, unique=True).map(tuple),
    policies=st.lists(st.sampled_from(POLICY_ROUTES), max_size=1).map(tuple),
    zones=st.sampled_from([(), (), INSIDE, ROUND]),
    free=st.sampled_from([frozenset(), frozenset(), frozenset({"inside"})]),
    sdwan=st.sampled_from([(), (), (("overlay", ("dmz",)), ("second", ()))]),
    down=st.frozensets(st.sampled_from(INTERFACES[1:]), max_size=2),
    told=st.sampled_from([True, True, False]),
)
WAYS = {
    "srcintf": some("wan1", "wan1", "any", "dmz", "guests", "internal", HOME),
    "dstintf": some("internal", HOME, "any", "wan1", "guests", "dmz"),
}
# Policies for the server, most of which lead elsewhere, and behind them some for everything: where
# the server is nobody can tell from the former.
_ONE_WAY = {
    field: st.sampled_from([refs(name) for name in (*INTERFACES, HOME, HOME, HOME)])
    for field in ("srcintf", "dstintf")
}
MISLEADING_POLICIES = st.tuples(
    st.lists(
        st.fixed_dictionaries(
            {
                **{name: st.just(value) for name, value in WIDE.items()},
                **_ONE_WAY,
                "dstaddr": some("VIP-mail", "VIP-both", "of mail", "server"),
                "action": st.sampled_from(["accept", "accept", "deny"]),
                "status": st.sampled_from(["enable", "enable", "enable", "disable"]),
            }
        ),
        min_size=1,
        max_size=3,
    ),
    st.lists(
        st.fixed_dictionaries(
            {
                **{name: st.just(value) for name, value in WIDE.items()},
                **_ONE_WAY,
                "dstaddr": st.just(refs("all")),
            }
        ),
        min_size=1,
        max_size=2,
    ),
).map(lambda parts: [*parts[0], *parts[1]])


def _name(reference: t.Mapping[str, str]) -> str:
    return reference["name"]


def seed(
    device: Device, policies: t.Sequence[dict[str, t.Any]], around: Surroundings | None = None
) -> None:
    """The entries that the policies name, and the policies."""
    config, place = device.configs["root"], around or Surroundings()
    if around is not None:
        around.put_into(device)
    server = {"mappedip": [{"range": "10.20.1.11"}], "extintf": place.front}
    forward = {**server, "portforward": "enable"}
    config.create(
        "firewall/vip",
        {
            "name": "VIP-mail",
            "extip": PLACES["VIP-mail"],
            "extport": "25",
            "mappedport": "25",
            **forward,
        },
    )
    config.create(
        "firewall/vip",
        {
            "name": "VIP-web",
            "extip": PLACES["VIP-web"],
            "extport": "443",
            "mappedport": "443",
            **forward,
        },
    )
    config.create("firewall/vip", {"name": "VIP-both", "extip": PLACES["VIP-both"], **server})
    config.create("firewall/vipgrp", {"name": "of mail", "member": refs("VIP-mail", "VIP-both")})
    config.create("firewall/address", {"name": "half", "subnet": "198.51.100.0/25"})
    config.create(
        "firewall/address",
        {
            "name": "other",
            "type": "iprange",
            "start-ip": "203.0.113.128",
            "end-ip": "203.0.113.255",
        },
    )
    config.create("firewall/address", {"name": "office", "subnet": "10.20.0.0/16"})
    config.create("firewall/addrgrp", {"name": "others", "member": refs("other", "half")})
    config.create(
        "firewall.service/custom",
        {"name": "Some SMTP", "tcp-portrange": "25", "iprange": "10.20.9.1"},
    )
    config.create("firewall/address", {"name": "server", "subnet": "10.20.1.11/32"})
    config.create("firewall/address", {"name": "land", "type": "geography", "country": "AQ"})
    config.create("firewall/address", {"name": "host", "type": "fqdn", "fqdn": "host.example"})
    config.create("firewall/address", {"name": "dynamic", "type": "dynamic"})
    for name, member, but in (
        ("all but land", "all", "land"),
        ("others but host", "others", "host"),
    ):
        left_out = {"exclude": "enable", "exclude-member": refs(but)}
        config.create("firewall/addrgrp", {"name": name, "member": refs(member), **left_out})
    for row in place.renamed(policies, device.version):
        config.create(POLICY, row)


def leads_inwards(policies: list[dict[str, t.Any]]) -> bool:
    """Whether all of them could lead to the server: which interface it is behind is not in the
    policies.
    """
    return all(row["dstintf"] == refs("internal") for row in policies)
