# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_edge_names from its options to its result."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.finding import (
    ordered,
    state,
    unknown_ids,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.judge import (
    Described,
    findings,
    read_pointers,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.names import (
    Names,
    Wanted,
    known_as,
    to_tenant,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.resolver import (
    UNKNOWN,
    Resolver,
    ascii_name,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    RangeError,
    RangeSet,
    parse_address,
)

_NAMES: dict[str, t.Any] = {"type": "list", "elements": "str", "default": []}
ARGUMENTS: dict[str, t.Any] = {
    "domains": {"type": "list", "elements": "str", "required": True},
    "names": _NAMES,
    "server_names": _NAMES,
    "left_out_names": _NAMES,
    "mx_suffixes": _NAMES,
    "provider_ranges": _NAMES,
    "smart_hosts": _NAMES,
    "resolver": {"type": "str"},
    "resolver_port": {"type": "int", "default": 53},
    "timeout": {"type": "float", "default": 3.0},
    "time_limit": {"type": "float", "default": 60.0},
    "fetch_mta_sts": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "accept_findings": _NAMES,
}


class OptionError(ValueError):
    """Options that cannot be used, all of them in sentences."""


def _names(params: t.Mapping[str, t.Any], option: str, wrong: list[str]) -> tuple[str, ...]:
    names = []
    for text in params[option]:
        try:
            names.append(ascii_name(text))
        except (ValueError, UnicodeError):
            shown = f"'{text}'" if text.isprintable() else ascii(text)
            wrong.append(f"{option} has {shown}, which is not a name.")
    return tuple(dict.fromkeys(names))


def _domains(params: t.Mapping[str, t.Any], wrong: list[str]) -> tuple[str, ...]:
    domains = []
    for domain in _names(params, "domains", wrong):
        if _is_address(domain) or "." not in domain:
            wrong.append(f"domains has '{domain}', which is no domain such as hafen.example.")
        else:
            domains.append(domain)
    return tuple(domains)


def _is_address(text: str) -> bool:
    try:
        parse_address(text)
    except RangeError:
        return False
    return True


def look_up(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Read DNS and say what is there. Raises OptionError, before it asks, or DnsError.

    What is no domain or name among others that are is `wrong`, sentences; the others are asked for:
    a door that stands open behind them is not hidden by it.
    """
    wrong = [unknown_ids(params["accept_findings"])]
    no_names: list[str] = []
    domains = _domains(params, no_names)
    further = _names(params, "names", no_names)
    if not domains:
        wrong += no_names or ["domains is empty: name the domains of the site."]
    # What a server tells of itself may be anything: a wildcard of a certificate, a short name.
    told = [text.removeprefix("*.") for text in params["server_names"]]
    try:
        ranges = RangeSet.parse(params["provider_ranges"])
    except RangeError as error:
        wrong.append(f"provider_ranges cannot be used: {error}")
        ranges = RangeSet()
    for option in ("timeout", "time_limit"):
        if not 0 < params[option] <= 600:
            wrong.append(f"{option} is {params[option]:g}: take a number of seconds up to 600.")
    wanted = Wanted(
        domains,
        further,
        tuple(told),
        _names(params, "left_out_names", wrong),
        _names(params, "mx_suffixes", wrong),
        ranges,
    )
    described = Described(
        wanted.mx_suffixes,
        tuple(params["smart_hosts"]),
        params["fetch_mta_sts"],
        params["ca_path"],
        domains=domains,
    )
    if any(wrong):
        raise OptionError(" ".join([*filter(None, wrong), "DNS was not asked."]))
    resolver = Resolver(
        params["resolver"],
        params["resolver_port"],
        seconds=params["timeout"],
        total=params["time_limit"],
    )
    names = Names(resolver, wanted)
    names.read()
    pointers = read_pointers(names, resolver)
    findings_in_order = ordered(findings(names, described, resolver, pointers))
    told_findings = [each.as_dict(params["accept_findings"]) for each in findings_in_order]
    shown = [*names.names.values(), *names.outside.values()]
    known = known_as(names.looked_at)
    return {
        "state": state(told_findings) if not no_names else UNKNOWN,
        "findings": told_findings,
        "names": [each.as_dict() for each in shown if each.there or not each.answers],
        "targets": list(known),
        "target_addresses": known,
        "mail_exchangers": {
            domain: {
                "status": names.mx[domain].status,
                "hosts": names.hosts_of(domain),
                "to_tenant": [host for host in names.hosts_of(domain) if to_tenant(host)],
            }
            for domain in domains
        },
        "pointers": {address: pointer._asdict() for address, pointer in pointers.items()},
        "questions": resolver.asked,
        "wrong": no_names,
    }
