# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of values that only Exchange has: address spaces, logins at smart hosts, capabilities of
TLS partners.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.kinds import (
    Kind,
    KindError,
    quoted,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.lists import ListKind


class AddressSpace(t.NamedTuple):
    """What a send connector carries, lower case. `cost` is 1 to 100, and lower is preferred."""

    type: str
    space: str
    cost: int

    def __str__(self) -> str:
        kind = self.type.upper() if self.type in ("smtp", "x400") else self.type
        return f"{kind}:{self.space};{self.cost}"


class AddressSpaces(ListKind):
    """Canonical is a frozenset of AddressSpace.

    Forms (New-SendConnector.md): ``contoso.example``, ``SMTP:contoso.example``,
    ``contoso.example;5``, ``SMTP:contoso.example;5``. Exchange 2007 RTM puts a scope in front,
    ``Local:SMTP:*;1`` (TechNet bb629547); it is the option is_scoped_connector here.
    """

    _FORM = re.compile(r"(?:(?P<type>[^:;]+):)?(?P<space>.*?)(?:;(?P<cost>[0-9]+))?", re.DOTALL)
    # A label may hold an underscore; whatever else Exchange refuses, it refuses by itself.
    _DOMAIN = re.compile(r"(?:\*\.)?(?:[^\s*.:;]+\.)*[^\s*.:;]+|\*|--")

    def parse(self, value: t.Any) -> frozenset[AddressSpace]:
        return frozenset(self._space(str(item)) for item in self.items(value))

    def _space(self, text: str) -> AddressSpace:
        bare = text.strip().lower()
        if bare.startswith("local:"):
            bare = bare[len("local:") :]
        form = self._FORM.fullmatch(bare)
        kind = ((form and form.group("type")) or "smtp").strip()
        space = ((form and form.group("space")) or "").strip()
        cost = int(form.group("cost")) if form and form.group("cost") else 1
        if not space:
            raise KindError(
                f"{quoted(text)} is not an address space such as SMTP:*;1 or contoso.example."
            )
        if not 1 <= cost <= 100:
            raise KindError(
                f"the address space {quoted(text)} has the cost {cost}, which is not from 1 to 100."
            )
        if kind == "smtp" and not self._DOMAIN.fullmatch(space):
            raise KindError(
                f"the address space {quoted(text)} is no domain; a wildcard is a whole label at "
                "the beginning, as in *.contoso.example."
            )
        return AddressSpace(kind, space, cost)

    def combine(self, current: t.Any, added: t.Any, removed: t.Any) -> t.Any:
        # One space at another cost is the same space: what is added takes its place, and it is
        # removed whatever its cost.
        gone = {(space.type, space.space) for space in (*added, *removed)}
        return (
            frozenset(space for space in current if (space.type, space.space) not in gone) | added
        )

    def show(self, canonical: t.Any) -> t.Any:
        return [str(space) for space in sorted(canonical)]

    def write(self, canonical: t.Any) -> t.Any:
        return self.show(canonical)


CAPABILITIES: t.Mapping[str, Version | None] = {
    # Set-ReceiveConnector.md.
    "AcceptOorgProtocol": None,
    "AcceptOorgHeader": None,
    "AcceptCloudServicesMail": Version.E2013,
    # The others of the type (office-docs-powershell issue 6292, of 2020); of which version each is
    # first is unverified.
    **dict.fromkeys(
        (
            "AcceptProxyProtocol",
            "AcceptProxyFromProtocol",
            "AcceptProxyToProtocol",
            "AcceptXAttrProtocol",
            "AcceptOrgHeaders",
            "AcceptXSysProbeProtocol",
            "AcceptCrossForestMail",
            "AllowSubmit",
            "AcceptXOriginalFromProtocol",
            "AllowConsumerMail",
            "AllowConsumerMailSubmission",
            "AcceptCrossTenantHeaders",
            "AcceptReleasedMail",
            "AcceptMailMdbGuid",
            "AcceptEprop",
            "AcceptAdrc",
            "AcceptCrossTenantCfm",
            "AcceptMailDeliveryPriority",
            "AcceptTrafficTypeParam",
            "AcceptMessageValue",
        ),
        Version.E2013,
    ),
}
"""Capability → the first version that has it; None: every one that has capabilities."""


class Capabilities(ListKind):
    """Capabilities of TLS partners; canonical is a frozenset of ``partner:Capability``, one
    capability each.

    Exchange prints several of one partner as ``partner:One,Two``. The partner is a domain, lower
    case here; ``NO-TLS``, which stands for no certificate at all; or a certificate,
    ``<I>issuer<S>subject``, whose names may hold colons and commas and keep their spelling.
    """

    # What is not known stays as it is spelled; server_rules.py speaks of it.
    _SPELLING: t.ClassVar[t.Mapping[str, str]] = {name.lower(): name for name in CAPABILITIES}

    _WORD = re.compile(r"\w+")

    def items(self, value: t.Any) -> list[t.Any]:
        # Not parted at commas: they stand between the capabilities of one domain.
        return [value] if isinstance(value, str) and value else super().items(value)

    def parse(self, value: t.Any) -> frozenset[str]:
        parsed = set()
        for item in self.items(value):
            partner, colon, capabilities = str(item).rpartition(":")
            names = [name.strip() for name in capabilities.split(",") if name.strip()]
            partner = partner.strip()
            if not colon or not partner or not names or not all(map(self._WORD.fullmatch, names)):
                raise KindError(f"{quoted(item)} is not of the form domain:capability.")
            if not partner.startswith("<"):
                partner = partner.lower()
            parsed |= {f"{partner}:{self._SPELLING.get(name.lower(), name)}" for name in names}
        return frozenset(parsed)

    def show(self, canonical: t.Any) -> t.Any:
        partners: dict[str, list[str]] = {}
        for item in sorted(canonical):
            partner, _colon, capability = item.rpartition(":")
            partners.setdefault(partner, []).append(capability)
        return [f"{partner}:{','.join(names)}" for partner, names in partners.items()]

    def write(self, canonical: t.Any) -> t.Any:
        return self.show(canonical) or None


@dataclass(frozen=True, eq=False)
class Login:
    """A login at smart hosts. `username` is empty where there is one whose name is not shown.

    Two are equal if their names are: a password can never be read back. One that is to be written
    in any case (`always`) equals nothing, so that it is a change every time.
    """

    username: str
    password: str | None = field(default=None, repr=False)
    always: bool = False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Login):
            return NotImplemented
        return self is other or (
            not self.always
            and not other.always
            and self.username.casefold() == other.username.casefold()
        )

    def __hash__(self) -> int:
        return hash(self.username.casefold())


