# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port 25 of the lab's Exchange Online, spoken to by smtplib: who gets in by which state of the
tenant (facts exchange_online §1.1 to §1.4 and §3.3, proof_and_cloud §3.1 and §5).
"""

from __future__ import annotations

import smtplib
import ssl
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.attribution import Hop
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.cmdlets import call
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import (
    OFFICE,
    PROVIDER,
    SOURCES,
    STRANGER,
    ExchangeOnline,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.messages import (
    Fate,
    Message,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.tenant import (
    PROPAGATION,
    Tenant,
)

BY_ADDRESS = {
    "ConnectorType": "Partner",
    "SenderDomains": ["smtp:*;1"],
    "SenderIPAddresses": ["198.51.100.0/24"],
    "RestrictDomainsToIPAddresses": True,
    "RequireTls": False,
}
BY_CERTIFICATE = {
    "ConnectorType": "Partner",
    "SenderDomains": ["smtp:*;1"],
    "TlsSenderCertificateName": "*.filter.example",
    "RestrictDomainsToCertificate": True,
    "RequireTls": True,
}
HYBRID = {
    "ConnectorType": "OnPremises",
    "ConnectorSource": "HybridWizard",
    "SenderDomains": ["smtp:*;1"],
    "SenderIPAddresses": [OFFICE],
    "RequireTls": True,
    "CloudServicesMailEnabled": True,
}
ELSEWHERE, OWN, EMPTY = "sales@watchtower.example", "office@hafen.example", ""
RECIPIENT, RELAY = "postmaster@hafen.example", "somebody@watchtower.example"
LOCKED, DIRECT, OPEN = "5.7.51", "5.7.68", "2.1.5"


@pytest.fixture
def online() -> t.Iterator[ExchangeOnline]:
    with ExchangeOnline() as running:
        # It is about the end, when all is in force.
        running.tenant.propagation = 0.0
        yield running


def talk(
    online: ExchangeOnline,
    player: str,
    sender: str = ELSEWHERE,
    recipient: str = RECIPIENT,
    *,
    certificate: tuple[str, ...] | None = None,
) -> tuple[int, str]:
    """Code and text of what is said to RCPT. `certificate`: () for TLS without any."""
    (source,) = [address for address, played in SOURCES.items() if played == player]
    with smtplib.SMTP("127.0.0.1", online.mail.port, "mx.test.example", 10, (source, 0)) as smtp:
        if certificate is not None:
            context = ssl.create_default_context(cafile=str(online.mail.ca_path))
            context.check_hostname = False
            if certificate:
                context.load_cert_chain(*online.mail.authority.certificate(*certificate))
            smtp.starttls(context=context)
        smtp.ehlo()
        code, _text = smtp.mail(sender)
        assert code == 250
        code, text = smtp.rcpt(recipient)
        return code, text.decode()


def said(online: ExchangeOnline, *arguments: t.Any, **keywords: t.Any) -> str:
    """The enhanced code."""
    return talk(online, *arguments, **keywords)[1].split()[0]


def test_a_new_tenant_is_open_to_everybody(online: ExchangeOnline) -> None:
    """§1.1: a filter in front of it, and the endpoint left open: by any sender."""
    for sender in (ELSEWHERE, OWN, EMPTY):
        assert talk(online, STRANGER, sender) == (250, "2.1.5 Recipient OK")
    assert said(online, STRANGER, recipient="postmaster@hafen-lab.onmicrosoft.com") == OPEN


def test_a_partner_connector_by_address_shuts_both_holes(online: ExchangeOnline) -> None:
    online.tenant.inbound("filter", **BY_ADDRESS)
    for sender in (ELSEWHERE, OWN, EMPTY):
        code, text = talk(online, STRANGER, sender)
        assert code == 550
        assert text.startswith(
            "5.7.51 TenantInboundAttribution; There is a partner connector configured that matched"
        )
        assert said(online, PROVIDER, sender) == OPEN
    assert text.endswith("]")


def test_rejecting_direct_send_shuts_one_hole_alone(online: ExchangeOnline) -> None:
    """§1.1, §1.3: it is about the envelope's sender; a stranger with another sender still gets in,
    and so does the own domain in the header.
    """
    online.tenant.organization["RejectDirectSend"] = True
    online.tenant.changed()
    code, text = talk(online, STRANGER, OWN)
    assert (code, text.split()[0]) == (550, DIRECT)
    assert "Direct Send not allowed for this organization from unauthorized sources" in text
    assert said(online, STRANGER, "x@hafen-lab.onmicrosoft.com") == DIRECT
    assert said(online, STRANGER, ELSEWHERE) == OPEN
    assert said(online, STRANGER, EMPTY) == OPEN
    assert said(online, PROVIDER, OWN) == DIRECT
    online.tenant.inbound("filter", **BY_ADDRESS)
    assert said(online, PROVIDER, OWN) == OPEN


def test_a_connector_of_the_own_organization_refuses_nobody(online: ExchangeOnline) -> None:
    """§1.1: OnPremises identifies, restrictions are for Partner alone (§1.2)."""
    values = {"RestrictDomainsToIPAddresses": True, "SenderIPAddresses": ["198.51.100.0/24"]}
    online.tenant.inbound("office", **{**HYBRID, **values})
    assert said(online, STRANGER) == OPEN
    online.tenant.organization["RejectDirectSend"] = True
    online.tenant.changed()
    assert said(online, STRANGER, OWN) == DIRECT
    assert said(online, PROVIDER, OWN) == OPEN


def test_a_partner_connector_without_a_restriction_refuses_nobody(online: ExchangeOnline) -> None:
    online.tenant.inbound("filter", **{**BY_ADDRESS, "RestrictDomainsToIPAddresses": False})
    assert said(online, STRANGER) == OPEN
    online.tenant.tables["InboundConnector"].clear()
    online.tenant.inbound("filter", **{**BY_ADDRESS, "Enabled": False})
    assert said(online, STRANGER) == OPEN


def test_a_certificate_lets_in_from_anywhere(online: ExchangeOnline) -> None:
    online.tenant.inbound("filter", **BY_CERTIFICATE)
    for shown in (("mx1.filter.example",), ("*.filter.example",)):
        assert said(online, STRANGER, certificate=shown) == OPEN
    for refused in (None, (), ("mx.else.example",), ("filter.example",), ("a.b.filter.example",)):
        assert said(online, PROVIDER, certificate=refused) == LOCKED
    assert said(online, PROVIDER, certificate=("mx.else.example", "mx1.filter.example")) == LOCKED


def test_a_certificate_that_nobody_believes_ends_the_handshake(online: ExchangeOnline) -> None:
    online.tenant.inbound("filter", **BY_CERTIFICATE)
    path, key = online.mail.authority.certificate("mx1.filter.example")
    with ExchangeOnline("birke-lab", ["birke.example"]) as other:
        context = ssl.create_default_context(cafile=str(other.mail.ca_path))
        context.check_hostname = False
        context.load_cert_chain(path, key)
        smtp = smtplib.SMTP("127.0.0.1", other.mail.port, timeout=10)

        def encrypted() -> None:
            smtp.starttls(context=context)
            smtp.ehlo()

        with pytest.raises((smtplib.SMTPException, OSError)):
            encrypted()
        smtp.close()


def test_two_connectors_by_address_and_certificate_are_two_ways_in(online: ExchangeOnline) -> None:
    """§1.2: do not put both in one; use two."""
    online.tenant.inbound("by address", **BY_ADDRESS)
    online.tenant.inbound("by certificate", **BY_CERTIFICATE)
    assert said(online, PROVIDER) == OPEN
    assert said(online, STRANGER, certificate=("mx1.filter.example",)) == OPEN
    assert said(online, STRANGER) == LOCKED
    online.tenant.tables["InboundConnector"].clear()
    both = {**BY_ADDRESS, **BY_CERTIFICATE, "RestrictDomainsToIPAddresses": True}
    online.tenant.inbound("both in one", **both)
    assert said(online, PROVIDER) == LOCKED
    assert said(online, STRANGER, certificate=("mx1.filter.example",)) == LOCKED
    assert said(online, PROVIDER, certificate=("mx1.filter.example",)) == OPEN


def test_no_exception_by_the_senders_domain(online: ExchangeOnline) -> None:
    """§1.2: a restricting connector wins."""
    online.tenant.inbound("filter", **BY_ADDRESS)
    friends = {"ConnectorType": "Partner", "SenderDomains": ["smtp:watchtower.example;1"]}
    online.tenant.inbound("friends", **friends, RequireTls=False)
    assert said(online, STRANGER, ELSEWHERE) == LOCKED


def test_a_restriction_for_some_domains_leaves_the_others(online: ExchangeOnline) -> None:
    """`*.x` is the domain and all below it (New-InboundConnector)."""
    online.tenant.inbound("x", **{**BY_ADDRESS, "SenderDomains": ["smtp:*.watchtower.example;1"]})
    for domain in ("watchtower.example", "a.b.watchtower.example"):
        assert said(online, STRANGER, f"x@{domain}") == LOCKED
    for domain in ("notwatchtower.example", "hafen.example"):
        assert said(online, STRANGER, f"x@{domain}") == OPEN
    assert said(online, STRANGER, EMPTY) == OPEN


def test_accepted_domains_of_a_connector_bound_it(online: ExchangeOnline) -> None:
    """§1.2, proof_and_cloud §5: without them, mail to onmicrosoft.com bounces too."""
    online.tenant.inbound("filter", **BY_ADDRESS)
    hybrid = "postmaster@hafen-lab.mail.onmicrosoft.com"
    assert said(online, OFFICE, recipient=hybrid) == LOCKED
    online.tenant.tables["InboundConnector"].clear()
    online.tenant.inbound("f", **BY_ADDRESS, AssociatedAcceptedDomains=["hafen.example"])
    assert said(online, OFFICE, recipient=hybrid) == OPEN
    assert said(online, OFFICE) == LOCKED


def test_hybrid_mail_bounces_at_a_lock(online: ExchangeOnline) -> None:
    """§1.2: where the own servers are not in the Partner connector; or not, by a switch."""
    online.tenant.inbound("hybrid", **HYBRID)
    online.tenant.inbound("filter", **BY_ADDRESS)
    assert said(online, OFFICE, OWN) == LOCKED
    online.tenant.on_premises_first = True
    assert said(online, OFFICE, OWN) == OPEN
    assert said(online, STRANGER, OWN) == LOCKED


def test_a_partner_connector_may_want_tls(online: ExchangeOnline) -> None:
    online.tenant.inbound("filter", **{**BY_ADDRESS, "RequireTls": True})
    assert talk(online, PROVIDER)[0] == 451
    assert said(online, PROVIDER, certificate=()) == OPEN
    assert said(online, STRANGER, certificate=()) == LOCKED


def test_relaying_needs_a_connector_of_the_own_organization(online: ExchangeOnline) -> None:
    """§3.3: 5.7.64; proof_and_cloud §3.1: also when the certificate no longer matches."""
    assert said(online, STRANGER, recipient=RELAY) == "5.7.64"
    assert said(online, STRANGER, OWN, RELAY) == "5.7.64"
    hybrid = {**HYBRID, "SenderIPAddresses": [], "TlsSenderCertificateName": "mx.hafen.example"}
    online.tenant.inbound("hybrid", **hybrid)
    assert said(online, OFFICE, OWN, RELAY, certificate=("mx.hafen.example",)) == OPEN
    assert said(online, OFFICE, OWN, RELAY, certificate=("old.hafen.example",)) == "5.7.64"


def test_unknown_recipients_prove_nothing(online: ExchangeOnline) -> None:
    """§3.3: 5.4.1 says nothing about the lock; an internal relay domain takes everybody."""
    nobody = "nobody@hafen.example"
    online.tenant.inbound("filter", **BY_ADDRESS)
    for player in (STRANGER, PROVIDER):
        code, text = talk(online, player, recipient=nobody)
        assert (code, text.partition(" [")[0]) == (
            550,
            "5.4.1 Recipient address rejected: Access denied.",
        )
    domain = online.tenant.accepts("hafen.example")
    assert domain is not None
    domain["DomainType"] = "InternalRelay"
    assert said(online, PROVIDER, recipient=nobody) == OPEN


def test_lists_of_addresses(online: ExchangeOnline) -> None:
    """§3.3: 5.7.513; the allow list lets nobody past a connector, only past the filter."""
    policy = online.tenant.rows("HostedConnectionFilterPolicy")[0]
    policy["IPBlockList"] = ["192.0.2.0/24"]
    online.tenant.changed()
    assert said(online, STRANGER) == "5.7.513"
    policy["IPBlockList"], policy["IPAllowList"] = [], ["192.0.2.0/24"]
    online.tenant.inbound("filter", **BY_ADDRESS)
    assert said(online, STRANGER) == LOCKED


def test_the_recipient_decides_whose_tenant_it_is(online: ExchangeOnline) -> None:
    """proof_and_cloud §3.1: through A's name to B; A's lock is not B's."""
    online.tenant.inbound("filter", **BY_ADDRESS)
    online.tenants.append(Tenant("birke-lab", "birke.example", clock=online.clock))
    assert said(online, STRANGER, recipient="postmaster@birke.example") == OPEN
    assert said(online, STRANGER, recipient=RECIPIENT) == LOCKED


