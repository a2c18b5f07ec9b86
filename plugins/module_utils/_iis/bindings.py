# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a site of IIS listens: at which addresses and ports, and by which names it answers there.

A request goes to the site with a binding to its name, else to the one with a binding to the address
that it came to, else to the one with a binding to neither (learn.microsoft.com: UrlPrefix Strings).
With SNI (`sslFlags`, IIS 8 and later) a name is chosen in the TLS handshake, and by the same order.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import WEB, Door
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.senders import (
    EVERYBODY,
    NOBODY,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    LOOPBACK,
    RangeError,
    RangeSet,
    parse_address,
)

Rights = t.Mapping[str, tuple[RangeSet, RangeSet]]

_ANY_ADDRESS = frozenset({"", "*", "0.0.0.0", "::"})
_SNI = 1
_SCHEMES = ("http", "https")


@dataclass(frozen=True)
class Binding:
    """One binding of HTTP or HTTPS. `address` is empty for every address of the server, and `host`
    for any name.
    """

    address: str
    port: int
    host: str
    tls: bool
    sni: bool = False

    def words(self) -> str:
        """The binding for a person."""
        where = self.address or "any address"
        name = f"the name {self.host}{' (SNI)' if self.sni else ''}" if self.host else "any name"
        return f"{_SCHEMES[self.tls]} at {where}, port {self.port}, by {name}"

    @property
    def families(self) -> tuple[int, ...]:
        """The versions of IP that it listens on; none for one that only the server itself uses."""
        if not self.address:
            return (4, 6)
        address = parse_address(self.address)
        return () if address in LOOPBACK else (address.version,)


def read_bindings(rows: t.Iterable[t.Any] | None) -> tuple[Binding, ...] | None:
    """The bindings of HTTP and HTTPS among those of a site, as IIS holds them; None where they were
    not read, or one of them is not understood.
    """
    if rows is None:
        return None
    bindings = []
    for row in rows:
        protocol = str((row or {}).get("protocol") or "").lower()
        if protocol not in _SCHEMES:
            continue
        parts = str(row.get("bindingInformation") or "").rsplit(":", 2)
        if len(parts) != 3 or not parts[1].isdecimal():
            return None
        address = parts[0].strip("[]")
        try:
            plain = "" if address in _ANY_ADDRESS else str(parse_address(address))
        except RangeError:
            return None
        flags = str(row.get("sslFlags") or 0)
        sni = flags.isdecimal() and bool(int(flags) & _SNI)
        tls = protocol == _SCHEMES[True]
        bindings.append(Binding(plain, int(parts[1]), parts[2].lower(), tls, tls and sni))
    return tuple(bindings)


def doors(
    own: t.Sequence[Binding] | None, others: t.Sequence[Binding] | None, rights: Rights
) -> list[Door]:
    """Where somebody who comes by HTTPS meets a site, of which `own` are the bindings, beside the
    other sites of its server: who has which `rights` there.

    Where another site may answer, of which nobody has read what it refuses, anybody might get
    through, and nobody certainly. Where neither listens at the port of HTTPS, nobody gets through
    there.
    """
    if own is None or others is None:
        return [Door((family,), (WEB,), rights) for family in (4, 6)]
    return [door for family in (4, 6) for door in _of_family(family, own, others, rights)]


def _of_family(
    family: int, own: t.Sequence[Binding], others: t.Sequence[Binding], rights: Rights
) -> t.Iterator[Door]:
    mine = [binding for binding in own if binding.tls and family in binding.families]
    theirs = [binding for binding in others if binding.tls and family in binding.families]
    perhaps = dict.fromkeys(rights, (EVERYBODY, NOBODY))
    told: set[tuple[int, str]] = set()
    for port, address in sorted({(binding.port, binding.address) for binding in mine}):
        hosts = sorted({each.host for each in mine if (each.port, each.address) == (port, address)})
        rivals = {each.host for each in theirs if (each.port, each.address) == (port, address)}
        named = "" if "" in hosts else f"by the name {' or '.join(hosts)} alone"
        at = (address,) if address else ()
        whose = perhaps if rivals.intersection(hosts) else rights
        if named and any((each.port, each.host) == (port, "") for each in theirs):
            # By another name, another site answers.
            whose = {path: (EVERYBODY, certain) for path, (_might, certain) in whose.items()}
        yield Door((family,), (port,), whose, at, then=named)
        told.add((port, address))
    for binding in theirs:
        # At this address another site answers those who do not come by a name of this one.
        where = (binding.port, binding.address)
        if binding.address and not binding.host and (binding.port, "") in told - {where}:
            told.add(where)
            yield Door((family,), (binding.port,), perhaps, (binding.address,))
    if (WEB, "") not in told:
        there = any(binding.port == WEB for binding in theirs)
        whose = dict.fromkeys(rights, (EVERYBODY if there else NOBODY, NOBODY))
        then = "" if there else "because the site has no binding there"
        yield Door((family,), (WEB,), whose, then=then)