class LoginKind(Kind):
    """The credential of a send connector; canonical is a Login, or None where it has none.

    A wish is a table of username and password, and of update, which is ``always`` or ``on_create``;
    '' takes the login away.
    """

    def parse(self, value: t.Any) -> Login | None:
        if value is None or value == "" or value == {}:
            return None
        if not isinstance(value, t.Mapping) or not value.get("username"):
            raise KindError("it is not a table of username and password.")
        unknown = sorted(set(map(str, value)) - {"username", "password", "update"})
        if unknown:
            raise KindError(f"{quoted(unknown[0])} is not one of username and password.")
        password = value.get("password")
        return Login(
            str(value["username"]),
            None if password in (None, "") else str(password),
            always=value.get("update") == "always",
        )

    def read(self, value: t.Any) -> Login | None:
        if value is None or value == "":
            return None
        if isinstance(value, t.Mapping):
            return Login(str(value.get("UserName") or ""))
        # A credential that lost its type on the way prints as the name of that type, which is no
        # user.
        return Login("" if str(value).endswith("PSCredential") else str(value))

    def merge(self, current: t.Any, wish: t.Any) -> t.Any:
        login = self.parse(wish)
        if login is None or (login.always and login.password is not None):
            return login
        if current is not None and (current.username == "" or current == login):
            return current
        if login.password is None:
            raise KindError(
                f"the password for '{login.username}' is not known, since Exchange never gives one "
                "back. "
                "Give the username and the password."
            )
        return login

    def show(self, canonical: t.Any) -> t.Any:
        """The user name alone, since a password is never shown; nothing where not even the name is
        known.
        """
        if canonical is None:
            return ""
        return {"username": canonical.username} if canonical.username else None

    def write(self, canonical: t.Any) -> t.Any:
        """The Login itself; calls.py makes of it what the codec takes for a credential."""
        return canonical

    def argument(self) -> dict[str, t.Any]:
        return {
            "type": "dict",
            "options": {
                "username": {"type": "str", "required": True},
                "password": {"type": "str", "required": True, "no_log": True},
            },
        }
