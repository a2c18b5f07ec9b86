# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Windows Firewall of a lab's server from the rules of a real one, as the registry holds them
(MS-GPFAS 2.2.2.19) and as COM showed them.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.file import Row
from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall import addresses, store
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.com import FwRule
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import (
    ALLOW,
    BLOCK,
    Firewall,
    Rule,
)

_VERSION = re.compile(r"v(\d+)\.(\d+)")
_PROFILES = {name.casefold(): bit for bit, name in store.NAMES.items()}
# What COM shows that stands in the text too, by which the two are told to be one rule.
_SAME = (
    "ApplicationName",
    "serviceName",
    "Protocol",
    "LocalPorts",
    "RemotePorts",
    "LocalAddresses",
    "RemoteAddresses",
    "Enabled",
    "Profiles",
    "Action",
    "Grouping",
)
_NOT_SHOWN_SECURITY = 1
_KEYWORD = (
    "The server's networks were not read: LocalSubnet in rules of Windows Firewall stands in the "
    "lab for the /24 and /64 around its addresses."
)


def carry(firewall: Firewall, rows: t.Sequence[Row]) -> list[str]:
    """Put rules and settings there; what of them cannot be carried."""
    if not rows:
        return []
    told = [_KEYWORD] if any("=LocalSubnet" in str(row.get("text")) for row in rows) else []
    texts = [row for row in rows if row.get("kind") == "text"]
    match = next((match for row in texts if (match := _VERSION.match(str(row.get("text"))))), None)
    if match:
        firewall.version = (int(match[1]), int(match[2]))
    firewall.rules, firewall.policy_rules = [], []
    read: list[tuple[Rule, str]] = []
    for row in texts:
        try:
            rule = _parsed(str(row.get("text")), str(row.get("id")), firewall)
        except (ComError, ValueError):
            told.append(f"The firewall rule {row.get('id')} is not in the lab: {row.get('text')}")
            continue
        read.append((rule, str(row["text"])))
        if row.get("store") == "local":
            firewall.rules.append(rule)
        elif row.get("store") == "policy":
            firewall.policy_rules.append(rule)
    _name(firewall, [row for row in rows if row.get("kind") == "rule"])
    for rule, text in read:
        rule.remember(text)
    for row in rows:
        _setting(firewall, row)
    return told


def local_subnet(own: t.Iterable[str]) -> list[str]:
    """What the keyword stands for on a server of these addresses."""
    networks = ["fe80::/10"]
    for text in own:
        length = 64 if ":" in text else 24
        try:
            networks.append(str(ipaddress.ip_network(f"{text}/{length}", strict=False)))
        except ValueError:
            continue
    return networks


def _parsed(text: str, key: str, firewall: Firewall) -> Rule:
    """A rule from its text. Raises ComError and ValueError."""
    rule = Rule(id=key, protocol=store.ANY_PROTOCOL, action=BLOCK)
    words: dict[str, list[str]] = {}
    tokens: list[str] = []
    version, _bar, rest = text.partition("|")
    if not _VERSION.fullmatch(version):
        raise ValueError(version)
    for token in rest.rstrip("|").split("|"):
        name, _equals, value = token.partition("=")
        if name in _KNOWN:
            words.setdefault(name, []).append(value)
        else:
            tokens.append(token)
    last = {name: values[-1] for name, values in words.items()}
    rule.bypass = last.get("Action") == "ByPass"
    rule.action = BLOCK if last.get("Action") == "Block" else ALLOW
    rule.enabled = last.get("Active") == "TRUE"
    rule.inbound = last.get("Dir") != "Out"
    if "Protocol" in last:
        rule.protocol = int(last["Protocol"])
    if "Profile" in words:
        rule.profiles = sum({_PROFILES[word.casefold()] for word in words["Profile"]})
    rule.ports = _ports(words, "L")
    rule.remote_ports = _ports(words, "R")
    rule.remote = _addresses(words, "R", firewall)
    rule.local_addresses = _addresses(words, "L", firewall)
    rule.program, rule.service = last.get("App"), last.get("Svc")
    rule.interface_types = last.get("IFType", "All")
    rule.reference = rule.name = last.get("Name", "")
    rule.description, rule.grouping = last.get("Desc"), last.get("EmbedCtxt")
    rule.edge = last.get("Edge") == "TRUE"
    rule.secure = _NOT_SHOWN_SECURITY if "Security" in last else 0
    rule.package = last.get("AppPkgId")
    rule.tokens = tuple(tokens)
    return rule


