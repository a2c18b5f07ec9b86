# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A draft of a site's description, out of what was read of its servers, firewall and DNS.

A guess never lets anybody in from the internet: what only a person can know is a question.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING_V4,
    EVERYTHING_V6,
    LOOPBACK,
    PRIVATE,
    RangeError,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import (
    ProviderError,
    find,
    load,
)

# More senders than these are counted in a comment, and not written down one by one.
_MOST = 20

Told = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Entry:
    """A variable of the description. `why` are the lines above it; a `suggested` one is a comment,
    which somebody has to take over.
    """

    name: str
    value: t.Any
    why: tuple[str, ...] = ()
    suggested: bool = False


@dataclass
class Draft:
    """What was made of the readings. `unread` are sentences on what could not be asked."""

    site: str
    servers: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, t.Any]:
        """The variables that the draft sets."""
        return {entry.name: entry.value for entry in self.entries if not entry.suggested}


@dataclass(frozen=True)
class Readings:
    """What was read of a site. Each value is the result of a module, empty where it was not asked.

    `mail_flow`, `senders` and `names`: host → the results of exchange_mail_flow_info,
    exchange_senders_info and exchange_names_info. `firewall` is that of fortios_info, `dns` that of
    mail_edge_names. `described` are the variables that the inventory has already, without their
    prefix.
    """

    site: str
    hosts: tuple[str, ...]
    described: Told = field(default_factory=dict)
    mail_flow: t.Mapping[str, Told] = field(default_factory=dict)
    senders: t.Mapping[str, Told] = field(default_factory=dict)
    names: t.Mapping[str, Told] = field(default_factory=dict)
    firewall: Told = field(default_factory=dict)
    dns: Told = field(default_factory=dict)


def read_well(result: Told | None) -> bool:
    """Whether a module has answered."""
    return bool(result) and not any(map((result or {}).get, ("failed", "unreachable", "skipped")))


def draft_of(readings: Readings) -> Draft:
    """The draft, with a question for everything that was not read or that nobody can read."""
    draft = Draft(readings.site)
    draft.entries.append(Entry("mailedge_site", readings.site))
    _servers(readings, draft)
    _provider(readings, draft)
    _networks(readings, draft)
    _inbound(readings, draft)
    _outbound(readings, draft)
    _domains(readings, draft)
    _firewall(readings, draft)
    _hybrid(readings, draft)
    return draft


def _servers(readings: Readings, draft: Draft) -> None:
    for host in readings.hosts:
        mail_flow = readings.mail_flow.get(host)
        if mail_flow is None or not read_well(mail_flow):
            why = str((mail_flow or {}).get("msg") or "It was not asked.").strip()
            draft.unread.append(f"{host}, connectors: {why}")
        else:
            server = mail_flow["server"]
            draft.servers.append(
                f"{host}: {server['version']}, build {server['build']}, named {server['name']}"
            )
            for stranger in _open_doors(mail_flow):
                draft.servers.append(f"  today: {stranger}")
        for what, told in (("logs", readings.senders), ("names", readings.names)):
            result = told.get(host)
            if not read_well(result):
                why = str((result or {}).get("msg") or "They were not asked for.").strip()
                draft.unread.append(f"{host}, {what}: {why}")
                continue
            for sentence in (result or {}).get("unknown" if what == "logs" else "not_read") or ():
                draft.unread.append(f"{host}, {what}: {sentence}")


def _open_doors(mail_flow: Told) -> list[str]:
    return [str(text) for text in (mail_flow.get("exposure") or {}).get("words") or ()]


def _given(readings: Readings, draft: Draft, *names: str) -> bool:
    """Take over what the inventory says already."""
    values = {name: readings.described.get(name) for name in names}
    for name, value in values.items():
        if value:
            draft.entries.append(Entry(f"mailedge_{name}", value, ("As the inventory has it.",)))
    return any(values.values())


