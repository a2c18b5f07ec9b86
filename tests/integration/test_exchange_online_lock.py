# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_online_lock against the lab's tenant: lock, again, drift, rollback, and each guard."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.guards import (
    GUARDS,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.attribution import (
    ACCEPTED,
    Hop,
    answer,
)
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    BY_ADDRESS,
    CERTIFICATE,
    OWN,
    RANGES,
    Tenant,
    ids,
    running,
)

DIRECT = "Anybody on the internet may deliver straight to the tenant"


@pytest.fixture
def tenant(tmp_path: pathlib.Path) -> t.Iterator[Tenant]:
    yield from running(tmp_path)


def connectors(tenant: Tenant) -> dict[str, dict[str, t.Any]]:
    return {row["Name"]: row for row in tenant.online.tenant.rows("InboundConnector")}


def rules(tenant: Tenant) -> dict[str, dict[str, t.Any]]:
    return {row["Name"]: row for row in tenant.online.tenant.rows("TransportRule")}


# ---------------------------------------------------------------- the four beats


@pytest.mark.parametrize("name", ["hafen by certificate", "hafen by address"])
def test_lock_again_drift_rollback(tenant: Tenant, name: str) -> None:
    options = {} if name.endswith("certificate") else {**BY_ADDRESS, "provider_certificate": None}
    start = tenant.dump()

    would = tenant.locked(check=True, **options)
    assert would["changed"]
    assert tenant.dump() == start
    assert would["state"] == "open"
    assert would["strangers"]["before"][0].startswith(DIRECT)

    done = tenant.locked(**options)
    assert done["plan"] == would["plan"]
    assert done["changed"]
    assert done["state"] == "in order"
    assert done["strangers"]["after"] == []
    assert tenant.online.tenant.organization["RejectDirectSend"] is True
    row = connectors(tenant)[name]
    assert (row["ConnectorType"], row["SenderDomains"]) == ("Partner", ["smtp:*;1"])
    by_certificate = (row["RestrictDomainsToCertificate"], row["TlsSenderCertificateName"])
    by_address = (row["RestrictDomainsToIPAddresses"], row["SenderIPAddresses"])
    if options:
        assert by_certificate == (False, None)
        assert by_address == (True, RANGES)
    else:
        assert by_certificate == (True, CERTIFICATE)
        assert by_address == (False, [])

    locked = tenant.dump()
    again = tenant.locked(**options)
    assert not again["changed"]
    assert again["plan"] == []
    assert tenant.dump() == locked

    row["Enabled"] = False
    drifted = tenant.locked(check=True, **options)
    assert drifted["changed"]
    assert drifted["state"] == "open"
    assert drifted["plan"] == [f"Change the inbound connector '{name}': enabled true."]
    row["Enabled"] = True

    back = tenant.rollback()
    assert not back["failed"]
    assert tenant.dump() == start
    twice = tenant.rollback(done["snapshot"]["name"])
    assert not twice["failed"]
    assert not twice["changed"]
    assert tenant.dump() == start


def test_a_tenant_in_order_costs_at_most_four_requests(tenant: Tenant) -> None:
    tenant.locked()
    tenant.online.reset_counters()

    again = tenant.locked()

    assert again["cost"]["requests"] == tenant.online.requests + tenant.online.logins <= 4
    assert tenant.online.writes == 0


def test_what_each_beat_costs(tenant: Tenant) -> None:
    """A token, which is two, and a read; before writes what the app may run and a second look, a
    request for each write, and a last look.
    """
    beats: list[t.Callable[[], dict[str, t.Any]]] = [
        lambda: tenant.locked(check=True, check_permissions=False),
        tenant.locked,
        tenant.info,
        tenant.rollback,
    ]
    costs = []
    for beat in beats:
        tenant.online.reset_counters()
        told = beat()
        assert not told["failed"]
        assert told["cost"]["requests"] == tenant.online.requests + tenant.online.logins
        costs.append((told["cost"]["requests"], tenant.online.writes))
    assert costs == [(3, 0), (8, 2), (3, 0), (8, 2)]


