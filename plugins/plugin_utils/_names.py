# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What DNS, and a tenant that was only asked, said of a site, in the report of a run."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns import finding, identity
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.finding import DnsFinding
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.names import under
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.control import Sought
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.finding import (
    WARNING,
    Note,
    named,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import Record
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    OPEN,
    UNKNOWN,
)

Plain = t.Mapping[str, t.Any]
_GOOD = "ok"
_NAME, _SERVER = "name_unknown", "server_names"


def told_of_dns(
    result: Plain | None,
    looks: t.Sequence[Sought],
    servers: t.Any = None,
    described: Plain | None = None,
) -> Plain | None:
    """The result of mail_edge_names with what is to be told, and with what the looks add to it, and
    the servers that were asked for their names.
    """
    if not result or not result.get("findings"):
        return result
    about = described or {}
    accepted = {each["id"] for each in result["findings"] if each["accepted"]}
    accepted.update(about.get("dns_accept_findings") or ())
    of_servers = [each.as_dict(accepted) for each in _of_servers(servers, about)]
    seen = [address for look in looks for address in look.result.get("addresses") or ()]
    added = identity.findings(result.get("pointers") or {}, seen)
    findings = [*of_servers, *result["findings"], *(each.as_dict(accepted) for each in added)]
    worse = finding.state([*of_servers, *result["findings"]]) if of_servers else result.get("state")
    told = [each for each in findings if each["severity"] != _GOOD]
    return {**result, "state": worse, "findings": told}


def _of_servers(registered: t.Any, described: Plain) -> t.Iterator[DnsFinding]:
    """What the servers did not tell, and the domains of theirs that the site does not name."""
    own = {str(domain).lower().rstrip(".") for domain in described.get("domains") or ()}
    for item in (registered or {}).get("results") or ():
        host = str(item.get("__mailedge_server") or "A server")
        if item.get("failed") or item.get("unreachable"):
            why = " ".join(str(item.get("msg") or "It said nothing.").split())
            sentence = f"{host} did not tell by which names it can be reached: {why}"
            yield DnsFinding(_SERVER, finding.UNKNOWN, host, sentence)
        for sentence in item.get("not_read") or ():
            yield DnsFinding(_SERVER, finding.NOTE, host, f"{host}: {sentence}")
        others = [domain for domain in item.get("domains") or () if not under(domain, own)]
        if others:
            yield DnsFinding(
                "server_domains",
                finding.NOTE,
                host,
                f"{host} takes mail for {', '.join(others)}, for which nobody asked DNS.",
                "Add those that are the site's to mailedge_domains.",
            )


def told_of_tenant(result: Plain | None) -> Plain | None:
    """The result of exchange_online_info, with what leaves it unknown, and what goes past the
    tenant's own filtering, as findings.
    """
    if not result:
        return result
    told = [("not_read", finding.UNKNOWN, text) for text in result.get("unread") or ()]
    told += [("bypass", finding.NOTE, text) for text in result.get("bypasses") or ()]
    findings = [DnsFinding(what, grade, "", str(text)).as_dict(()) for what, grade, text in told]
    return {**result, "findings": findings}


def with_unknown_names(seen: Record, result: Plain | None) -> Record:
    """The record of the looks: where a name leads that DNS does not tell, nobody has looked."""
    told = (result or {}).get("findings") or ()
    unknown = [
        str(each["sentence"])
        for each in told
        if each["id"] in (_NAME, _SERVER)
        and each["severity"] == finding.UNKNOWN
        and not each["accepted"]
    ]
    if not unknown:
        return seen
    state = seen.state if seen.state == OPEN else UNKNOWN
    noted = tuple(Note(_NAME, UNKNOWN, WARNING, text, named(text)) for text in unknown)
    return dataclasses.replace(
        seen, state=state, findings=(*seen.findings, *unknown), notes=(*seen.notes, *noted)
    )