def _provider(readings: Readings, draft: Draft) -> None:
    if _given(readings, draft, "provider", "provider_region", "provider_ranges", "ranges_lock"):
        return
    exchangers = {
        domain: [str(host).rstrip(".").lower() for host in told.get("hosts") or ()]
        for domain, told in (readings.dns.get("mail_exchangers") or {}).items()
    }
    hosts = sorted({host for names in exchangers.values() for host in names})
    likely = sorted({provider for host in hosts for provider in _providers_at(host)})
    seen = sorted(
        {
            str(provider)
            for result in readings.senders.values()
            for group in (result or {}).get("groups") or ()
            for provider in group.get("providers") or ()
        }
    )
    if len(likely) == 1:
        why = [f"MX names {', '.join(hosts)}."]
        if seen and likely[0] not in seen:
            why.append("No sender in the logs is in its ranges.")
        draft.entries.append(Entry("mailedge_provider", likely[0], tuple(why)))
        draft.questions.append(
            f"Is {likely[0]} the filtering provider, and is all mail to come through it? A lock "
            "refuses everybody else."
        )
        try:
            find(likely[0])
        except ProviderError as error:
            draft.questions.append(f"{error} Set mailedge_provider_region, or the ranges.")
        return
    why = []
    if hosts:
        why.append(f"MX names {', '.join(hosts)}, which no entry of the catalogue is known by.")
    if likely:
        why.append(f"MX leads to several providers: {', '.join(likely)}.")
    if seen:
        why.append(f"Senders in the logs are in the ranges of {', '.join(seen)}.")
    why += _strangers_in_logs(readings)
    draft.entries.append(
        Entry("mailedge_provider_ranges", [], tuple(why or ["Nothing tells it."]), suggested=True)
    )
    draft.questions.append(
        "From which addresses does the filtering provider deliver? Set mailedge_provider, or "
        "mailedge_provider_ranges. Without them nothing can be locked."
    )


def _providers_at(host: str) -> list[str]:
    return [
        entry.provider
        for entry in load()
        if any(
            host == suffix.lstrip(".").lower() or host.endswith("." + suffix.lstrip(".").lower())
            for suffix in entry.mx_suffixes
        )
    ]


def _senders(readings: Readings) -> dict[str, int]:
    """Address → its messages, of all servers, who delivered most first."""
    counted: dict[str, int] = {}
    for result in readings.senders.values():
        for sender in (result or {}).get("senders") or ():
            address = str(sender["address"])
            counted[address] = counted.get(address, 0) + int(sender["messages"])
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def _strangers_in_logs(readings: Readings) -> list[str]:
    """Who delivered from the internet. That somebody delivered is no reason to let him in."""
    from_internet = [
        f"{address} ({messages} messages)"
        for address, messages in _senders(readings).items()
        if not _within(address, PRIVATE)
    ]
    if not from_internet:
        return []
    more = len(from_internet) - _MOST
    shown = ", ".join(from_internet[:_MOST]) + (f" and {more} more" if more > 0 else "")
    return [
        f"Delivered lately from the internet, by the logs: {shown}.",
        "The logs do not tell the provider from who goes past it.",
    ]


def _within(text: str, ranges: RangeSet) -> bool:
    try:
        return RangeSet.parse([text]) <= ranges
    except RangeError:
        return False


def _rows(readings: Readings, table: str) -> list[Told]:
    return [
        row
        for result in readings.mail_flow.values()
        if read_well(result)
        for row in result.get(table) or ()
    ]


def _networks(readings: Readings, draft: Draft) -> None:
    _given(readings, draft, "exchange_servers", "hybrid_ranges")
    if len(readings.hosts) > 1 and not readings.described.get("exchange_servers"):
        draft.entries.append(
            Entry(
                "mailedge_exchange_servers",
                [],
                ("The addresses of all Exchange servers of the site, Edge servers included.",),
                suggested=True,
            )
        )
        draft.questions.append("Which addresses have the site's other Exchange servers?")
    if _given(readings, draft, "own_networks"):
        return
    named: dict[str, list[str]] = {}
    for row in _rows(readings, "receive_connectors"):
        for text in row.get("remote_ip_ranges") or ():
            if _within(text, PRIVATE - LOOPBACK):
                named.setdefault(str(text), []).append(str(row.get("name")))
    private = {
        address: messages
        for address, messages in _senders(readings).items()
        if messages
        and _within(address, PRIVATE - LOOPBACK)
        and not any(_within(address, RangeSet.parse([text])) for text in named)
    }
    why = [f"{text}: named by {', '.join(sorted(set(by)))}." for text, by in named.items()]
    why += [f"{address}: {count} messages, by the logs." for address, count in private.items()]
    if len(private) > _MOST:
        why = [*why[: len(named) + _MOST], f"... and {len(private) - _MOST} more senders."]
    values = [*named, *private]
    if values:
        draft.entries.append(
            Entry("mailedge_own_networks", values, ("Private addresses only.", *why))
        )
    else:
        draft.entries.append(
            Entry("mailedge_own_networks", [], ("Nothing tells of one.",), suggested=True)
        )
    draft.questions.append(
        "Which networks of the site send to the server without a login, such as printers, scanners "
        "and applications? Who is not in mailedge_own_networks is refused after a lock."
    )


