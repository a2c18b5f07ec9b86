# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Exchange would refuse about one connector, found before anything is sent and said in the
words of the options.

Sources: New-ReceiveConnector.md, Set-ReceiveConnector.md, New-SendConnector.md,
Set-SendConnector.md, receive-connectors.md. What takes several connectors to see (conflicts of
ranges, leaks) is the business of the guards.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import EVERYTHING_V4
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import (
    Canonical,
    Resource,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Change,
)

NAME_LENGTH = 64


def check_connector(
    resource: Resource | str, connector: Canonical, version: Version, edge: bool = False
) -> list[str]:
    """One sentence for each rule that a whole connector, as it would be after a change, breaks.
    Empty where it breaks none.

    An option that is missing is not known, and no rule is held against it.
    """
    name = resource if isinstance(resource, str) else resource.name
    if name == RECEIVE.name:
        noun, reasons = RECEIVE.noun, [*_receive_rules(connector, version, edge)]
    else:
        noun, reasons = SEND.noun, [*_send_rules(connector, edge)]
    where = f"The {noun} '{connector['name']}'"
    reasons = [*_name_rules(connector["name"]), *reasons]
    return [f"{where} {reason} Nothing was changed." for reason in reasons]


def check_supported(resource: Resource, change: Change[str], state: State) -> list[str]:
    """One sentence for each option of `change` that this version of Exchange lacks, or that this
    user may not set.
    """
    server = state.server
    sentences: list[str] = []
    where = f"of the {resource.noun} '{change.key}'"
    for option in change.after:
        prop = resource.properties.get(option)
        if prop is None:
            continue
        if not prop.exists(server.version, server.edge):
            kind = "an Edge server with " if server.edge else ""
            sentences.append(
                f"The option {option} {where} cannot be set: {prop.parameter} exists on "
                f"{prop.versions.words}, and {server.name} is {kind}{server.version.label}. "
                "Nothing was changed. Leave the option out for this server."
            )
    if state.supported is None or server.edge:
        return sentences
    for verb, options in _verbs(resource, change):
        cmdlet = resource.verbs[verb]
        parameters = state.supported.get(cmdlet)
        if parameters is None:
            sentences.append(
                f"The {resource.noun} '{change.key}' needs {cmdlet}, which the user of this task "
                f"may not run on {server.name}. "
                "Nothing was changed. Give the user a role that has it; send connectors need "
                "Organization Management."
            )
            continue
        known = {parameter.casefold() for parameter in parameters}
        for option in options:
            prop = resource.properties[option]
            if (
                prop.exists(server.version, server.edge)
                and prop.parameter
                and prop.parameter.casefold() not in known
            ):
                sentences.append(
                    f"The option {option} {where} cannot be set: {cmdlet} on {server.name} has no "
                    f"parameter {prop.parameter} for the user of this task. Nothing was changed. "
                    "Leave the option out, or use a user with more rights."
                )
    return sentences


def _verbs(resource: Resource, change: Change[str]) -> t.Iterator[tuple[str, list[str]]]:
    """The cmdlets that the change needs, and the options that each of them sets."""
    # How the usage is given depends on the version, and 2007 RTM has the scope of a connector in
    # its address spaces.
    options = [
        name
        for name in change.after
        if name in resource.properties and name not in ("usage", "is_scoped_connector")
    ]
    if change.action == Action.REMOVE:
        yield "remove", []
    elif change.action == Action.MODIFY:
        yield "set", options
    else:
        later = [option for option in options if resource.properties[option].set_only]
        yield "new", [option for option in options if option not in later]
        if later:
            yield "set", later


def _name_rules(name: str) -> t.Iterator[str]:
    if not name.strip():
        yield "has an empty name."
    if len(name) > NAME_LENGTH:
        yield f"has a name of {len(name)} characters; Exchange takes at most {NAME_LENGTH}."
    if any(character < " " for character in name):
        yield "has a control character in its name, such as a line break."


def _certificate_rule(connector: Canonical) -> t.Iterator[str]:
    certificate = connector.get("tls_certificate_name")
    if certificate and not (certificate.startswith("<I>") and "<S>" in certificate):
        yield (
            f"has the tls_certificate_name '{certificate}', which is not of the form "
            "<I>Issuer<S>Subject."
        )


def _receive_rules(connector: Canonical, version: Version, edge: bool) -> t.Iterator[str]:
    yield from _certificate_rule(connector)
    yield from _authentication_rules(connector)
    yield from _listening_rules(connector, version)
    groups = connector.get("permission_groups") or frozenset()
    if edge and "ExchangeLegacyServers" in groups:
        yield "has ExchangeLegacyServers in permission_groups, which an Edge server does not have."
    if edge and connector.get("usage") == "Client":
        yield "has the usage Client, which an Edge server does not have."
    banner = connector.get("banner")
    if banner and not banner.startswith("220"):
        yield f"has the banner '{banner}'; a banner begins with 220."
    idle, whole = (
        connector.get("connection_inactivity_timeout"),
        connector.get("connection_timeout"),
    )
    if idle is not None and whole is not None and idle >= whole:
        spans = RECEIVE.properties["connection_timeout"].kind
        yield (
            f"has a connection_inactivity_timeout of {spans.show(idle)}, which must be less than "
            f"its connection_timeout of {spans.show(whole)}."
        )


