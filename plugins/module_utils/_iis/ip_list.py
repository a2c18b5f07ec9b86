# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IP address list of a path (`system.webServer/security/ipSecurity`): entries by meaning, and
whom it lets through.

The first entry that fits decides, from top to bottom; who fits none is let through where
`allowUnlisted` is set (IIS_schema.xml). That a list does anything is the business of the module
IpRestrictionModule.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import (
    deny_action,
    level_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.senders import (
    EVERYBODY,
    NOBODY,
    Matched,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Interval,
    RangeError,
    RangeSet,
    parse_range,
)

_WHOLE_MASK = "255.255.255.255"


@dataclass(frozen=True)
class Entry:
    """One entry as it stands there; `level` and its file as of a rule."""

    address: str
    mask: str
    domain: str
    allowed: bool
    level: str | None = None

    @property
    def ranges(self) -> Interval | None:
        """The addresses; None where it names a domain, or what is no network."""
        if self.domain:
            return None
        # The default of the mask is that of one IPv4 address, also beside an IPv6 one.
        single = not self.mask or (self.mask == _WHOLE_MASK and ":" in self.address)
        try:
            if single:
                return parse_range(self.address)
            dotted = "." in self.mask and ":" not in self.address
            return parse_range(
                f"{self.address}({self.mask})" if dotted else f"{self.address}/{self.mask}"
            )
        except RangeError:
            return None

    def key(self) -> dict[str, str]:
        """What finds it again: the text as it stands there."""
        return {"ipAddress": self.address, "subnetMask": self.mask, "domainName": self.domain}

    def words(self) -> str:
        """For sentences and snapshots: `deny 192.0.2.0/24`."""
        network = str(self.ranges or f"{self.address}/{self.mask}".rstrip("/"))
        what = f"domain {self.domain}" if self.domain else network
        return what if self.allowed else f"deny {what}"


@dataclass(frozen=True)
class IpList:
    """A list with what is inherited into it."""

    allow_unlisted: bool = True
    entries: tuple[Entry, ...] = ()
    deny_action: str = "Forbidden"
    proxy_mode: bool = False

    def lets_through(self) -> Matched:
        """Who certainly passes, and who at most."""
        open_certain = open_most = EVERYBODY
        certain = most = NOBODY
        for entry in self.entries:
            held = entry.ranges
            fits = (
                Matched(NOBODY, EVERYBODY)
                if held is None
                else Matched(RangeSet([held]), RangeSet([held]))
            )
            if entry.allowed:
                certain |= fits.certain & open_certain
                most |= fits.at_most & open_most
            open_certain -= fits.at_most
            open_most -= fits.certain
        if self.allow_unlisted:
            certain |= open_certain
            most |= open_most
        # Then the address is one that the sender has written into a header.
        return (
            Matched(NOBODY if not self.is_open else certain, EVERYBODY)
            if self.proxy_mode
            else Matched(certain, most)
        )

    @property
    def is_open(self) -> bool:
        """Whether it refuses nobody."""
        return self.allow_unlisted and all(entry.allowed for entry in self.entries)


def read_list(node: t.Mapping[str, t.Any]) -> IpList:
    """The list of a node of the agent."""
    values = node["values"]
    entries = []
    for item in node.get("items") or ():
        held = item["values"]
        entries.append(
            Entry(
                address=str(held.get("ipAddress") or ""),
                mask=str(held.get("subnetMask") or ""),
                domain=str(held.get("domainName") or ""),
                allowed=_true(held.get("allowed")),
                level=level_of(item.get("metadata") or {})[0],
            )
        )
    unlisted = values.get("allowUnlisted")
    return IpList(
        allow_unlisted=True if unlisted is None else _true(unlisted),
        entries=tuple(entries),
        deny_action=deny_action(values.get("denyAction")),
        proxy_mode=_true(values.get("enableProxyMode")),
    )


def _true(value: t.Any) -> bool:
    return value is True or str(value).casefold() == "true"


def entry_of(cidr: str, *, level: str | None = None, allowed: bool = True) -> Entry:
    """The entry for an address or a CIDR prefix.

    IPv4 masks in dots. Of IPv6 the prefix length stands as the mask, as Microsoft's own script
    writes it (microsoft/CSS-Exchange, ExchangeExtendedProtectionManagement); that IIS reads it so
    is unverified.
    """
    address, _slash, length = cidr.partition("/")
    if ":" in address:
        mask = length or "128"
    else:
        bits = int(length or 32)
        mask = ".".join(
            str((0xFFFFFFFF << (32 - bits) & 0xFFFFFFFF) >> shift & 0xFF)
            for shift in (24, 16, 8, 0)
        )
    return Entry(address, mask, "", allowed, level)


def entry_values(entry: Entry) -> dict[str, t.Any]:
    """An entry as a change of the agent inserts it."""
    texts = {
        "ipAddress": entry.address,
        "subnetMask": entry.mask,
        "domainName": entry.domain,
    }
    values: dict[str, t.Any] = {name: text for name, text in texts.items() if text}
    values["allowed"] = entry.allowed
    return values
