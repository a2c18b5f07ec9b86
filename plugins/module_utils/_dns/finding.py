# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there can be to find in the DNS of a site's domains, and the state that findings make."""

from __future__ import annotations

import types
import typing as t
from dataclasses import asdict, dataclass

CRITICAL, UNKNOWN, WARNING, NOTE, OK = "critical", "unknown", "warning", "note", "ok"
SEVERITIES = (CRITICAL, UNKNOWN, WARNING, NOTE, OK)
"""Worst first. A note is told and makes no drift."""

FINDINGS: t.Mapping[str, str] = types.MappingProxyType(
    {
        "alias_elsewhere": "A name leads to a server of the provider or of Microsoft.",
        "dmarc": "Whether DMARC says what is to become of mail in the domain's name.",
        "domain": "Whether the domain is in DNS at all.",
        "identity": "Whether greeting, PTR record and certificate of a server name the same host.",
        "mta_sts": "Whether MTA-STS is there, can be read, and covers the MX hosts.",
        "mx": "Whether MX records point to the filtering provider and nowhere else.",
        "name_unknown": "DNS does not say where a name leads, so that nobody looks there.",
        "not_looked_at": "Names that are not looked at, and why.",
        "ptr": "Whether an address has a PTR record that leads back to it.",
        "server_domains": "A server takes mail for a domain that the site does not name.",
        "server_names": "A server did not tell by which names it can be reached.",
        "spf": "Whether SPF can be evaluated, ends in a refusal, and is not too wide.",
        "spf_smart_hosts": "Whether SPF names the hosts that send for the domain.",
        "tls_rpt": "Whether others report when they cannot send over TLS.",
        "wildcard": "DNS answers for every name below a domain.",
    }
)


@dataclass(frozen=True)
class DnsFinding:
    """One finding. `about` is the domain, name or address; `remedy` may be empty."""

    id: str
    severity: str
    about: str
    sentence: str
    remedy: str = ""

    def as_dict(self, accepted: t.Collection[str] = ()) -> dict[str, t.Any]:
        """The finding in a result; `accepted` are ids that the site has accepted."""
        bad = self.severity in (CRITICAL, UNKNOWN, WARNING)
        return {**asdict(self), "accepted": bad and self.id in accepted}


def state(findings: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """`unknown`, `drift` or `in order`; without any finding nothing was looked at: unknown."""
    severities = [OK if each["accepted"] else each["severity"] for each in findings]
    if not severities or UNKNOWN in severities:
        return "unknown"
    return "drift" if CRITICAL in severities or WARNING in severities else "in order"


def ordered(findings: t.Iterable[DnsFinding]) -> list[DnsFinding]:
    """Worst first; what is equally bad stays in its order."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def unknown_ids(names: t.Collection[str]) -> str:
    """What is wrong with ids that a site accepts, as a sentence; empty where nothing is."""
    wrong = [f"'{name}'" for name in sorted(set(names) - set(FINDINGS))]
    if not wrong:
        return ""
    are = "which is no finding" if len(wrong) == 1 else "which are no findings"
    return (
        f"accept_findings names {' and '.join(wrong)}, {are}. "
        f"The findings are: {', '.join(sorted(FINDINGS))}."
    )