def test_a_diff_says_what_changes_for_a_sender(tenant: Tenant) -> None:
    shown = tenant.locked(check=True, diff=True)["diff"]
    assert "a stranger, straight to the tenant (direct delivery): delivered" in shown["before"]
    assert "direct delivery): refused by the connector 'hafen by certificate'" in shown["after"]


def test_what_was_changed_a_moment_ago_is_told_as_not_in_force_yet(tenant: Tenant) -> None:
    done = tenant.locked()
    assert done["tenant"]["in_force_by"]
    assert [text for text in done["warnings"] if "not be in force everywhere" in text]
    assert tenant.info()["tenant"]["in_force_by"]
    tenant.online.clock.advance(1801)
    later = tenant.locked()
    assert "in_force_by" not in later["tenant"]
    assert not later.get("warnings")
    assert "in_force_by" not in tenant.info()["tenant"]


def test_a_wide_range_becomes_networks_of_24_bits(tenant: Tenant) -> None:
    tenant.locked(
        **{**BY_ADDRESS, "provider_certificate": None, "provider_ranges": ["198.51.100.0/23"]}
    )
    addresses = connectors(tenant)["hafen by address"]["SenderIPAddresses"]
    assert addresses == ["198.51.100.0/24", "198.51.101.0/24"]


def test_a_connector_of_a_colleague_is_adopted(tenant: Tenant) -> None:
    tenant.online.tenant.inbound(
        "From the filter",
        SenderDomains=["smtp:*;1"],
        TlsSenderCertificateName=CERTIFICATE,
        RestrictDomainsToCertificate=False,
    )
    done = tenant.locked()
    assert list(connectors(tenant)) == ["From the filter"]
    assert done["plan"][0] == (
        "Change the inbound connector 'From the filter': restrict_domains_to_certificate true."
    )


def test_from_addresses_to_a_certificate_the_new_connector_comes_first(tenant: Tenant) -> None:
    tenant.locked(**{**BY_ADDRESS, "provider_certificate": None})
    done = tenant.locked()
    assert [sentence.split(":")[0] for sentence in done["plan"]] == [
        "Create the inbound connector 'hafen by certificate'",
        "Remove the inbound connector 'hafen by address'.",
    ]
    assert done["state"] == "in order"
    assert list(connectors(tenant)) == ["hafen by certificate"]


def test_enhanced_filtering_is_set_where_it_is_asked_for(tenant: Tenant) -> None:
    tenant.locked(enhanced_filtering="last_hop")
    assert connectors(tenant)["hafen by certificate"]["EFSkipLastIP"] is True
    tenant.locked()
    assert connectors(tenant)["hafen by certificate"]["EFSkipLastIP"] is True
    tenant.locked(enhanced_filtering="provider_ranges", provider_ranges=RANGES)
    row = connectors(tenant)["hafen by certificate"]
    assert (row["EFSkipLastIP"], row["EFSkipIPs"]) == (False, RANGES)


# ---------------------------------------------------------------- the other ways


def test_direct_send_alone_leaves_direct_delivery_open(tenant: Tenant) -> None:
    done = tenant.locked(method="none", provider_certificate=None, reject_direct_send=True)
    assert done["plan"] == ["Set RejectDirectSend to true (was false)."]
    assert done["state"] == "open"
    assert [text for text in done["strangers"]["after"] if "Direct Send" in text] == []


