# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cmdlets, on one server of one organization."""

from __future__ import annotations

import copy
import dataclasses
import fnmatch
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange import (
    published,
    receive,
    receive_rules,
    rows,
    send,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory, Server
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import Edition
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import (
    ambiguous,
    ambiguous_set,
    corrupted,
    exists_already,
    invalid,
    missing_parameters,
    not_convertible,
    not_found,
    not_here,
    null_argument,
    task_error,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import (
    ALL,
    FULL,
    Ace,
    Setting,
    Stored,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.rights import RIGHTS, Rights
from ansible_collections.mailedge.lockdown.tests.lab.exchange.shapes import (
    Mismatch,
    Shown,
    Style,
    Text,
)

Rows = list[dict[str, t.Any]]
Parameters = t.Mapping[str, t.Any]

# ADObject names: at most 64 characters (New-ReceiveConnector.md); that they neither begin nor end
# with a space is unverified.
_NAME = Setting("Name", Text("", r"(?!\s)[^\x00-\x1f]+(?<!\s)", "a valid name", longest=64))


class Cmdlets:
    """Runs cmdlets whose parameters are bound already. Raises ExchangeError. The caller holds the
    directory's lock.
    """

    def __init__(
        self, server: Server, edition: Edition, directory: Directory, rights: Rights, style: Style
    ) -> None:
        self.server, self.edition, self.directory, self.rights, self.style = (
            server,
            edition,
            directory,
            rights,
            style,
        )
        self.receive_settings = receive.settings(edition)
        self.send_settings = send.settings(edition)

    def run(self, cmdlet: str, given: Parameters) -> Rows:
        """Run one cmdlet; give what it puts into the pipeline."""
        verb, noun = cmdlet.split("-", 1)
        if self.edition.edge and given.get("DomainController") is not None:
            # New-ReceiveConnector.md: not on Edge servers, which read their own ADAM.
            raise not_here("DomainController", True)
        controller = self.directory.controller(given.get("DomainController"))
        parameters = {
            name: value
            for name, value in given.items()
            if name not in ("DomainController", "Confirm", "Force")
        }
        trial = bool(parameters.pop("WhatIf", False))
        replayed = self.directory.replayed.get((self.server.name, cmdlet))
        if replayed is not None:
            return copy.deepcopy(replayed)
        if noun == "AcceptedDomain":
            return rows.domain_rows(self.directory, parameters.get("Identity"))
        if noun == "ExchangeCertificate":
            named = parameters.get("Server")
            server = self.server if named is None else self._server(named, controller)
            held = self.directory.certificates.get(server.name, [])
            return published.certificate_rows(server, held)
        if cmdlet in published.commands(self.edition):
            named = parameters.get("Server", parameters.get("Identity"))
            server = self.server if named is None else self._server(named, controller)
            external = self.directory.external.get(server.name, "")
            return published.rows(cmdlet, server, external, self.directory.hybrid)
        if noun == "ADPermission":
            if verb == "Get":
                return self._get_rights(parameters, controller)
            return self._change_rights(verb == "Add", parameters, controller, trial)
        receiving = noun == "ReceiveConnector"
        if verb == "Get":
            get = self._get_receive if receiving else self._get_send
            return get(parameters, controller)
        if verb == "New":
            write = self._new_receive if receiving else self._new_send
        elif verb == "Set":
            write = self._set_receive if receiving else self._set_send
        else:
            write = self._remove
        pool = (
            self.receive_connectors(controller) if receiving else self.send_connectors(controller)
        )
        return write(parameters, controller, pool, trial)

    # --- Looking up -------------------------------------------------------------------------------

    def receive_connectors(self, controller: str) -> list[Stored]:
        """All receive connectors of the organization as this domain controller sees them. Not to be
        changed.
        """
        return [
            self._complete(connector, self.receive_settings)
            for connector in self.directory.view(controller)
            if connector.server
        ]

    def send_connectors(self, controller: str) -> list[Stored]:
        """All send connectors, likewise."""
        return [
            self._complete(connector, self.send_settings)
            for connector in self.directory.view(controller)
            if not connector.server
        ]

    @staticmethod
    def _complete(connector: Stored, settings: t.Mapping[str, Setting]) -> Stored:
        """A connector as this version reads it: what the older version that made it did not know
        has its default (unverified).
        """
        missing = {
            name: setting.default
            for name, setting in settings.items()
            if name not in connector.values
        }
        return (
            dataclasses.replace(connector, values={**missing, **connector.values})
            if missing
            else connector
        )

    def _single(self, identity: t.Any, pool: t.Iterable[Stored], controller: str) -> Stored:
        """The one connector of that identity: a bare name is ambiguous where two servers have it
        (Get-ReceiveConnector.md).
        """
        if identity is None:
            raise null_argument("Identity")
        matching = [connector for connector in pool if connector.answers_to(str(identity))]
        if not matching:
            raise not_found(identity, controller)
        if len(matching) > 1:
            raise ambiguous(identity)
        return matching[0]

    def _server(self, name: t.Any, controller: str) -> Server:
        for server in self.directory.servers.values():
            if str(name).casefold() in (server.name.casefold(), server.fqdn.casefold()):
                return server
        raise not_found(name, controller)

    def _shown(self, connectors: t.Iterable[Stored], controller: str) -> Rows:
        shuffled = list(connectors)
        # The directory keeps no order.
        self.directory.random.shuffle(shuffled)
        return [self._row(connector, controller) for connector in shuffled]

    def _row(self, connector: Stored, controller: str) -> dict[str, t.Any]:
        if connector.server:
            row = rows.receive_row(
                connector,
                self.receive_settings,
                self.rights.read(connector.rights),
                self.directory,
                self.style,
            )
        else:
            row = rows.send_row(connector, self.send_settings, self.directory, self.style)
        return {**row, "OriginatingServer": controller}

    # --- Receive connectors -----------------------------------------------------------------------

    def _get_receive(self, given: Parameters, controller: str) -> Rows:
        pool = self.receive_connectors(controller)
        if "Identity" in given and "Server" in given:
            raise ambiguous_set()
        if "Server" in given:
            server = self._server(given["Server"], controller)
            return self._shown(
                (connector for connector in pool if connector.server == server.name), controller
            )
        # Get-ReceiveConnector.md warns: an identity that is null or does not exist gives all
        # objects.
        matching = [
            connector
            for connector in pool
            if given.get("Identity") is not None and connector.answers_to(str(given["Identity"]))
        ]
        return self._shown(matching or pool, controller)

    def _usage(self, given: Parameters, names: t.Sequence[str], kind: t.Any) -> str | None:
        switches = [name for name in names if given.get(name)]
        if len(switches) > 1 or (switches and "Usage" in given):
            raise ambiguous_set()
        if "Usage" not in given:
            return switches[0] if switches else None
        try:
            return str(kind.take(given["Usage"], None))
        except Mismatch as error:
            raise not_convertible("Usage", given["Usage"], kind.type_name, str(error)) from None

    def _new_receive(
        self, given: Parameters, controller: str, pool: list[Stored], trial: bool
    ) -> Rows:
        # Without a usage the parameters decide, and it is as Custom (New-ReceiveConnector.md,
        # Default parameter set).
        usage = self._usage(given, receive.USAGES, receive.USAGE) or "Custom"
        if usage == "Client" and self.edition.edge:
            raise invalid("The usage type Client isn't available on an Edge Transport server.")
        preset = receive.preset(usage, self.edition)
        if usage == "Internet" and "RemoteIPRanges" in given:
            raise ambiguous_set()
        missing = [
            name
            for name in ("Name", "Bindings", "RemoteIPRanges")
            if name not in {**preset, **given}
        ]
        if missing:
            raise missing_parameters(*missing)
        server = self._server(given["Server"], controller) if given.get("Server") else self.server
        values = {**receive.defaults(self.edition, server.fqdn), **preset}
        values.update(self._taken(self.receive_settings, given, values))
        name = _NAME.take(given["Name"], None, self.edition)
        groups = values.pop("PermissionGroups")
        made = Stored(
            name,
            self.directory.receive_dn(server.name, name),
            values,
            server.name,
            self.rights.regroup((), groups),
        )
        self._admit(made, pool, controller)
        return [] if trial else self._store(made, controller)

    def _set_receive(
        self, given: Parameters, controller: str, pool: list[Stored], trial: bool
    ) -> Rows:
        held = self._settable(given, pool, controller)
        changed = copy.deepcopy(held)
        current = {**held.values, "PermissionGroups": self.rights.read(held.rights)}
        taken = self._taken(self.receive_settings, given, current)
        if "PermissionGroups" in taken:
            # The groups are what is said here, each time all of them: they have no Add and no
            # Remove.
            changed.rights = self.rights.regroup(held.rights, taken.pop("PermissionGroups"))
        changed.values.update(taken)
        if "Name" in given:
            changed.name = _NAME.take(given["Name"], None, self.edition)
            changed.distinguished_name = self.directory.receive_dn(held.server, changed.name)
        self._admit(changed, [other for other in pool if other.guid != held.guid], controller)
        if not trial:
            self._store(changed, controller)
        return []

    def _admit(self, connector: Stored, others: list[Stored], controller: str) -> None:
        neighbours = [other for other in others if other.server == connector.server]
        if any(other.name.casefold() == connector.name.casefold() for other in neighbours):
            raise exists_already(connector.distinguished_name, controller)
        server = self._server(connector.server, controller)
        values = {**connector.values, "PermissionGroups": self.rights.read(connector.rights)}
        receive_rules.check(values, self.edition, server.name, server.fqdn)
        domain = values.get("DefaultDomain")
        if domain and domain.casefold() not in {
            accepted.casefold() for accepted in self.directory.accepted_domains
        }:
            # Set-ReceiveConnector.md: DefaultDomain names an accepted domain.
            raise not_found(domain, controller)
        receive_rules.check_against(connector, neighbours)

    # --- Send connectors --------------------------------------------------------------------------

    def _get_send(self, given: Parameters, controller: str) -> Rows:
        pool = self.send_connectors(controller)
        if given.get("Identity") is None:
            return self._shown(pool, controller)
        return self._shown([self._single(given["Identity"], pool, controller)], controller)

    def _new_send(
        self, given: Parameters, controller: str, pool: list[Stored], trial: bool
    ) -> Rows:
        self._usage(given, send.USAGES, send.USAGE)
        missing = [name for name in ("Name", "AddressSpaces") if name not in given]
        if missing:
            raise missing_parameters(*missing)
        values = send.defaults(self.edition)
        if not self.edition.edge:
            # New-SendConnector.md: the server on which the command runs.
            values["SourceTransportServers"] = (self.server.name,)
        values.update(self._taken(self.send_settings, given, values))
        name = _NAME.take(given["Name"], None, self.edition)
        made = Stored(name, self.directory.send_dn(name), values)
        self._admit_send(made, pool, controller, given)
        return [] if trial else self._store(made, controller)

    def _set_send(
        self, given: Parameters, controller: str, pool: list[Stored], trial: bool
    ) -> Rows:
        held = self._settable(given, pool, controller)
        changed = copy.deepcopy(held)
        changed.values.update(self._taken(self.send_settings, given, held.values))
        if "Name" in given:
            changed.name = _NAME.take(given["Name"], None, self.edition)
            changed.distinguished_name = self.directory.send_dn(changed.name)
        self._admit_send(
            changed, [other for other in pool if other.guid != held.guid], controller, given
        )
        if not trial:
            self._store(changed, controller)
        return []

    def _admit_send(
        self, connector: Stored, others: list[Stored], controller: str, given: Parameters
    ) -> None:
        if any(other.name.casefold() == connector.name.casefold() for other in others):
            raise exists_already(connector.distinguished_name, controller)
        send.check(connector.values, given, self.edition)
        if not self.edition.edge:
            sources = connector.values["SourceTransportServers"]
            if not sources:
                raise invalid("SourceTransportServers can't be empty.")
            connector.values["SourceTransportServers"] = tuple(
                self._server(name, controller).name for name in sources
            )

    # --- All connectors ---------------------------------------------------------------------------

    @staticmethod
    def _identity(given: Parameters) -> t.Any:
        if "Identity" not in given:
            raise missing_parameters("Identity")
        return given["Identity"]

    def _settable(self, given: Parameters, pool: list[Stored], controller: str) -> Stored:
        held = self._single(self._identity(given), pool, controller)
        if not held.valid and self.directory.refuses_invalid:
            raise corrupted(held.identity)
        return held

    def _taken(
        self, settings: t.Mapping[str, Setting], given: Parameters, current: Parameters
    ) -> dict[str, t.Any]:
        return {
            name: settings[name].take(value, current.get(name), self.edition)
            for name, value in given.items()
            if name in settings
        }

    def _store(self, connector: Stored, controller: str) -> Rows:
        self.directory.put(connector, controller)
        return [self._row(connector, controller)]

    def _remove(self, given: Parameters, controller: str, pool: list[Stored], trial: bool) -> Rows:
        held = self._single(self._identity(given), pool, controller)
        if not trial:
            self.directory.drop(held, controller)
        return []

    # --- Extended rights --------------------------------------------------------------------------

    def _object(self, identity: t.Any, controller: str) -> Stored:
        """By GUID, distinguished name, or a name that is unique among all servers."""
        if (
            identity is not None
            and "\\" in str(identity)
            and not str(identity).upper().startswith("CN=")
        ):
            # Whether Server\\Name is taken here is unverified.
            raise not_found(identity, controller)
        return self._single(identity, self.directory.view(controller), controller)

    def _account(self, user: t.Any) -> str:
        account = self.rights.account(str(user))
        if account is None:
            raise task_error(
                "ManagementObjectNotFoundException",
                f"User or group \"{user}\" wasn't found. Please make sure you've typed it "
                "correctly.",
                "InvalidData",
            )
        return account

    def _get_rights(self, given: Parameters, controller: str) -> Rows:
        held = self._object(self._identity(given), controller)
        entries = rows.rights_rows(held, self.rights, self.directory)
        if given.get("User") is not None:
            account = self._account(given["User"])
            entries = [row for row in entries if row["User"] == account]
        return entries

    def _change_rights(self, adding: bool, given: Parameters, controller: str, trial: bool) -> Rows:
        held = self._object(self._identity(given), controller)
        access = given.get("AccessRights")
        if access is not None and given.get("ExtendedRights") is None:
            # Without a list of extended rights an entry is for all of them (Add-ADPermission.md).
            names = access if isinstance(access, (list, tuple)) else [access]
            wrong = [name for name in names if str(name) not in (ALL, FULL)]
            if wrong or given.get("User") is None:
                raise missing_parameters("ExtendedRights")
            return self._put_rights(
                adding,
                held,
                [
                    Ace(self._account(given["User"]), str(name), bool(given.get("Deny")))
                    for name in names
                ],
                controller,
                trial,
            )
        missing = [name for name in ("User", "ExtendedRights") if given.get(name) is None]
        if missing:
            raise missing_parameters(*missing)
        asked = given["ExtendedRights"]
        names = asked if isinstance(asked, (list, tuple)) else [asked]
        unknown = [name for name in names if str(name).casefold() not in RIGHTS]
        if unknown or not names:
            raise task_error(
                "ManagementObjectNotFoundException",
                f'The extended right "{", ".join(unknown)}" wasn\'t found.',
            )
        account = self._account(given["User"])
        entries = [
            Ace(account, RIGHTS[str(name).casefold()], bool(given.get("Deny"))) for name in names
        ]
        return self._put_rights(adding, held, entries, controller, trial)

    def _put_rights(
        self, adding: bool, held: Stored, entries: t.Iterable[Ace], controller: str, trial: bool
    ) -> Rows:
        """Add or remove entries of the object's own; those that it inherits stay, whatever is
        asked.
        """
        entries = set(entries)
        if trial:
            return []
        changed = copy.deepcopy(held)
        # To add what is there, or take away what is not, is a warning and no error.
        changed.rights = tuple(
            sorted({*held.rights, *entries} if adding else set(held.rights) - entries)
        )
        self.directory.put(changed, controller)
        return rows.entry_rows(sorted(entries), changed, inherited=False) if adding else []


def matching(
    commands: t.Mapping[str, t.Sequence[str]],
    patterns: t.Any,
    hide_parameters: bool,
    common: t.Sequence[str],
) -> Rows:
    """What Get-Command gives for these names or wildcards.

    The parameters arrive as a dictionary, or with `hide_parameters` as the name of its type: which
    of the two a session to Microsoft.Exchange hands over is unverified.
    """
    wanted = [
        str(pattern).casefold()
        for pattern in (patterns if isinstance(patterns, (list, tuple)) else [patterns])
    ]
    commands_shown: Rows = []
    for name, parameters in commands.items():
        if not any(fnmatch.fnmatchcase(name.casefold(), pattern) for pattern in wanted):
            continue
        value: t.Any = dict.fromkeys(
            (*parameters, *common), "System.Management.Automation.ParameterMetadata"
        )
        if hide_parameters:
            type_name = (
                "System.Collections.Generic.Dictionary`2"
                "[System.String,System.Management.Automation.ParameterMetadata]"
            )
            value = Shown(type_name, type_name)
        commands_shown.append({"Name": name, "CommandType": "Function", "Parameters": value})
    return commands_shown
