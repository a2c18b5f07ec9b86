# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of several values. A cmdlet's parameter replaces the list, or names what to add and
remove (2010 and later).

Their order means nothing, and a real server does not keep it: the projected objects of an Exchange
2019 server have IPv6 before IPv4 on some connectors and after it on others. That is why the host
shuffles them.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.addresses import IPBinding, IPRange
from ansible_collections.mailedge.lockdown.tests.lab.exchange.shapes import (
    Fqdn,
    Kind,
    Mismatch,
    Refused,
    Shown,
    Style,
)


class MultiValue(Kind):
    """The base: a tuple of items. Null and the empty text empty it; the same item twice is refused
    (unverified).
    """

    item_type = "System.String"

    @property
    def type_name(self) -> str:  # type: ignore[override]
        """The name of the collection's type."""
        return f"Microsoft.Exchange.Data.MultiValuedProperty`1[{self.item_type}]"

    def take(self, value: t.Any, current: t.Any) -> t.Any:
        if isinstance(value, dict):
            return self._edited(value, current or ())
        return self._items(value)

    def _edited(self, value: dict[str, t.Any], current: tuple[t.Any, ...]) -> tuple[t.Any, ...]:
        edits = {str(key).lower(): self._items(items) for key, items in value.items()}
        if not edits or set(edits) - {"add", "remove"}:
            raise Mismatch('The hash table may have the keys "Add" and "Remove" only.')
        kept = tuple(item for item in current if item not in edits.get("remove", ()))
        added = edits.get("add", ())
        if any(item in kept for item in added):
            raise Refused("The value is already present in the collection.")
        return kept + added

    def _items(self, value: t.Any) -> tuple[t.Any, ...]:
        if value is None or value == "":
            return ()
        texts = value if isinstance(value, (list, tuple)) else [value]
        items: list[t.Any] = []
        seen: set[t.Any] = set()
        for text in texts:
            if not isinstance(text, str):
                raise Mismatch(f"Cannot convert value to type {self.item_type}.")
            item = self.item(text)
            if item in seen:
                raise Refused(f'The value "{text}" is already present in the collection.')
            seen.add(item)
            items.append(item)
        return tuple(items)

    def item(self, text: str) -> t.Any:
        """One item. Raises Mismatch."""
        return text

    def show(self, stored: t.Any, style: Style) -> t.Any:
        return [Shown(str(item), self.item_type) for item in stored]


class Ranges(MultiValue):
    """RemoteIPRanges. An IPv4-only edition refuses IPv6: see `families`."""

    item_type = "Microsoft.Exchange.Data.IPRange"

    def item(self, text: str) -> IPRange:
        try:
            return IPRange.parse(text)
        except ValueError as error:
            raise Mismatch(f'"{text}" isn\'t a valid IP range: {error}.') from None

    def load(self, value: t.Any) -> t.Any:
        return tuple(IPRange.parse(text, netmask=True) for text in value)


class Bindings(MultiValue):
    """Bindings."""

    item_type = "Microsoft.Exchange.Data.IPBinding"

    def item(self, text: str) -> IPBinding:
        try:
            return IPBinding.parse(text)
        except ValueError as error:
            raise Mismatch(f'"{text}" isn\'t a valid binding: {error}.') from None