def test_a_rule_is_looked_at_before_it_is_in_force(tenant: Tenant) -> None:
    start = tenant.dump()
    options = {"method": "rule", "provider_ranges": RANGES, "provider_certificate": None}
    audit = tenant.locked(**options)
    assert audit["state"] == "open"
    (rule,) = rules(tenant).values()
    assert (rule["Mode"], rule["State"], rule["Quarantine"]) == ("Audit", "Enabled", True)
    assert (rule["FromScope"], rule["ExceptIfSenderIpRanges"]) == ("NotInOrganization", RANGES)
    assert (rule["ExceptIfMessageTypeMatches"], rule["Priority"]) == ("Voicemail", 0)
    assert not tenant.locked(**options)["changed"]

    enforced = tenant.locked(rule_mode="enforce", **options)
    assert enforced["plan"][0].endswith("': mode Enforce.")
    assert enforced["state"] == "unknown", "a header that anybody can write gets past it"
    assert "rule_can_be_passed" in ids(enforced)
    assert tenant.info(provider_ranges=RANGES)["state"] == "unknown"
    accepting = {**options, "accept_risks": ["rule_can_be_passed"]}
    assert tenant.locked(rule_mode="enforce", **accepting)["state"] == "in order"
    assert rules(tenant)[rule["Name"]]["Mode"] == "Enforce"
    assert "quarantined by the rule" in enforced["exposure"]["words"][-3]

    rules(tenant)[rule["Name"]]["State"] = "Disabled"
    drifted = tenant.locked(rule_mode="enforce", **options)
    assert drifted["strangers"]["before"]
    assert rules(tenant)[rule["Name"]]["State"] == "Enabled"

    assert not tenant.rollback("original")["failed"]
    assert tenant.dump() == start


def test_a_rule_with_one_more_condition_locks_nothing(tenant: Tenant) -> None:
    options = {"method": "rule", "provider_ranges": RANGES, "provider_certificate": None}
    tenant.locked(rule_mode="enforce", **options)
    (rule,) = rules(tenant).values()
    rule["ExceptIfSubjectContainsWords"] = ["invoice"]
    assert tenant.locked(check=True, rule_mode="enforce", **options)["state"] == "open"


# ---------------------------------------------------------------- guards


def hybrid(tenant: Tenant, **values: t.Any) -> None:
    tenant.online.tenant.inbound(
        "Inbound from hafen",
        ConnectorType="OnPremises",
        ConnectorSource="HybridWizard",
        SenderDomains=["smtp:*;1"],
        TlsSenderCertificateName=OWN,
        CloudServicesMailEnabled=True,
        **values,
    )


def test_own_servers_that_nobody_named_are_not_shut_out(tenant: Tenant) -> None:
    hybrid(tenant)
    start = tenant.dump()
    stopped = tenant.lock()
    assert stopped["failed"]
    assert "on_premises_shut_out" in ids(stopped)
    assert f"certificate {OWN}" in stopped["msg"]
    assert tenant.dump() == start


def test_whom_a_connector_of_the_own_servers_knows_may_get_past_the_lock(tenant: Tenant) -> None:
    """Whether it does is unverified, and the lab can do either."""
    tenant.locked()
    tenant.online.tenant.on_premises_first = True
    row = tenant.online.tenant.inbound(
        "Scanner", ConnectorType="OnPremises", SenderIPAddresses=["203.0.113.0/24"]
    )
    recipient = "postmaster@hafen.example"
    hop = Hop("203.0.113.9", tls=True)
    assert answer([tenant.online.tenant], hop, "a@elsewhere.example", recipient) == ACCEPTED
    accepting = {"accept_risks": ["on_premises_shut_out"]}
    told = tenant.locked(**accepting)
    assert told["state"] == "unknown"
    (sentence,) = (
        finding["sentence"] for finding in told["guards"] if finding["id"] == "on_premises_unnamed"
    )
    assert "'Scanner' of the type OnPremises knows 203.0.113.0/24" in sentence
    assert tenant.info(provider_certificate="*.filter.example")["state"] == "unknown"
    accepting["accept_risks"].append("on_premises_unnamed")
    assert tenant.locked(**accepting)["state"] == "in order"
    row["Enabled"] = False
    assert tenant.locked()["state"] == "in order"


def test_own_servers_by_another_certificate_need_two_connectors(tenant: Tenant) -> None:
    hybrid(tenant)
    wizards = dict(connectors(tenant)["Inbound from hafen"])
    stopped = tenant.lock(on_premises_certificate=OWN)
    assert stopped["failed"]
    assert ids(stopped) >= {"no_safe_order"}

    done = tenant.locked(on_premises_certificate=OWN, accept_risks=["no_safe_order"])
    assert done["state"] == "in order"
    assert "on_premises_shut_out" not in ids(done)
    assert connectors(tenant)["Inbound from hafen"] == wizards
    assert set(connectors(tenant)) == {
        "Inbound from hafen",
        "hafen by certificate",
        "hafen by certificate 2",
    }
    assert not tenant.locked(on_premises_certificate=OWN)["changed"]