def test_ipv6_is_a_door_of_its_own(online: ExchangeOnline) -> None:
    """proof_and_cloud §3.1: a provider that delivers over IPv6 gets 5.7.51."""
    if not online.mail.ipv6_ports:
        pytest.skip("no IPv6 here")

    def over_ipv6(name: str) -> str:
        with smtplib.SMTP("::1", online.mail.ipv6_ports[name], "mx.test.example", 10) as smtp:
            smtp.ehlo()
            smtp.mail(ELSEWHERE)
            return smtp.rcpt(RECIPIENT)[1].decode().split()[0]

    assert over_ipv6("internet") == OPEN
    online.tenant.inbound("filter", **BY_ADDRESS)
    assert [over_ipv6(name) for name in ("internet", "provider")] == [LOCKED, LOCKED]
    online.tenant.ipv6 = False
    assert over_ipv6("provider") == "5.7.510"


def test_a_change_reaches_port_25_later(online: ExchangeOnline) -> None:
    """What a test sets up is known at once, and what a cmdlet does half an hour later."""
    online.tenant.propagation = PROPAGATION
    call(online.tenant, "New-InboundConnector", {"Name": "filter", **BY_ADDRESS})
    assert said(online, STRANGER) == OPEN
    online.clock.advance(PROPAGATION + 1)
    assert said(online, STRANGER) == LOCKED
    online.tenant.rows("InboundConnector").clear()
    online.tenant.changed()
    assert said(online, STRANGER) == OPEN