def _wide(row: Told) -> bool:
    """Whether a connector hears all of IPv4 or of IPv6."""
    try:
        heard = RangeSet.parse([str(text) for text in row.get("remote_ip_ranges") or ()])
    except RangeError:
        return False
    return heard >= EVERYTHING_V4 or heard >= EVERYTHING_V6


def _inbound(readings: Readings, draft: Draft) -> None:
    if _given(readings, draft, "exchange_inbound"):
        return
    doors = [
        row
        for row in _rows(readings, "receive_connectors")
        if row.get("enabled", True)
        and _wide(row)
        and any(str(text).endswith(":25") for text in row.get("bindings") or ())
    ]
    banners = sorted({str(row["banner"]) for row in doors if row.get("banner")})
    if len(banners) == 1:
        draft.entries.append(
            Entry(
                "mailedge_exchange_inbound",
                {"banner": banners[0]},
                ("The greeting of the connector that hears everybody on port 25 today.",),
            )
        )
    elif banners:
        draft.questions.append(
            f"Which greeting shall the provider see? Today there are {', '.join(banners)}. Set "
            "mailedge_exchange_inbound.banner."
        )


def _outbound(readings: Readings, draft: Draft) -> None:
    if _given(readings, draft, "exchange_outbound"):
        return
    ways: dict[str, Told] = {}
    for row in _rows(readings, "send_connectors"):
        spaces = [str(space).lower() for space in row.get("address_spaces") or ()]
        if row.get("enabled", True) and any("*" in _domain_of(space) for space in spaces):
            ways[str(row.get("name"))] = row
    hosts = {
        name: [str(host) for host in row.get("smart_hosts") or ()] for name, row in ways.items()
    }
    if len(ways) == 1 and all(hosts.values()):
        name, row = next(iter(ways.items()))
        value: dict[str, t.Any] = {"smart_hosts": hosts[name]}
        if row.get("require_tls"):
            value["require_tls"] = True
        login = str(row.get("smart_host_auth_mechanism") or "None")
        draft.entries.append(
            Entry(
                "mailedge_exchange_outbound",
                value,
                (f"The send connector '{name}' sends all mail there.",),
                suggested=login != "None",
            )
        )
        if login != "None":
            draft.questions.append(
                f"The send connector '{name}' logs in at its smart host ({login}); nobody can read "
                "with which password. Set smart_host_auth_mechanism in mailedge_exchange_outbound, "
                "and mailedge_exchange_outbound_credential in a vault, or leave the way out alone."
            )
        return
    told = [
        f"'{name}' sends {'to ' + ', '.join(hosts[name]) if hosts[name] else 'by DNS'}"
        for name in ways
    ]
    draft.entries.append(
        Entry(
            "mailedge_exchange_outbound",
            {"smart_hosts": []},
            (f"Send connectors for all domains: {'; '.join(told) or 'none was read'}.",),
            suggested=True,
        )
    )
    draft.questions.append(
        "Is all mail to leave through the filtering provider? Then set "
        "mailedge_exchange_outbound.smart_hosts; else the way out is left alone."
    )


def _domain_of(space: str) -> str:
    """The domain of an address space such as ``SMTP:*;1``."""
    return space.partition(";")[0].rpartition(":")[2].strip()