def test_all_by_address_is_one_connector(tenant: Tenant) -> None:
    hybrid(tenant, SenderIPAddresses=["192.0.2.10"])
    done = tenant.locked(
        **{**BY_ADDRESS, "provider_certificate": None}, on_premises_ranges=["192.0.2.10"]
    )
    assert done["state"] == "in order"
    assert connectors(tenant)["hafen by address"]["SenderIPAddresses"] == [
        "192.0.2.10/32",
        *RANGES,
    ]


def test_a_provider_whom_an_older_lock_refuses_is_told(tenant: Tenant) -> None:
    tenant.online.tenant.inbound(
        "Old filter",
        SenderDomains=["smtp:*;1"],
        RestrictDomainsToCertificate=True,
        TlsSenderCertificateName="*.other.example",
    )
    hop, recipient = Hop("198.51.100.7", tls=True, subject="mx1.filter.example"), "a@hafen.example"
    tenant.online.tenant.recipients.add(recipient)
    assert answer([tenant.online.tenant], hop, "a@bank.example", recipient) != ACCEPTED
    start = tenant.dump()
    stopped = tenant.lock(method="none", reject_direct_send=True)
    assert stopped["failed"]
    assert "provider_shut_out" in ids(stopped)
    assert tenant.dump() == start


def test_each_guard_has_a_test() -> None:
    """Each is named in a file about tenants, by what makes it speak."""
    files = pathlib.Path(__file__).parent.glob("test_exchange_online_*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    assert [name for name in GUARDS if f'"{name}"' not in text] == []


@pytest.mark.parametrize(
    ("guard", "options"),
    [
        ("mx_here", {"mx_hosts": ["hafen-example.mail.protection.outlook.com"]}),
        ("mx_here", {"mx_hosts": ["mx1.filter.example", "hafen-example.a1b2.mx.microsoft."]}),
        ("mx_unknown", {"mx_hosts": []}),
        (
            "ipv6_shut_out",
            {"provider_certificate": None, "provider_ranges": [*RANGES, "2001:db8:100::/48"]},
        ),
        ("range_too_wide", {"provider_certificate": None, "provider_ranges": ["64.0.0.0/9"]}),
        ("private_range", {"provider_certificate": None, "provider_ranges": ["10.1.0.0/24"]}),
    ],
)
def test_a_guard_stops_the_lock(tenant: Tenant, guard: str, options: dict[str, t.Any]) -> None:
    start = tenant.dump()
    stopped = tenant.lock(**options)
    assert stopped["failed"]
    assert guard in ids(stopped), stopped["msg"]
    assert "Nothing was changed." in stopped["msg"]
    assert tenant.dump() == start


def test_an_open_tenant_that_is_in_order_needs_no_mx(tenant: Tenant) -> None:
    tenant.locked()
    assert not tenant.locked(mx_hosts=[])["changed"]


def test_what_another_connector_lets_in_is_a_stranger(tenant: Tenant) -> None:
    tenant.online.tenant.inbound(
        "Old filter",
        SenderDomains=["smtp:*;1"],
        RestrictDomainsToIPAddresses=True,
        SenderIPAddresses=["203.0.113.0/24"],
    )
    done = tenant.locked()
    assert done["state"] == "open"
    assert done["strangers"]["after"] == [
        "203.0.113.0/24 may deliver past the filter, by the connector 'Old filter', and the "
        "description names them nowhere."
    ]


def test_a_connector_for_some_domains_leaves_the_others_open(tenant: Tenant) -> None:
    tenant.online.tenant.inbound(
        "Pilot",
        SenderDomains=["smtp:*;1"],
        RestrictDomainsToCertificate=True,
        TlsSenderCertificateName="*.other.example",
        AssociatedAcceptedDomains=["hafen.example"],
    )
    told = tenant.locked(check=True)
    assert told["state"] == "open"
    assert "mail to hafen-lab.onmicrosoft.com" in told["strangers"]["before"][0]


@pytest.mark.parametrize(
    "part",
    [{"AssociatedAcceptedDomains": ["hafen.example"]}, {"SenderDomains": ["smtp:bank.example;1"]}],
)
def test_who_gets_past_a_lock_by_a_connector_for_a_part_is_a_stranger(
    tenant: Tenant, part: dict[str, t.Any]
) -> None:
    tenant.locked()
    tenant.online.tenant.inbound(
        "Pilot",
        **{"SenderDomains": ["smtp:*;1"], **part},
        RestrictDomainsToIPAddresses=True,
        SenderIPAddresses=["203.0.113.0/24"],
    )
    hop, recipient = Hop("203.0.113.9", tls=True), "postmaster@hafen.example"
    assert answer([tenant.online.tenant], hop, "a@bank.example", recipient) == ACCEPTED
    assert tenant.info(provider_certificate=CERTIFICATE)["state"] == "open"
    told = tenant.locked(check=True)
    assert told["state"] == "open"
    assert told["strangers"]["before"] == [
        "203.0.113.0/24 may deliver past the filter, by the connector 'Pilot', and the description "
        "names them nowhere."
    ]


def test_bypasses_are_told(tenant: Tenant) -> None:
    tenant.online.tenant.rows("HostedConnectionFilterPolicy")[0]["IPAllowList"] = ["192.0.2.0/24"]
    tenant.online.tenant.rows("PerimeterConfig")[0]["GatewayIPAddresses"] = ["192.0.2.9"]
    told = tenant.locked()
    bypasses = [
        finding["sentence"] for finding in told["guards"] if finding["id"] == "filter_bypass"
    ]
    assert len(bypasses) == 2
    assert "IPAllowList" in bypasses[0]


def test_a_part_that_is_not_read_is_not_in_order(tenant: Tenant) -> None:
    tenant.locked()
    tenant.online.arm(forbidden={"Get-PerimeterConfig"})
    told = tenant.locked()
    assert told["state"] == "unknown"
    assert "not_all_read" in ids(told)
    accepted = tenant.locked(accept_risks=["not_all_read"])
    assert accepted["state"] == "in order"


def test_a_warning_beside_an_answer_is_not_taken_for_all_of_it(tenant: Tenant) -> None:
    tenant.locked()
    tenant.online.arm(warn={"Get-InboundConnector": ["There are more results available."]})
    assert tenant.locked()["state"] == "unknown"


def test_a_wizards_connector_is_never_changed(tenant: Tenant) -> None:
    tenant.online.tenant.inbound("hafen by certificate", ConnectorSource="HybridWizard")
    start = tenant.dump()
    stopped = tenant.lock(accept_risks=["hybrid_connector"])
    assert stopped["failed"]
    assert "hybrid_connector" in ids(stopped)
    assert tenant.dump() == start


def test_later_changes_are_kept_where_a_run_undoes_its_own(tenant: Tenant) -> None:
    done = tenant.locked()
    connectors(tenant)["hafen by certificate"]["RequireTls"] = False
    back = tenant.rollback(done["snapshot"]["name"], keep_later_changes=True)
    assert not back["failed"]
    assert "hafen by certificate" in connectors(tenant)
    assert "was changed after the run" in back["not_restored"][0]
    assert tenant.online.tenant.organization["RejectDirectSend"] is False


def test_a_snapshot_of_another_tenant_is_passed_over(tenant: Tenant) -> None:
    content = tenant.locked()["snapshot"]["content"]
    other = content.replace(tenant.online.tenant.id, "11111111-2222-3333-4444-555555555555")
    refused = tenant.rollback(content=other)
    assert refused["failed"]
    assert "11111111-2222-3333-4444-555555555555" in refused["msg"]
    assert not tenant.rollback(content=content)["failed"]