def test_what_senders_say_is_remembered(online: ExchangeOnline) -> None:
    """A probe never sends DATA, VRFY or AUTH; the lab sees who does."""
    with smtplib.SMTP("127.0.0.1", online.mail.port, "mx.test.example", 10) as smtp:
        smtp.ehlo()
        assert smtp.docmd("AUTH", "LOGIN")[0] == 504
        assert smtp.verify("postmaster")[0] == 252
        smtp.mail(ELSEWHERE)
        smtp.rcpt(RECIPIENT)
        assert smtp.docmd("DATA")[0] == 452
    (talked,) = online.mail.conversations
    assert [line.split()[0] for line in talked.commands] == [
        "EHLO",
        "AUTH",
        "VRFY",
        "MAIL",
        "RCPT",
        "DATA",
        "QUIT",
    ]
    assert talked.sender == STRANGER


# ---------------------------------------------------------------- behind RCPT


RULE = {
    "FromScope": "NotInOrganization",
    "ExceptIfSenderIpRanges": ["198.51.100.0/24"],
    "ExceptIfMessageTypeMatches": "Voicemail",
    "ExceptIfHeaderContainsMessageHeader": "x-ms-exchange-meetingforward-message",
    "ExceptIfHeaderContainsWords": ["Forward"],
    "Quarantine": True,
}