def _domains(readings: Readings, draft: Draft) -> None:
    if not _given(readings, draft, "domains"):
        domains = sorted(
            {
                str(row["domain"])
                for row in _rows(readings, "accepted_domains")
                if "." in str(row.get("domain")) and "*" not in str(row["domain"])
            }
        )
        internal = [name for name in domains if name.endswith((".local", ".lan", ".internal"))]
        public = [name for name in domains if name not in internal]
        if public:
            why = ["The organization takes mail for them."]
            if internal:
                why.append(f"Left out, because nobody outside knows them: {', '.join(internal)}.")
            draft.entries.append(Entry("mailedge_domains", public, tuple(why)))
        else:
            draft.questions.append("For which domains does the site take mail? mailedge_domains.")
    if not _given(readings, draft, "probe_targets", "probe_recipient", "probe_sender"):
        domains = draft.variables.get("mailedge_domains") or ["site.example"]
        draft.entries += [
            Entry(
                "mailedge_probe_recipient",
                f"postmaster@{domains[0]}",
                ("A mailbox at the site that exists. Nothing is ever delivered to it.",),
                suggested=True,
            ),
            Entry(
                "mailedge_probe_sender",
                "probe@provider-of-services.example",
                ("An address of your own, outside the site.",),
                suggested=True,
            ),
        ]
        draft.questions.append(
            "From where, and with which addresses, is the site to be looked at? Without "
            "mailedge_probe_sender and mailedge_probe_recipient no lock is proven from outside."
        )


def _firewall(readings: Readings, draft: Draft) -> None:
    if not _given(readings, draft, "fortigate_host"):
        draft.questions.append(
            "What stands between the server and the internet? For a FortiGate set "
            "mailedge_fortigate_host and mailedge_fortigate_token and run it again; for others see "
            "the playbook publish_ranges."
        )
        return
    if _given(readings, draft, "fortigate_vips", "fortigate_addresses"):
        return
    if any(
        ":" in str(text).rpartition(":")[0]
        for row in _rows(readings, "receive_connectors")
        for text in row.get("bindings") or ()
    ):
        hint = sorted(
            {
                str(address)
                for name in readings.dns.get("names") or ()
                if name.get("looked_at")
                for address in name.get("addresses") or ()
                if ":" in str(address)
            }
        )
        draft.entries.append(
            Entry(
                "mailedge_fortigate_addresses",
                hint,
                ("The server's IPv6 addresses, which no virtual IP leads to; these are by DNS.",),
                suggested=True,
            )
        )
        draft.questions.append(
            "The server listens on IPv6 as well. By which of its addresses can it be reached from "
            "the internet? Set mailedge_fortigate_addresses: the firewall has a way in of its own "
            "for IPv6."
        )
    if not read_well(readings.firewall):
        why = str(readings.firewall.get("msg") or "It was not asked.").strip()
        draft.unread.append(f"firewall: {why}")
        draft.questions.append("Which virtual IPs of the firewall lead to the mail server?")
        return
    vips = sorted(
        {str(target["vip"]) for target in readings.firewall.get("targets") or () if target["vip"]}
    )
    exposure = [f"Today: {sentence}." for sentence in readings.firewall.get("exposure") or ()]
    if vips:
        draft.entries.append(Entry("mailedge_fortigate_vips", vips, tuple(exposure)))
        draft.questions.append(
            f"Does each of {', '.join(vips)} lead to this site's server, and to no other?"
        )
    else:
        draft.questions.append(
            "No virtual IP of the firewall leads to port 25. Name the server's addresses in "
            "mailedge_fortigate_addresses."
        )


def _hybrid(readings: Readings, draft: Draft) -> None:
    domains = {
        str(domain)
        for told in readings.names.values()
        for domain in (told or {}).get("domains", ())
    }
    tenants = sorted(name for name in domains if name.endswith(".onmicrosoft.com"))
    hybrid = any(
        "mail.protection.outlook.com" in str(row.get("tls_domain_capabilities") or "").lower()
        for row in _rows(readings, "receive_connectors")
    )
    if (tenants or hybrid) and not readings.described.get("hybrid_ranges"):
        draft.questions.append(
            "The site seems to be a hybrid with Exchange Online"
            + (f" ({', '.join(tenants)})" if tenants else "")
            + ". What comes from there is refused after a lock unless mailedge_hybrid_ranges and "
            "mailedge_hybrid say so."
        )
