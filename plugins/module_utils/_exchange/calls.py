# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cmdlets are called: to read what is there, and to carry out one change. Steps are plain
data for the agent.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import accepted, rights
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.conflicts import between
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import ANONYMOUS
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import (
    ANY_RECIPIENT,
    State,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.values import Login
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import (
    Canonical,
    Property,
    Resource,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Change,
)

Step = dict[str, t.Any]
CredentialType = t.Callable[[str, str], t.Any]
"""Makes of user name and password what the codec takes for a credential."""

DIGESTS: t.Mapping[str, tuple[str, ...]] = {
    RECEIVE.name: ("receive", "rights"),
    SEND.name: ("send",),
}
"""Resource → the ids of read_steps() that describe its state, for a digest of each.

Send connectors belong to the organization: while one server of a site changes them, the others
still have their own connectors to lock.
"""

DIGEST_IGNORE = ("OriginatingServer",)
"""Properties that differ from read to read: another domain controller may answer."""

_ABOUT = ("Name", "Identity", "DistinguishedName", "OriginatingServer", "IsValid")
# Options that are no parameter, or that are put on the command line in a way of their own.
_APART = frozenset(
    {
        "name",
        "server",
        "usage",
        "anonymous_relay",
        "anonymous_rights",
        "is_scoped_connector",
        "authentication_credential",
    }
)


RIGHTS_OPTIONS = frozenset({"permission_groups", "anonymous_relay", "anonymous_rights"})
"""Options that are rights on the connector, which can be given and taken without setting a
parameter of it.

Of the permission groups that is so for AnonymousUsers.
"""


class CallError(ValueError):
    """A change that cannot be put into calls. The message is one sentence or more for the operator,
    without any secret.
    """


def _selection(resource: Resource) -> list[str]:
    return [
        *_ABOUT,
        *(
            prop.parameter
            for prop in resource.properties.values()
            if prop.parameter and prop.readable
        ),
    ]


def read_steps(
    host_name: t.Any,
    domain_controller: str | None = None,
    *,
    prefix: str = "",
    always: bool = False,
    commands: bool = True,
) -> list[Step]:
    """The steps that read all connectors of one server, their rights, and the send connectors and
    accepted domains of the organization.

    `host_name` is the server's name, or what stands for it in a request (``HostFact("name")``).
    `domain_controller` must be None for an Edge server. `prefix` goes before every id, for a second
    reading in one request, and `always` runs that after a failure too. `commands` also asks which
    parameters the user's cmdlets have; that step is optional.
    """
    shared = {"DomainController": domain_controller} if domain_controller else {}
    steps: list[Step] = [
        {
            "op": "call",
            "id": f"{prefix}receive",
            "cmdlet": RECEIVE.verbs["get"],
            # Never by -Identity: with one that does not exist, Get-ReceiveConnector gives all
            # (Get-ReceiveConnector.md).
            "parameters": {"Server": host_name, **shared},
            "select": [*_selection(RECEIVE), "Server"],
            "always": always,
        },
        {
            "op": "call",
            "id": f"{prefix}rights",
            "cmdlet": "Get-ADPermission",
            "parameters": shared,
            "each": {
                "step": f"{prefix}receive",
                "property": "DistinguishedName",
                "parameter": "Identity",
            },
            "select": ["User", "ExtendedRights", "AccessRights", "Deny", "IsInherited"],
            "always": always,
        },
        {
            "op": "call",
            "id": f"{prefix}send",
            "cmdlet": SEND.verbs["get"],
            "parameters": shared,
            "select": [*_selection(SEND), "AuthenticationCredential.UserName"],
            "always": always,
        },
        accepted.step(domain_controller, prefix=prefix, always=always),
    ]
    if commands:
        steps.append(
            {
                "op": "call",
                "id": f"{prefix}commands",
                "cmdlet": "Get-Command",
                # By wildcard, because a name that the user has no right to is an error and would
                # hide the others.
                "parameters": {"Name": ["*-ReceiveConnector", "*-SendConnector"]},
                "select": ["Name", "Parameters.Keys"],
                "always": always,
                "optional": True,
            }
        )
    return steps


def rows(steps: t.Mapping[str, t.Mapping[str, t.Any]], prefix: str = "") -> dict[str, list[t.Any]]:
    """The rows of an answer's `steps` under the ids of read_steps(), for state.read_state(). Failed
    steps are left out.
    """
    return {
        step[len(prefix) :]: result["objects"]
        for step, result in steps.items()
        if step.startswith(prefix) and result.get("ok") and isinstance(result.get("objects"), list)
    }


def change_calls(
    change: Change[str],
    state: State,
    *,
    step: str = "change",
    credential: CredentialType | None = None,
) -> list[Step]:
    """The steps that carry out `change` on a server in `state`, in their order; the ids begin with
    `step`.

    `credential` is needed where the change writes a login. Raises CallError for one whose password
    is not known.
    """
    resource = RECEIVE if change.table == RECEIVE.name else SEND
    if change.action == Action.REMOVE:
        return [
            _step(
                step,
                resource.verbs["remove"],
                {"Identity": _identity(resource, change.key, state), **_common(state)},
            )
        ]
    known = (state.receive if resource is RECEIVE else state.send).get(change.key.casefold(), {})
    whole = {**known, **change.after}
    steps: list[Step] = []
    if resource is RECEIVE and _by_rights_alone(change, known, state):
        given = ANONYMOUS in change.after["permission_groups"]
        steps = [_rights_step(change, state, f"{step}-group", rights.PRESET, given)]
        options = {
            option: value for option, value in change.after.items() if option != "permission_groups"
        }
        change = dataclasses.replace(change, after=options)
    parameters = _parameters(resource, change, whole, state, credential)
    if change.action == Action.CREATE:
        steps = _creation(resource, change, parameters, state, step)
    else:
        identity = _identity(resource, change.key, state)
        if parameters:
            steps.append(
                _step(
                    step,
                    resource.verbs["set"],
                    {"Identity": identity, **parameters, **_common(state)},
                )
            )
    relay = change.after.get("anonymous_relay")
    if relay is not None and (relay or change.action != Action.CREATE):
        steps.append(
            _rights_step(
                change, state, f"{step}-right", (ANY_RECIPIENT,), bool(relay), created=step
            )
        )
    if "anonymous_rights" in change.after:
        steps += _entry_steps(change, whole, state, step)
    return steps


def _entry_steps(
    change: Change[str], whole: Canonical, state: State, step: str
) -> t.Iterator[Step]:
    """The entries of accounts that need no login, given and taken beside what the group
    AnonymousUsers stands for.
    """
    before: frozenset[str] = change.before.get("anonymous_rights") or frozenset()
    after: frozenset[str] = change.after["anonymous_rights"]
    grouped = ANONYMOUS in (whole.get("permission_groups") or ())
    by_group = {f"{rights.ANONYMOUS}:{right}" for right in rights.PRESET} if grouped else set()
    for verb, entries in (("take", before - after - by_group), ("give", after - before - by_group)):
        for account, name in state.server.accounts.items():
            listed = sorted(
                entry.partition(":")[2] for entry in entries if entry.startswith(f"{account}:")
            )
            if listed:
                yield _rights_step(
                    change,
                    state,
                    f"{step}-{verb}-{account}",
                    listed,
                    verb == "give",
                    created=step,
                    account=name,
                )


def _by_rights_alone(change: Change[str], current: Canonical, state: State) -> bool:
    """Whether AnonymousUsers has to be given or taken as the rights that it stands for.

    While two connectors conflict, Exchange refuses whatever is set on either of them, and no right.
    """
    if change.action != Action.MODIFY or "permission_groups" not in change.after:
        return False
    if change.after["permission_groups"] ^ (current.get("permission_groups") or frozenset()) != {
        ANONYMOUS
    }:
        return False
    return any(
        between(current, other)
        for other in state.receive.values()
        if other["name"] != current["name"]
    )


def _creation(
    resource: Resource, change: Change[str], parameters: dict[str, t.Any], state: State, step: str
) -> list[Step]:
    server = state.server
    later = {
        prop.parameter: parameters.pop(prop.parameter)
        for prop in resource.properties.values()
        if prop.set_only and prop.parameter in parameters
    }
    # What is unset in a new connector is left out: it is Exchange's own default.
    given = {name: value for name, value in parameters.items() if value is not None and value != []}
    # Said outright, so that what is planned does not hang on a default of Exchange.
    new: dict[str, t.Any] = {"Name": change.key, "Enabled": True, **given, **_common(state)}
    if resource is RECEIVE:
        usage = change.after.get("usage") or "Custom"
        # The switches came with SP1 of Exchange 2007 (TechNet bb629576, bb125139).
        new.update({"Usage": usage} if server.version is Version.E2007RTM else {usage: True})
        if usage == "Internet":
            # It hears all of IPv4 by definition, and refuses to be told so.
            new.pop("RemoteIPRanges", None)
        if not server.edge:
            # In a remote session "local" may be another server, to which the session was proxied.
            new["Server"] = server.name
            if server.version >= Version.E2013:
                new.setdefault("TransportRole", "FrontendTransport")
    steps = [_step(step, resource.verbs["new"], new)]
    if resource is RECEIVE and (
        change.after.get("anonymous_relay") or change.after.get("anonymous_rights")
    ):
        steps[0]["select"] = ["DistinguishedName"]
    if later:
        identity = _identity(resource, change.key, state)
        steps.append(
            _step(
                f"{step}-set",
                resource.verbs["set"],
                {"Identity": identity, **later, **_common(state)},
            )
        )
    return steps


def _parameters(
    resource: Resource,
    change: Change[str],
    whole: Canonical,
    state: State,
    credential: CredentialType | None,
) -> dict[str, t.Any]:
    """Parameter → value for the options that are parameters; `whole` is the connector as it will
    be.
    """
    options, version, edge = change.after, state.server.version, state.server.edge
    parameters: dict[str, t.Any] = {}
    for option, value in options.items():
        prop = resource.properties.get(option)
        if prop is not None and option not in _APART and prop.exists(version, edge):
            parameters[prop.parameter] = prop.kind.write(value)
    if resource is RECEIVE:
        return parameters
    if "smart_hosts" in options or "dns_routing_enabled" in options:
        # Both on one command line, or Exchange refuses either (New-SendConnector.md, SmartHosts).
        for option in ("smart_hosts", "dns_routing_enabled"):
            prop = resource.properties[option]
            if option in whole:
                parameters[prop.parameter] = prop.kind.write(whole[option])
    if "authentication_credential" in options:
        prop = resource.properties["authentication_credential"]
        parameters[prop.parameter] = _credential(
            prop, options["authentication_credential"], change.key, credential
        )
    _write_scope(resource, options, whole, version, parameters)
    return parameters


def _write_scope(
    resource: Resource,
    options: Canonical,
    whole: Canonical,
    version: Version,
    parameters: dict[str, t.Any],
) -> None:
    scoped, spaces = (
        resource.properties["is_scoped_connector"],
        resource.properties["address_spaces"],
    )
    if version is not Version.E2007RTM:
        if "is_scoped_connector" in options:
            parameters[scoped.parameter] = options["is_scoped_connector"]
        return
    # TechNet bb629547: here the scope stands in front of each address space.
    if ("is_scoped_connector" in options or "address_spaces" in options) and whole.get(
        "address_spaces"
    ):
        scope = "Local:" if whole.get("is_scoped_connector") else ""
        parameters[spaces.parameter] = [
            scope + text for text in spaces.kind.write(whole["address_spaces"])
        ]


def _credential(
    prop: Property, login: Login | None, name: str, credential: CredentialType | None
) -> t.Any:
    if login is None:
        return None
    if login.password is None or credential is None:
        raise CallError(
            f"The login of the send connector '{name}' cannot be written without its password, "
            "which Exchange never gives back. "
            f"Nothing was changed. Give {prop.option} with username and password."
        )
    return credential(login.username, login.password)


def _identity(resource: Resource, name: str, state: State) -> str:
    identity = (state.identities if resource is RECEIVE else state.send_identities).get(
        name.casefold(), ""
    )
    if _UNPRINTABLE.search(identity):
        # Shown with escapes, the name is not the one that Exchange knows.
        return identity
    # The name alone could be another server's connector.
    return f"{state.server.name}\\{name}" if resource is RECEIVE else name


def _common(state: State) -> dict[str, t.Any]:
    """What every call that writes has. 2007 RTM knows no -Confirm, and an Edge server no domain
    controller.
    """
    common: dict[str, t.Any] = {}
    if state.server.version is not Version.E2007RTM:
        common["Confirm"] = False
    if state.domain_controller and not state.server.edge:
        common["DomainController"] = state.domain_controller
    return common


def _step(step: str, cmdlet: str, parameters: dict[str, t.Any]) -> Step:
    return {"op": "call", "id": step, "cmdlet": cmdlet, "parameters": parameters}


def _rights_step(
    change: Change[str],
    state: State,
    step: str,
    names: t.Sequence[str],
    given: bool,
    created: str = "",
    account: str = "",
) -> Step:
    """Rights of ANONYMOUS LOGON, or of another account, given or taken (learn.microsoft.com,
    allow-anonymous-relay).

    `created`: the step that makes the connector.
    """
    parameters = {
        "User": account or state.server.anonymous_account,
        "ExtendedRights": [*names],
        **_common(state),
    }
    result = _step(step, "Add-ADPermission" if given else "Remove-ADPermission", parameters)
    if change.action == Action.CREATE:
        # By the distinguished name that New- gave: a bare name is ambiguous among servers.
        result["each"] = {"step": created, "property": "DistinguishedName", "parameter": "Identity"}
    else:
        parameters["Identity"] = distinguished_name(change.key, state)
    return result


# A control character in a distinguished name (RFC 4514).
_UNPRINTABLE = re.compile(r"\\[01][0-9A-Fa-f]|[\x00-\x1f]")
_SPECIAL = re.compile(r'([,+"\\<>;=])')


def distinguished_name(name: str, state: State) -> str:
    """The distinguished name of a receive connector of the server: as it was read, else beside
    those that were read.

    Raises CallError where none was read.
    """
    identity = state.identities.get(name.casefold())
    if identity:
        return identity
    for other in state.identities.values():
        # The first comma that no backslash escapes ends the name (RFC 4514).
        rest = re.sub(r"^(?:\\.|[^\\,])*,", "", other, count=1, flags=re.DOTALL)
        escaped = _SPECIAL.sub(r"\\\1", name)
        if escaped[:1] in ("#", " "):
            escaped = "\\" + escaped
        if name.endswith(" ") and len(name) > 1:
            escaped = escaped[:-1] + "\\ "
        return f"CN={escaped},{rest}"
    raise CallError(
        f"The distinguished name of the receive connector '{name}' is not known, so that its "
        "rights cannot be changed. "
        "Nothing was changed."
    )