def rule(online: ExchangeOnline, name: str, **values: t.Any) -> None:
    """A rule by its cmdlet, which a draft keeps whole."""
    call(online.tenant, "New-TransportRule", {"Name": name, **values})


def fate(online: ExchangeOnline, address: str, sender: str = ELSEWHERE, **more: t.Any) -> Fate:
    return online.deliver(Hop(address), Message(sender, RECIPIENT, **more))


def test_a_rule_takes_at_rcpt_and_acts_afterwards(online: ExchangeOnline) -> None:
    """§1.4: it cannot be proved by SMTP alone; in Audit it only says so."""
    rule(online, "only the filter", **RULE, Mode="Audit")
    audited = fate(online, STRANGER)
    assert (audited.end, audited.audited, audited.rules) == ("delivered", ("only the filter",), ())
    online.tenant.rows("TransportRule")[0]["Mode"] = "Enforce"
    online.tenant.changed()
    assert said(online, STRANGER) == OPEN
    assert fate(online, STRANGER).end == "quarantined"
    assert fate(online, PROVIDER).end == "delivered"
    assert fate(online, STRANGER, OWN).end == "quarantined"
    assert fate(online, STRANGER, kind="Voicemail").end == "delivered"
    forwarded = {"X-MS-Exchange-MeetingForward-Message": "Forward"}
    assert fate(online, STRANGER, headers=forwarded).end == "delivered"
    online.tenant.rows("TransportRule")[0]["State"] = "Disabled"
    online.tenant.changed()
    assert fate(online, STRANGER).end == "delivered"