class Capabilities(MultiValue):
    """TlsDomainCapabilities: ``domain:Capability,Capability``, or the domain NO-TLS
    (Set-ReceiveConnector.md).

    In place of the domain a certificate may stand, ``<I>issuer<S>subject``, with colons and commas
    in its names (seen on hybrid servers; on which versions is unverified).
    """

    item_type = "Microsoft.Exchange.Data.SmtpReceiveDomainCapabilities"

    def __init__(self, *names: str) -> None:
        self.spelling = {name.lower(): name for name in names}

    def item(self, text: str) -> str:
        domain, colon, words = text.rpartition(":")
        if not colon:
            raise Mismatch(f'"{text}" isn\'t of the form domain:capabilities.')
        if not re.fullmatch(r"NO-TLS|<I>.+<S>.+", domain, re.IGNORECASE):
            Fqdn().take(domain.removeprefix("*."), None)
        capabilities = [self.spelling.get(word.strip().lower()) for word in words.split(",")]
        if None in capabilities:
            raise Mismatch(
                f'"{words}" isn\'t a valid list of capabilities. Valid values are: '
                f"{', '.join(self.spelling.values())}."
            )
        return f"{domain}:{', '.join(sorted(set(filter(None, capabilities))))}"

    def load(self, value: t.Any) -> t.Any:
        return tuple(value)


class AddressSpace(t.NamedTuple):
    """A stored address space; `text` is how it prints. Equal by what it means."""

    kind: str
    space: str
    cost: int
    scope: str
    shown_kind: str

    def __str__(self) -> str:
        return f"{self.scope}{self.shown_kind}:{self.space};{self.cost}"


class AddressSpaces(MultiValue):
    """AddressSpaces: ``Type:Space;Cost`` (New-SendConnector.md), on 2007 RTM with a scope in front
    (TechNet bb629547).
    """

    item_type = "Microsoft.Exchange.Data.AddressSpace"
    _DOMAIN = re.compile(r"\*|--|(?:\*\.)?(?:[^\s*.:;@]+\.)*[^\s*.:;@]+")

    def __init__(self, scoped: bool) -> None:
        self.scoped = scoped

    def item(self, text: str) -> AddressSpace:
        scope = ""
        rest = text.strip()
        if rest.lower().startswith("local:"):
            if not self.scoped:
                raise Mismatch(f'"{text}" isn\'t a valid address space.')
            scope, rest = "Local:", rest[len("local:") :]
        kind, colon, space = rest.partition(":")
        if not colon:
            kind, space = "SMTP", rest
        cost = 1
        body, semicolon, number = space.rpartition(";")
        if semicolon:
            if not number.isdecimal():
                # Of a space that has semicolons of its own the last part has to be the cost.
                raise Mismatch(f'"{text}" has no cost, which such an address space needs.')
            space, cost = body, int(number)
        if not 1 <= cost <= 100:
            raise Mismatch(f'"{text}" has a cost that isn\'t in the range from 1 to 100.')
        if (
            not kind.strip()
            or not space.strip()
            or (kind.lower() == "smtp" and not self._DOMAIN.fullmatch(space))
        ):
            raise Mismatch(f'"{text}" isn\'t a valid address space.')
        return AddressSpace(kind.lower(), space, cost, scope, kind)

    def load(self, value: t.Any) -> t.Any:
        return tuple(self.item(text) for text in value)


class SmartHosts(MultiValue):
    """SmartHosts: names, or addresses, which print in square brackets
    (outbound-smart-host-routing.md).
    """

    item_type = "Microsoft.Exchange.Data.SmartHost"

    def take(self, value: t.Any, current: t.Any) -> t.Any:
        # Here one text may hold several, as the property SmartHostsString does.
        return super().take(
            value.split(",") if isinstance(value, str) and value else value, current
        )

    def item(self, text: str) -> str:
        bare = text.strip()
        literal = bare[1:-1] if bare.startswith("[") and bare.endswith("]") else bare
        try:
            return f"[{ipaddress.ip_address(literal)}]"
        except ValueError:
            if literal != bare or re.fullmatch(r"[0-9.]+", bare):
                raise Mismatch(f'"{text}" isn\'t a valid smart host.') from None
        if bare == "--":
            # EdgeSync's own connector to the inside (learn.microsoft.com, bb629503).
            return bare
        Fqdn().take(bare, None)
        return bare


class Names(MultiValue):
    """Names of objects in the directory, which the cmdlet looks up; they print as short names."""

    item_type = "Microsoft.Exchange.Data.Directory.ADObjectId"
