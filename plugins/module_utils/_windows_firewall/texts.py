# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a firewall rule in the registry, which tells what COM does not.

``v2.10|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=25|RA4=10.0.0.0/255.0.0.0|Name=…|``: names
and values with `|` between them; what repeats adds up (MS-GPFAS 2.2.2.19). What is absent has a
default: all profiles, any protocol, not active, no edge traversal.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.values import (
    ALL_PORTS,
    ANYBODY,
    Addresses,
    Ports,
    read_addresses,
    read_ports,
)

ALLOW, BLOCK, BYPASS = "allow", "block", "bypass"
ALL_PROFILES = 7
PROFILES: t.Mapping[int, str] = {1: "domain", 2: "private", 4: "public"}
"""The bits of NET_FW_PROFILE_TYPE2 (icftypes.h)."""

_ACTIONS = {"allow": ALLOW, "block": BLOCK, "bypass": BYPASS}
_VERSION = re.compile(r"v[0-9]+\.[0-9]+")
_TRUE = {"true": True, "false": False}
# That a Windows of today writes no other words than these is unverified.
# What is for people alone, or says nothing of who gets in.
_PLAIN = frozenset({"Name", "Desc", "EmbedCtxt", "Defer", "LSM"})
# Conditions that are not looked at here: whether the rule holds for a packet is then not certain.
_CONDITIONS = re.compile(
    r"(?:LA[46]2?|IF|IFType|Platform2?|SkipVer|LUAuth|LUOwn|AppPkgId|PFN|ICMP[46]|TTK.*)"
)
_PORTS = re.compile(r"LPort(?:2_[0-9]+)?")
_REMOTE_PORTS = re.compile(r"RPort(?:2_[0-9]+)?")
_ADDRESSES = re.compile(r"RA[46]2?")
_IPSEC = re.compile(r"Security(?:2(?:_[0-9]+)?)?")
_WHO = re.compile(r"(?:RMauth|RUAuth|AuthByPassOut)")
# FW_RULE_FLAGS that ask for IPsec (MS-GPFAS 2.2.2.19, SecurityVal).
_AUTHENTICATED = frozenset({"authenticate", "authenticateencrypt", "an-noencap", "ane-nego"})


@dataclass(frozen=True)
class Rule:
    """What a rule says, from wherever it was read.

    `protocol` is None for any, `profiles` the sum of the bits of PROFILES. `ipsec`: holds for
    senders that IPsec has authenticated. `loose`: its remote addresses do not count
    (LOCAL_ONLY_MAPPED, MS-FASP 2.2.38). `conditions`: whatever else a packet has to be. `unknown`:
    what of it is not understood, so that it may mean anything. `elsewhere`: it is for a program
    that does not listen on the ports in question.
    """

    name: str = ""
    enabled: bool = False
    inbound: bool = True
    action: str = ALLOW
    protocol: int | None = None
    ports: Ports = ALL_PORTS
    remote: Addresses = ANYBODY
    profiles: int = ALL_PROFILES
    program: str = ""
    service: str = ""
    edge: bool = False
    ipsec: bool = False
    loose: bool = False
    remote_ports: bool = False
    conditions: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    elsewhere: bool = False

    @property
    def certain(self) -> bool:
        """Whether it holds for every packet that its ports and addresses name."""
        return not (self.conditions or self.unknown or self.ipsec)

    def covers(self, port: int) -> bool:
        """Whether it may be about this TCP port."""
        return (
            not self.elsewhere
            and self.protocol in (None, 6)
            and (port in self.ports or self.ports.may_hold(port))
        )

    def in_profile(self, profile: int) -> bool:
        """Whether it holds in that profile."""
        return bool(self.profiles & profile)


def read_text(text: str) -> Rule:
    """The rule that a text of the registry is. Never raises: what is not understood is told."""
    parts = [part for part in text.split("|") if part]
    values: dict[str, list[str]] = {}
    unknown: set[str] = set()
    if not parts or not _VERSION.fullmatch(parts[0]):
        unknown.add("its version")
    for part in parts[1:] if parts and _VERSION.fullmatch(parts[0]) else parts:
        name, equals, value = part.partition("=")
        if not equals:
            unknown.add(name)
        values.setdefault(name, []).append(value)

    def single(name: str, known: t.Mapping[str, t.Any], absent: t.Any) -> t.Any:
        given = values.get(name)
        if given is None:
            return absent
        if len(given) == 1 and given[0].casefold() in known:
            return known[given[0].casefold()]
        unknown.add(name)
        return absent

    def having(pattern: re.Pattern[str]) -> list[str]:
        return [
            value for name, given in values.items() if pattern.fullmatch(name) for value in given
        ]

    names = {"Action", "Active", "Dir", "Protocol", "Profile", "App", "Svc", "Edge", "LOM", *_PLAIN}
    patterns = (_CONDITIONS, _PORTS, _REMOTE_PORTS, _ADDRESSES, _IPSEC, _WHO)
    unknown.update(
        name
        for name in values
        if name not in names and not any(pattern.fullmatch(name) for pattern in patterns)
    )
    protocol = single("Protocol", {str(number): number for number in range(257)}, None)
    action = single("Action", _ACTIONS, ALLOW)
    if "Action" not in values:
        unknown.add("Action")
    ipsec = [value.casefold() for value in having(_IPSEC)]
    if set(ipsec) - _AUTHENTICATED or (having(_WHO) and not ipsec):
        unknown.add("Security")
    profiles = {name: bit for bit, name in PROFILES.items()}
    bits = [profiles.get(value.casefold(), 0) for value in values.get("Profile", ())]
    if 0 in bits:
        unknown.add("Profile")
    return Rule(
        name=(values.get("Name") or [""])[-1],
        # What may be active is taken for active.
        enabled=single("Active", _TRUE, "Active" in values),
        inbound=single("Dir", {"in": True, "out": False}, True),
        action=action,
        protocol=None if protocol == 256 else protocol,
        ports=read_ports(having(_PORTS)),
        remote=read_addresses(having(_ADDRESSES)),
        profiles=ALL_PROFILES if not bits or 0 in bits else sum(set(bits)),
        program=(values.get("App") or [""])[-1],
        service=(values.get("Svc") or [""])[-1],
        edge=single("Edge", _TRUE, False),
        ipsec=bool(ipsec) or action == BYPASS,
        loose=single("LOM", _TRUE, "LOM" in values),
        remote_ports=bool(having(_REMOTE_PORTS)),
        conditions=frozenset(name for name in values if _CONDITIONS.fullmatch(name)),
        unknown=frozenset(unknown),
        # An app of the store is no server of these ports.
        elsewhere="AppPkgId" in values,
    )