def test_mail_of_the_own_organization_is_inside(online: ExchangeOnline) -> None:
    rule(online, "only the filter", **RULE, Mode="Enforce")
    online.tenant.inbound("hybrid", **HYBRID)
    assert fate(online, OFFICE, OWN).end == "delivered"
    assert fate(online, OFFICE, ELSEWHERE).end == "quarantined"
    assert fate(online, OFFICE, ELSEWHERE, header_from=OWN).end == "delivered"


def test_rules_act_in_their_order(online: ExchangeOnline) -> None:
    rule(online, "away", SenderDomainIs=["watchtower.example"], DeleteMessage=True)
    rule(online, "aside", FromScope="NotInOrganization", Quarantine=True)
    assert fate(online, STRANGER).rules == ("away",)
    assert fate(online, STRANGER).end == "deleted"
    assert fate(online, STRANGER, "x@else.example").rules == ("aside",)
    rule(online, "back", SubjectContainsWords=["hello"], RedirectMessageTo=["a@b.example"])
    assert fate(online, STRANGER, "x@else.example", subject="Hello!").end == "quarantined"
    online.tenant.rows("TransportRule")[1]["StopRuleProcessing"] = True
    online.tenant.changed()
    assert fate(online, STRANGER, "x@else.example", subject="Hello!").rules == ("aside",)


def test_a_rule_wants_all_its_conditions(online: ExchangeOnline) -> None:
    both = {"FromScope": "NotInOrganization", "SubjectContainsWords": ["invoice"]}
    rule(online, "invoices", **both, Quarantine=True)
    assert fate(online, STRANGER, subject="Your invoice").end == "quarantined"
    assert fate(online, STRANGER, subject="Hello").end == "delivered"


def test_who_is_not_filtered(online: ExchangeOnline) -> None:
    """§1.2: allow list, perimeter, SCL -1."""
    assert fate(online, STRANGER).filtered
    online.tenant.rows("HostedConnectionFilterPolicy")[0]["IPAllowList"] = ["192.0.2.0/24"]
    online.tenant.rows("PerimeterConfig")[0]["GatewayIPAddresses"] = [PROVIDER]
    online.tenant.changed()
    assert not fate(online, STRANGER).filtered
    assert not fate(online, PROVIDER).filtered
    assert fate(online, OFFICE).filtered
    rule(online, "trust", SenderIpRanges=[f"{OFFICE}-{OFFICE}"], SetSCL=-1)
    assert not fate(online, OFFICE).filtered


def test_enhanced_filtering_looks_behind_the_filter(online: ExchangeOnline) -> None:
    """§1.2: EFSkipLastIP skips one, EFSkipIPs what is listed, EFUsers bound it."""
    way = ("192.0.2.200", "198.51.100.3")
    connector = online.tenant.inbound("filter", **BY_ADDRESS)

    def judged(**values: t.Any) -> str:
        connector.update({"EFSkipLastIP": False, "EFSkipIPs": [], "EFUsers": [], **values})
        online.tenant.changed()
        return fate(online, PROVIDER, path=way).judged_as

    assert judged() == PROVIDER
    assert judged(EFSkipLastIP=True) == "198.51.100.3"
    assert judged(EFSkipIPs=["198.51.100.0/24"]) == "192.0.2.200"
    assert judged(EFSkipIPs=[PROVIDER]) == "198.51.100.3"
    assert judged(EFSkipLastIP=True, EFUsers=["other@hafen.example"]) == PROVIDER
    assert judged(EFSkipLastIP=True, EFUsers=[RECIPIENT]) == "198.51.100.3"