def _authentication_rules(connector: Canonical) -> t.Iterator[str]:
    mechanisms = connector.get("auth_mechanism")
    if mechanisms is None:
        return
    groups = connector.get("permission_groups")
    if "BasicAuthRequireTLS" in mechanisms and not {"BasicAuth", "Tls"} <= mechanisms:
        yield "has BasicAuthRequireTLS in auth_mechanism, which needs BasicAuth and Tls beside it."
    if "ExternalAuthoritative" in mechanisms:
        others = sorted(mechanisms - {"ExternalAuthoritative", "Tls"})
        if others:
            yield (
                "has ExternalAuthoritative in auth_mechanism, which goes with Tls only and not "
                f"with {', '.join(others)}."
            )
        if groups is not None and "ExchangeServers" not in groups:
            yield (
                "has ExternalAuthoritative in auth_mechanism, which needs ExchangeServers in "
                "permission_groups."
            )
    if connector.get("require_tls") and "Tls" not in mechanisms:
        yield "has require_tls set, which needs Tls in auth_mechanism."
    if connector.get("domain_secure_enabled"):
        if "Tls" not in mechanisms:
            yield "has domain_secure_enabled set, which needs Tls in auth_mechanism."
        if "ExternalAuthoritative" in mechanisms:
            yield (
                "has domain_secure_enabled set, which does not go with ExternalAuthoritative in "
                "auth_mechanism."
            )


def _listening_rules(connector: Canonical, version: Version) -> t.Iterator[str]:
    ranges, bindings = connector.get("remote_ip_ranges"), connector.get("bindings")
    if ranges is not None and not ranges:
        yield (
            "has no remote_ip_ranges, so that it would hear nobody. Name at least one, or set "
            "enabled to false."
        )
    if bindings is not None and not bindings:
        yield (
            "has no bindings, so that it would listen nowhere. Name at least one, or set enabled "
            "to false."
        )
    if version is Version.E2007RTM:
        if ranges and ranges.v6:
            yield "has IPv6 addresses in remote_ip_ranges, which Exchange 2007 RTM does not know."
        if bindings and any(endpoint.version == 6 for endpoint in bindings):
            yield "has IPv6 addresses in bindings, which Exchange 2007 RTM does not know."
    if connector.get("usage") == "Internet" and ranges and ranges != EVERYTHING_V4:
        yield (
            "has the usage Internet, which takes no remote_ip_ranges at creation. Set usage to "
            "Custom, and name permission_groups and auth_mechanism."
        )


def _send_rules(connector: Canonical, edge: bool) -> t.Iterator[str]:
    yield from _certificate_rule(connector)
    yield from _routing_rules(connector, edge)
    yield from _tls_rules(connector)


def _routing_rules(connector: Canonical, edge: bool) -> t.Iterator[str]:
    spaces, hosts = connector.get("address_spaces"), connector.get("smart_hosts")
    by_dns = connector.get("dns_routing_enabled")
    if spaces is not None and not spaces:
        yield (
            "has no address_spaces, so that it would carry nothing. Name at least one, or set "
            "enabled to false."
        )
    if hosts and by_dns:
        yield "has smart_hosts and dns_routing_enabled, which exclude each other."
    if hosts is not None and not hosts and by_dns is False:
        yield "has neither smart_hosts nor dns_routing_enabled, so that it would know no way out."
    foreign = sorted(str(space) for space in spaces or () if space.type != "smtp")
    if foreign and edge:
        yield f"has the address space {foreign[0]}; an Edge server carries SMTP only."
    elif foreign and hosts is not None and not hosts:
        yield f"has the address space {foreign[0]}, which is not SMTP and needs smart_hosts."
    mechanism = connector.get("smart_host_auth_mechanism")
    if (
        mechanism in ("BasicAuth", "BasicAuthRequireTLS")
        and connector.get("authentication_credential", True) is None
    ):
        yield (
            f"has the smart_host_auth_mechanism {mechanism}, which needs authentication_credential."
        )
    if mechanism not in (None, "None") and hosts is not None and not hosts:
        yield f"has the smart_host_auth_mechanism {mechanism}, which needs smart_hosts."


def _tls_rules(connector: Canonical) -> t.Iterator[str]:
    level, domain = connector.get("tls_auth_level"), connector.get("tls_domain")
    required, ignored = connector.get("require_tls"), connector.get("ignore_starttls")
    if required and ignored:
        yield "has require_tls and ignore_starttls, which exclude each other."
    if level and required is False:
        yield f"has the tls_auth_level {level}, which needs require_tls."
    if level and ignored:
        yield f"has the tls_auth_level {level}, which does not go with ignore_starttls."
    if domain and level != "DomainValidation":
        yield "has a tls_domain, which goes with the tls_auth_level DomainValidation only."
    if level == "DomainValidation" and not domain and connector.get("smart_hosts"):
        yield (
            "has the tls_auth_level DomainValidation and smart_hosts, which together need "
            "tls_domain."
        )
    if connector.get("domain_secure_enabled"):
        if connector.get("dns_routing_enabled") is False:
            yield "has domain_secure_enabled set, which needs dns_routing_enabled."
        if ignored:
            yield "has domain_secure_enabled set, which does not go with ignore_starttls."
