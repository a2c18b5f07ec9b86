# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a tenant can be changed, as tables of properties: inbound connectors, transport rules,
and one setting of the organization.

Names and meanings are those of New- and Set-InboundConnector, New- and Set-TransportRule and
Set-OrganizationConfig (learn.microsoft.com, 2026-08).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges_forms import to_slash24s
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.kinds import (
    Bool,
    Choice,
    Host,
    Int,
    KindError,
    Text,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.lists import (
    ListKind,
    Ranges,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import (
    Property,
    Resource,
    resource,
)

_SENDER_DOMAIN = re.compile(r"smtp:(?P<domain>[^;]*)(?:;[0-9]*)?", re.IGNORECASE)


class Always:
    """What every tenant has."""

    words = "Exchange Online"

    def __call__(self, version: t.Any, edge: bool = False) -> bool:
        return True


ALWAYS = Always()


class Words(ListKind):
    """Some texts; canonical is a frozenset in lower case."""

    def parse(self, value: t.Any) -> frozenset[str]:
        return frozenset(self.word(str(item)) for item in self.items(value))

    def word(self, text: str) -> str:
        """One of them."""
        return text.strip().lower()

    def show(self, canonical: t.Any) -> t.Any:
        return sorted(canonical)

    def write(self, canonical: t.Any) -> t.Any:
        return sorted(canonical)


class SenderDomains(Words):
    """Domains of senders, ``*`` for all; they are read back as ``smtp:*;1``."""

    def word(self, text: str) -> str:
        match = _SENDER_DOMAIN.fullmatch(text.strip())
        return (match["domain"] if match else text).strip().lower()


class Slash24s(Ranges):
    """Addresses of senders: IPv4 only, in networks from /24 to /32."""

    def write(self, canonical: t.Any) -> t.Any:
        try:
            return to_slash24s(canonical)
        except RangeError as error:
            raise KindError(str(error)) from None


class State(Bool):
    """Whether a rule is on, which is read as a word."""

    _WORDS: t.ClassVar[t.Mapping[str, bool]] = {
        **Bool._WORDS,
        "enabled": True,
        "disabled": False,
    }


def _property(option: str, parameter: str, kind: t.Any, **more: t.Any) -> Property:
    return Property(option, parameter, kind, ALWAYS, **more)


PARTNER, ON_PREMISES = "Partner", "OnPremises"
HYBRID_WIZARD = "HybridWizard"

CONNECTOR: Resource = resource(
    "inbound_connector",
    "inbound connector",
    "InboundConnector",
    (
        _property("enabled", "Enabled", Bool()),
        _property("connector_type", "ConnectorType", Choice(PARTNER, ON_PREMISES)),
        _property("sender_domains", "SenderDomains", SenderDomains()),
        _property("sender_ip_addresses", "SenderIPAddresses", Slash24s()),
        _property("restrict_domains_to_ip_addresses", "RestrictDomainsToIPAddresses", Bool()),
        _property("restrict_domains_to_certificate", "RestrictDomainsToCertificate", Bool()),
        _property("tls_sender_certificate_name", "TlsSenderCertificateName", Host()),
        _property("require_tls", "RequireTls", Bool()),
        _property("associated_accepted_domains", "AssociatedAcceptedDomains", Words()),
        _property("ef_skip_last_ip", "EFSkipLastIP", Bool()),
        _property("ef_skip_ips", "EFSkipIPs", Ranges()),
        _property("ef_users", "EFUsers", Words()),
        _property("comment", "Comment", Text()),
    ),
)
CONNECTOR_SOURCE = "connector_source"
"""Who has made a connector: read only, and not among the options."""

ENFORCE, AUDIT = "Enforce", "Audit"
OUTSIDE = "NotInOrganization"

RULE: Resource = resource(
    "transport_rule",
    "transport rule",
    "TransportRule",
    (
        # Changed by cmdlets of its own; New- has a parameter for it.
        _property("enabled", "State", State(), set_only=True),
        _property("mode", "Mode", Choice(AUDIT, "AuditAndNotify", ENFORCE)),
        _property("priority", "Priority", Int(0, 1000)),
        _property("from_scope", "FromScope", Choice("InOrganization", OUTSIDE)),
        _property(
            "sender_address_location",
            "SenderAddressLocation",
            Choice("Header", "Envelope", "HeaderOrEnvelope"),
        ),
        _property("quarantine", "Quarantine", Bool()),
        _property("except_if_sender_ip_ranges", "ExceptIfSenderIpRanges", Ranges()),
        _property("except_if_message_type_matches", "ExceptIfMessageTypeMatches", Text()),
        _property(
            "except_if_header_contains_message_header",
            "ExceptIfHeaderContainsMessageHeader",
            Host(),
        ),
        _property("except_if_header_contains_words", "ExceptIfHeaderContainsWords", Words()),
        _property("comments", "Comments", Text()),
    ),
)
FURTHER = "further"
"""Conditions, exceptions and actions of a rule that are not among the options: read only."""

STOPS = "stop_rule_processing"
"""Whether no rule behind this one is asked: read only."""

ORGANIZATION: Resource = resource(
    "organization",
    "organization",
    "OrganizationConfig",
    (_property("reject_direct_send", "RejectDirectSend", Bool()),),
)
