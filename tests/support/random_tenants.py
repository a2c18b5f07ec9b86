# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants made at random."""

from __future__ import annotations

import typing as t

from hypothesis import event
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.cmdlets import call
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import ExchangeOnline
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.refusals import CmdletError
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    CERTIFICATE,
    OWN,
    RANGES,
)

Rows = list[dict[str, t.Any]]
OWN_SERVER = "192.0.2.10"

CONNECTORS = st.fixed_dictionaries(
    {
        "Enabled": st.booleans(),
        "ConnectorType": st.sampled_from(["Partner", "Partner", "OnPremises"]),
        "SenderDomains": st.sampled_from([["*"], ["*"], ["bank.example"]]),
        "SenderIPAddresses": st.sampled_from([[], RANGES, ["192.0.2.0/24"], [OWN_SERVER]]),
        "RestrictDomainsToIPAddresses": st.booleans(),
        "RestrictDomainsToCertificate": st.booleans(),
        "TlsSenderCertificateName": st.sampled_from([None, CERTIFICATE, OWN, "*.other.example"]),
        "RequireTls": st.booleans(),
        "AssociatedAcceptedDomains": st.sampled_from([[], [], ["hafen.example"]]),
        "ConnectorSource": st.sampled_from(["Default", "AdminUI", "HybridWizard"]),
    }
)
RULES = st.fixed_dictionaries(
    {
        "FromScope": st.sampled_from([None, "NotInOrganization"]),
        "Quarantine": st.sampled_from([True, True, False]),
        "PrependSubject": st.just("[outside] "),
        "Mode": st.sampled_from(["Audit", "Enforce"]),
        "Enabled": st.booleans(),
        "ExceptIfSenderIpRanges": st.sampled_from([None, RANGES, ["192.0.2.0/24"]]),
        "SubjectContainsWords": st.sampled_from([None, None, ["invoice"]]),
        "StopRuleProcessing": st.booleans(),
    }
)


_LOCK: dict[str, t.Any] = {
    "Enabled": True,
    "ConnectorType": "Partner",
    "SenderDomains": ["*"],
    "RequireTls": True,
}
LOCKS = (
    {**_LOCK, "SenderIPAddresses": RANGES, "RestrictDomainsToIPAddresses": True},
    {**_LOCK, "SenderIPAddresses": ["192.0.2.0/24"], "RestrictDomainsToIPAddresses": True},
    {**_LOCK, "TlsSenderCertificateName": CERTIFICATE, "RestrictDomainsToCertificate": True},
)
"""Connectors that refuse whoever they do not name."""


def fill(online: ExchangeOnline, connectors: Rows, rules: Rows, *, refuses: bool) -> None:
    """A tenant of these, as far as Exchange Online would have them."""
    online.tenant.tables.update(InboundConnector=[], TransportRule=[])
    rows = [
        ("New-InboundConnector", f"Connector {n}", values) for n, values in enumerate(connectors)
    ]
    rows += [("New-TransportRule", f"Rule {n}", values) for n, values in enumerate(rules)]
    for cmdlet, name, values in rows:
        given = {option: value for option, value in values.items() if value not in (None, [])}
        try:
            call(online.tenant, cmdlet, {"Name": name, **given})
        except CmdletError as error:
            event(f"{cmdlet}: {error}")
    online.tenant.organization["RejectDirectSend"] = refuses
    online.tenant.changed()
