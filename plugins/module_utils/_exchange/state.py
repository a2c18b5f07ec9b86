# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read from a server, in canonical values."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import accepted, rights
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import (
    Version,
    VersionError,
    detect,
    unknown_note,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Address,
    Interval,
    RangeError,
    RangeSet,
    parse_address,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

Connector = t.Mapping[str, t.Any]
"""Option → canonical value; always with ``name``, a receive connector also with ``server``. None:
unset. Missing: not known.
"""

INVALID = "invalid"
"""Key, and no option, of a connector that Exchange itself calls invalid; it may refuse writes."""

Rows = t.Sequence[t.Mapping[str, t.Any]]

DEFAULT_ANONYMOUS_ACCOUNT = rights.DEFAULT_NAMES[rights.ANONYMOUS]
DEFAULT_EVERYONE_ACCOUNT = rights.DEFAULT_NAMES[rights.EVERYONE]
DEFAULT_USERS_ACCOUNT = rights.USERS_NAME
ANY_RECIPIENT = rights.ANY_RECIPIENT
# Of a connector whose name in the directory is not known, so that nothing can be said of its list.
_NO_RIGHTS: t.Mapping[str, t.Any] = {"anonymous_relay": False}


class StateError(PlanError):
    """The answer of a server that cannot be worked with. The message is one sentence or more for
    the operator.
    """


@dataclass(frozen=True)
class Server:
    """The server that was read. `build` is ``15.2.2562.46``; `note` is a sentence where the version
    was guessed.
    """

    name: str
    fqdn: str
    version: Version
    build: str
    edge: bool = False
    roles: frozenset[str] = frozenset()
    addresses: tuple[Address, ...] = ()
    anonymous_account: str = DEFAULT_ANONYMOUS_ACCOUNT
    everyone_account: str = DEFAULT_EVERYONE_ACCOUNT
    users_account: str = DEFAULT_USERS_ACCOUNT
    language: str = ""
    setup_running: bool = False
    note: str | None = None

    @property
    def itself(self) -> RangeSet:
        """The server's own addresses, from which what runs on it sends."""
        return RangeSet(
            Interval(address.version, address.value, address.value) for address in self.addresses
        )

    @property
    def accounts(self) -> dict[str, str]:
        """The accounts that a session without a login has, by their names in `anonymous_rights`."""
        return {rights.ANONYMOUS: self.anonymous_account, rights.EVERYONE: self.everyone_account}


@dataclass(frozen=True)
class State:
    """Server and connectors. The keys of `receive` and `send` are casefolded names.

    `supported` maps the name of a cmdlet to the parameters that it has for this user on this
    server, where that was read. `identities` maps the casefolded name of a receive connector to its
    distinguished name, for its rights; `send_identities` does so for send connectors.
    `accepted_domains` is None where they could not be read.
    """

    server: Server
    receive: t.Mapping[str, Connector] = dataclasses.field(default_factory=dict)
    send: t.Mapping[str, Connector] = dataclasses.field(default_factory=dict)
    domain_controller: str | None = None
    supported: t.Mapping[str, frozenset[str]] | None = None
    identities: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    send_identities: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    accepted_domains: tuple[accepted.AcceptedDomain, ...] | None = ()

    def connectors(self, resource: str) -> t.Mapping[str, Connector]:
        """The connectors of a resource, by its name."""
        return self.receive if resource == RECEIVE.name else self.send

    def with_connectors(self, resource: str, connectors: t.Mapping[str, Connector]) -> State:
        """The state with other connectors of a resource."""
        if resource == RECEIVE.name:
            return dataclasses.replace(
                self, receive=accepted.marked(connectors, self.accepted_domains)
            )
        return dataclasses.replace(self, send=connectors)


def read_server(host: t.Mapping[str, t.Any]) -> Server:
    """The server behind the agent's host facts. Raises StateError where it has no Exchange that is
    known here.
    """
    exchange = host.get("exchange")
    name = str(host.get("name") or "")
    if not exchange:
        raise StateError(
            f"The server {name} has no Exchange Server installed. Nothing was changed."
        )
    numbers = [int(exchange.get(part) or 0) for part in ("major", "minor", "build", "revision")]
    try:
        version = detect(*numbers)
    except VersionError as error:
        raise StateError(str(error)) from None
    return Server(
        name=name,
        fqdn=str(host.get("fqdn") or name),
        version=version,
        build=".".join(str(number) for number in numbers),
        edge=bool(host.get("edge")),
        roles=frozenset(str(role) for role in host.get("roles") or ()),
        addresses=tuple(_addresses(host.get("addresses") or ())),
        anonymous_account=str(host.get("anonymous_account") or DEFAULT_ANONYMOUS_ACCOUNT),
        everyone_account=str(host.get("everyone_account") or DEFAULT_EVERYONE_ACCOUNT),
        users_account=str(host.get("users_account") or DEFAULT_USERS_ACCOUNT),
        language=str(host.get("culture") or ""),
        setup_running=bool(host.get("setup_running")),
        note=unknown_note(*numbers),
    )


def _addresses(texts: t.Iterable[t.Any]) -> t.Iterator[Address]:
    for text in texts:
        # An adapter may report what is not an address that mail can come to; it is no reason to
        # stop.
        try:
            yield parse_address(str(text))
        except RangeError:
            continue


def read_state(host: t.Mapping[str, t.Any], answers: t.Mapping[str, Rows]) -> State:
    """The state that the agent's host facts and the rows of its steps describe.

    `answers` maps ids of calls.read_steps to their rows: ``receive``, ``send``, ``rights``,
    ``commands`` and accepted.STEP, of which the last three may be missing. Raises StateError, and
    OptionError where a value cannot be understood.
    """
    server = read_server(host)
    receive: dict[str, Connector] = {}
    identities: dict[str, str] = {}
    controllers: set[str] = set()
    for row in answers.get("receive") or ():
        owner = _owner(row, server)
        # Without -Server, or through a proxying endpoint, the connectors of other servers come
        # along.
        if owner.casefold() not in (server.name.casefold(), server.fqdn.casefold()):
            continue
        connector: dict[str, t.Any] = {
            **RECEIVE.read(row, server.version, server.edge),
            "server": server.name,
        }
        connector["name"] = printable(connector["name"])
        connector.update(_validity(row))
        key = connector["name"].casefold()
        identity = str(row.get("DistinguishedName") or "")
        if identity:
            identities[key] = identity
        receive[key] = connector
        controllers.add(str(row.get("OriginatingServer") or ""))
    if "rights" in answers:
        groups = {
            identities[key].casefold(): connector.get("permission_groups") or ()
            for key, connector in receive.items()
            if key in identities
        }
        accounts = {**server.accounts, rights.USERS: server.users_account}
        rights_of = rights.read(answers["rights"], groups, accounts)
        receive = {
            key: {**connector, **rights_of.get(identities.get(key, "").casefold(), _NO_RIGHTS)}
            for key, connector in receive.items()
        }
    send: dict[str, Connector] = {}
    send_identities: dict[str, str] = {}
    for row in answers.get("send") or ():
        connector = SEND.read(_plain_send(row), server.version, server.edge)
        connector["name"] = printable(connector["name"])
        connector.update(_validity(row))
        send_identities[connector["name"].casefold()] = str(row.get("DistinguishedName") or "")
        if server.version is Version.E2007RTM:
            connector["is_scoped_connector"] = _has_local_scope(row)
        send[connector["name"].casefold()] = connector
        controllers.add(str(row.get("OriginatingServer") or ""))
    controllers.discard("")
    domains = accepted.read(answers.get(accepted.STEP))
    return State(
        server=server,
        receive=accepted.marked(receive, domains),
        send=send,
        domain_controller=None if server.edge else min(controllers, default=None),
        supported=_supported(answers.get("commands") or ()),
        identities=identities,
        send_identities=send_identities,
        accepted_domains=domains,
    )


def printable(name: str) -> str:
    """A name as it is shown and keyed: with escapes for what cannot be printed.

    Replication conflicts are called ``Name``, a new line, ``CNF:`` and a GUID. calls.py names such
    a connector by its distinguished name.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in name
    )


def _owner(row: t.Mapping[str, t.Any], server: Server) -> str:
    """The server of a receive connector: its Server property, else what stands before the backslash
    of its identity.
    """
    owner = str(row.get("Server") or "")
    if not owner:
        identity = str(row.get("Identity") or "")
        owner = identity.split("\\", 1)[0] if "\\" in identity else server.name
    # An ADObjectId prints as a short name in a remote session; a canonical path has the name at its
    # end.
    return owner.rsplit("/", 1)[-1]


def _plain_send(row: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A row with the login's user name, where one was read, in place of the credential object's
    type name.
    """
    plain = dict(row)
    username = plain.pop("AuthenticationCredential.UserName", None)
    if plain.get("AuthenticationCredential") and username:
        plain["AuthenticationCredential"] = {"UserName": username}
    return plain


def _validity(row: t.Mapping[str, t.Any]) -> dict[str, bool]:
    """The key INVALID of a connector, where Exchange says so of it."""
    return {INVALID: True} if str(row.get("IsValid")).casefold() == "false" else {}


def _has_local_scope(row: t.Mapping[str, t.Any]) -> bool:
    spaces = row.get("AddressSpaces") or ()
    return any(
        str(space).lower().startswith("local:")
        for space in ([spaces] if isinstance(spaces, str) else spaces)
    )


def _supported(rows: Rows) -> t.Mapping[str, frozenset[str]] | None:
    """Cmdlet → parameters, from Get-Command; None where that gave nothing that can be relied on."""
    supported: dict[str, frozenset[str]] = {}
    for row in rows:
        names = row.get("Parameters.Keys")
        parameters = (
            frozenset(str(name) for name in names)
            if isinstance(names, (list, tuple))
            else frozenset()
        )
        # Each of these cmdlets has one of the two; a proxy that takes its parameters as they come
        # has neither.
        if parameters & {"Identity", "Name"}:
            supported[str(row.get("Name"))] = parameters
    return supported or None
