# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A draft of a site's description, out of what was read of its servers, firewall and DNS.

A guess never lets anybody in from the internet: what only a person can know is a question.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.routing import (
    is_generic,
    protected_reason,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING_V4,
    EVERYTHING_V6,
    LOOPBACK,
    PRIVATE,
    RangeError,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.readings import (
    Draft,
    Entry,
    Readings,
    Told,
    read_well,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import (
    ProviderError,
    find,
    load,
)

# More senders than these are counted in a comment, and not written down one by one.
_MOST = 20


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
    exchangers = _exchangers(readings, draft)
    hosts = sorted({host for names in exchangers.values() for host in names})
    of_hosts = {host: _providers_at(host) for host in hosts}
    likely = sorted({provider for providers in of_hosts.values() for provider in providers})
    elsewhere = [host for host, providers in of_hosts.items() if not providers]
    seen = sorted(
        {
            str(provider)
            for result in readings.senders.values()
            for group in (result or {}).get("groups") or ()
            for provider in group.get("providers") or ()
        }
    )
    if len(likely) == 1 and not elsewhere and all(exchangers.values()):
        why = [f"MX names {', '.join(hosts)}, and nobody else."]
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
    if elsewhere:
        why.append(f"MX names {', '.join(elsewhere)}, which no entry of the catalogue is known by.")
    if likely:
        why.append(f"MX leads to {' and '.join(likely)} of the catalogue.")
    silent = [domain for domain, names in exchangers.items() if not names]
    if silent:
        why.append(f"DNS tells no MX of {', '.join(silent)}.")
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


def _exchangers(readings: Readings, draft: Draft) -> dict[str, list[str]]:
    """Domain → its MX hosts; none where DNS does not tell. What was not told is."""
    if not read_well(readings.dns):
        why = str(readings.dns.get("msg") or "It was not asked for the site's domains.").strip()
        draft.unread.append(f"DNS: {why}")
        return {}
    exchangers = {}
    for domain, told in (readings.dns.get("mail_exchangers") or {}).items():
        if told.get("status") == "unknown":
            draft.unread.append(f"DNS: the MX of {domain} is not known, because nobody answered.")
        exchangers[str(domain)] = [
            str(host).rstrip(".").lower() for host in told.get("hosts") or ()
        ]
    return exchangers


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
    # Where nobody on the internet delivered by the logs, somebody may hide all senders behind a
    # private address, which would then stand for the internet.
    hidden = not any(not _within(address, PRIVATE) for address in _senders(readings))
    values = list(named) if hidden else [*named, *private]
    if values:
        draft.entries.append(
            Entry("mailedge_own_networks", values, ("Private addresses only.", *why))
        )
    else:
        draft.entries.append(
            Entry(
                "mailedge_own_networks",
                list(private),
                tuple(why) or ("Nothing tells of one.",),
                suggested=True,
            )
        )
    if hidden and private:
        draft.questions.append(
            f"By the logs nobody on the internet delivered, but {', '.join([*private][:_MOST])} "
            "did. Is that a firewall or a balancer that hides the senders? It would stand for the "
            "whole internet, and must not be in mailedge_own_networks; the server has to see who "
            "sends before it can be locked."
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
    ways = {
        str(row.get("name")): row
        for row in _rows(readings, "send_connectors")
        if row.get("enabled", True) and any(map(is_generic, _domains_of(row)))
    }
    if len(ways) == 1:
        name, row = next(iter(ways.items()))
        smart_hosts = [str(host) for host in row.get("smart_hosts") or ()]
        owned = protected_reason({**row, "address_spaces": _spaces(row)})
        if smart_hosts and _domains_of(row) == ["*"] and not owned:
            # By its name, so that it stays as it is: its port, its certificate, its login.
            value: dict[str, t.Any] = {"name": name, "smart_hosts": smart_hosts}
            if list(row["address_spaces"]) != ["SMTP:*;1"]:
                value["address_spaces"] = list(row["address_spaces"])
            why = f"The send connector '{name}' sends all mail there, and stays as it is."
            draft.entries.append(Entry("mailedge_exchange_outbound", value, (why,)))
            return
    told = [
        f"'{name}' sends {', '.join(_domains_of(row))} {_to(row)}" for name, row in ways.items()
    ]
    draft.entries.append(
        Entry(
            "mailedge_exchange_outbound",
            {"smart_hosts": []},
            (f"Send connectors for the internet: {'; '.join(told) or 'none was read'}.",),
            suggested=True,
        )
    )
    draft.questions.append(
        "Is all mail to leave through the filtering provider? Then set "
        "mailedge_exchange_outbound.smart_hosts; else the way out is left alone."
    )


def _spaces(row: Told) -> t.Any:
    return SEND.properties["address_spaces"].parse(list(row.get("address_spaces") or ()))


def _domains_of(row: Told) -> list[str]:
    """The domains that a send connector carries."""
    return sorted(str(space.space) for space in _spaces(row))


def _to(row: Told) -> str:
    hosts = [str(host) for host in row.get("smart_hosts") or ()]
    return f"to {', '.join(hosts)}" if hosts else "by DNS"


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
    targets = readings.firewall.get("targets") or ()
    vips = sorted({str(target["vip"]) for target in targets if target["vip"]})
    addresses = sorted({str(target["address"]) for target in targets if target["address"]})
    exposure = tuple(f"Today: {sentence}." for sentence in readings.firewall.get("exposure") or ())
    if vips:
        # Several may be those of several sites, whose mail a lock for this one would stop.
        draft.entries.append(
            Entry("mailedge_fortigate_vips", vips, exposure, suggested=len(vips) > 1)
        )
        draft.questions.append(
            f"Which of {', '.join(vips)} lead to this site's server, and to no other?"
            if len(vips) > 1
            else f"Does {vips[0]} lead to this site's server, and to no other?"
        )
    elif addresses:
        # With central NAT policies see the addresses behind virtual IPs.
        draft.entries.append(
            Entry("mailedge_fortigate_addresses", addresses, exposure, suggested=True)
        )
        draft.questions.append(
            f"Which of {', '.join(addresses)} are this site's servers? Set "
            "mailedge_fortigate_addresses."
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