_KNOWN = frozenset(
    {
        *("Action", "Active", "Dir", "Protocol", "Profile", "App", "Svc", "Name", "Desc"),
        *("EmbedCtxt", "Edge", "Security", "RMauth", "AppPkgId", "IFType"),
        *("LPort", "LPort2_10", "RPort", "RPort2_10", "RA4", "RA6", "LA4", "LA6"),
    }
)


def _ports(words: t.Mapping[str, list[str]], side: str) -> list[t.Any] | None:
    values = [*words.get(f"{side}Port", ()), *words.get(f"{side}Port2_10", ())]
    if {"IPTLSIn", "IPHTTPSIn"} & set(values):
        values = [value for value in values if value not in ("IPTLSIn", "IPHTTPSIn")]
        values.append("IPHTTPS")
    return list(addresses.parse_ports(",".join(values))) if values else None


def _addresses(words: t.Mapping[str, list[str]], side: str, firewall: Firewall) -> list[t.Any]:
    values = dict.fromkeys([*words.get(f"{side}A4", ()), *words.get(f"{side}A6", ())])
    late = firewall.version >= (2, 20)
    return list(addresses.parse(",".join(values), late=late)) if values else ["*"]


def _name(firewall: Firewall, shown: list[Row]) -> None:
    """The names that COM shows: in a text there may be a reference to a resource."""
    waiting = list(shown)
    for rule in firewall.rules:
        if not rule.inbound:
            rule.name = rule.reference
            continue
        held = FwRule(firewall, rule)
        looks = {name: held.get(name) for name in _SAME}
        alike = [row for row in waiting if all(row.get(name) == looks[name] for name in _SAME)]
        twin = next((row for row in alike if row.get("Name") == rule.reference), None)
        twin = twin or next(iter(alike), None)
        if twin is not None:
            waiting.remove(twin)
            rule.name = str(twin.get("Name"))
            secure = twin.get("SecureFlags")
            rule.secure = secure if isinstance(secure, int) else rule.secure
        if rule.reference == rule.name:
            rule.reference = ""


def _setting(firewall: Firewall, row: Row) -> None:
    kind = row.get("kind")
    if kind == "profile" and row.get("bit") in firewall.settings:
        settings = firewall.settings[int(row["bit"])]
        settings.enabled = bool(row.get("enabled"))
        settings.inbound = int(row.get("inbound") or 0)
        settings.blocks_all = bool(row.get("blocks_all"))
        settings.excluded = [str(name) for name in row.get("excluded") or ()]
    elif kind == "policy":
        for name, property_name in (
            ("current", "CurrentProfileTypes"),
            ("modify_state", "LocalPolicyModifyState"),
        ):
            if isinstance(row.get(name), int):
                setattr(firewall, name, row[name])
            else:
                firewall.refused_properties.add(property_name)
    elif kind == "key":
        values = {str(name): value for name, value in (row.get("values") or {}).items()}
        profile = str(row.get("profile"))
        if profile in _PROFILES:
            firewall.policy[_PROFILES[profile]] = values
        elif values:
            firewall.old_policy[f"{profile.capitalize()}Profile"] = values
    elif kind == "exception":
        path = f"{str(row.get('profile')).capitalize()}Profile\\{row.get('list')}\\List"
        held = firewall.old_policy.setdefault(path, {})
        held[f"entry {len(held) + 1}"] = str(row.get("text"))
