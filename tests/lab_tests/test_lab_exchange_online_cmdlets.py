# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cmdlets of the lab's Exchange Online: what they take, refuse and read back (facts
exchange_online §1.2 to §1.5; where a document says more than the facts, it is named).
"""

from __future__ import annotations

import copy
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.connectors import (
    CREATED_DISABLED,
    NO_CONNECTORS,
    STAYS_DISABLED,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import ExchangeOnline
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.tenant import (
    E5_DEVELOPER,
    RESTRICTED,
)
from ansible_collections.mailedge.lockdown.tests.support.exchange_online import (
    Answer,
    ask,
    invoke,
    token_of,
)

FIXTURES = os.environ.get("MAILEDGE_FIXTURES", "")
Values = dict[str, t.Any]
Do = t.Callable[..., Answer]
PARTNER: Values = {
    "Name": "filter",
    "ConnectorType": "Partner",
    "SenderDomains": ["*"],
    "SenderIPAddresses": ["198.51.100.0/24"],
    "RestrictDomainsToIPAddresses": True,
}
RULE: Values = {
    "Name": "only the filter",
    "FromScope": "NotInOrganization",
    "ExceptIfSenderIpRanges": ["198.51.100.0/24"],
    "Quarantine": True,
    "Mode": "Audit",
}


@pytest.fixture(scope="module")
def shared() -> t.Iterator[tuple[ExchangeOnline, str]]:
    with ExchangeOnline() as running:
        yield running, token_of(running, running.writer)


@pytest.fixture
def online(shared: tuple[ExchangeOnline, str]) -> t.Iterator[ExchangeOnline]:
    """One lab for all tests here, as it was at first for each."""
    running, _token = shared
    held = copy.deepcopy(running.tenant.tables)
    subscription = running.tenant.subscription
    yield running
    running.tenant.tables, running.tenant.subscription = held, subscription
    running.tenant.changed()


@pytest.fixture
def do(shared: tuple[ExchangeOnline, str], online: ExchangeOnline) -> Do:
    def call(cmdlet: str, **parameters: t.Any) -> Answer:
        return ask(online, invoke(online, cmdlet, parameters), token=shared[1])

    return call


def refusal(answer: Answer) -> str:
    return answer.error[1]


# ---------------------------------------------------------------- inbound connectors


def test_a_new_connector_reads_back_as_the_service_writes_it(do: Do) -> None:
    """§1.2: `smtp:*;1`; ScubaGear's sample: the names of all properties."""
    (made,) = do("New-InboundConnector", **PARTNER).rows
    (row,) = do("Get-InboundConnector").rows
    assert row == made
    assert (row["SenderDomains"], row["RequireTls"], row["Enabled"]) == (["smtp:*;1"], True, True)
    assert (row["ConnectorSource"], row["TlsSenderCertificateName"]) == ("Default", None)
    assert row["DistinguishedName"].startswith("CN=filter,CN=Transport Settings,CN=Configuration,")


def test_set_changes_what_is_named_and_nothing_else(do: Do) -> None:
    (before,) = do("New-InboundConnector", **PARTNER).rows
    assert do("Set-InboundConnector", Identity="FILTER", Comment="by hand").rows == []
    (after,) = do("Get-InboundConnector", Identity=before["Guid"]).rows
    changed = {name for name in after if after[name] != before[name]}
    assert changed <= {"Comment", "WhenChanged", "WhenChangedUTC"}
    do("Set-InboundConnector", Identity="filter", Name="the filter")
    assert do("Get-InboundConnector", Identity="the filter").rows[0]["Guid"] == before["Guid"]
    assert "couldn't be found" in refusal(do("Get-InboundConnector", Identity="filter"))


def test_lists_are_replaced_or_changed_by_a_hash_table(do: Do) -> None:
    """§1.5: without its type, a hash table does not bind."""
    do("New-InboundConnector", **PARTNER)

    def held() -> list[str]:
        return t.cast("list[str]", do("Get-InboundConnector").rows[0]["SenderIPAddresses"])

    table = {"@odata.type": "#Exchange.GenericHashTable", "Add": ["203.0.113.7"]}
    do("Set-InboundConnector", Identity="filter", SenderIPAddresses=table)
    assert held() == ["198.51.100.0/24", "203.0.113.7"]
    table = {**table, "Add": [], "Remove": ["198.51.100.0/24"]}
    do("Set-InboundConnector", Identity="filter", SenderIPAddresses=table)
    assert held() == ["203.0.113.7"]
    del table["@odata.type"]
    refused = do("Set-InboundConnector", Identity="filter", SenderIPAddresses=table)
    assert refused.error[0] == "ParameterBindingArgumentTransformationException"
    do("Set-InboundConnector", Identity="filter", SenderIPAddresses=["203.0.113.8", "203.0.113.8"])
    assert held() == ["203.0.113.8"]


@pytest.mark.parametrize("address", ["198.51.100.7", "198.51.100.0/24", "198.51.100.9/25"])
def test_senders_may_be_single_or_up_to_256(do: Do, address: str) -> None:
    assert do("New-InboundConnector", **{**PARTNER, "SenderIPAddresses": [address]}).status == 200


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"SenderIPAddresses": ["198.51.100.0/23"]}, "/24 through /32"),
        ({"SenderIPAddresses": ["2001:db8::/64"]}, "IPv6"),
        ({"SenderIPAddresses": ["198.51.100.1-198.51.100.9"]}, "isn't valid"),
        ({"SenderIPAddresses": ["mx.filter.example"]}, "isn't valid"),
        ({"SenderIPAddresses": []}, "must specify SenderIPAddresses"),
        ({"SenderDomains": ["mail.*.example"]}, "Embedded wildcards"),
        ({"SenderDomains": []}, "missing mandatory parameters: SenderDomains"),
        ({"RestrictDomainsToCertificate": True}, "must specify TlsSenderCertificateName"),
        (
            {
                "RestrictDomainsToCertificate": True,
                "TlsSenderCertificateName": "*.filter.example",
                "RequireTls": False,
            },
            "RequireTls to true",
        ),
        ({"TlsSenderCertificateName": "mx.*.example"}, "isn't a valid value"),
        ({"EFSkipIPs": ["10.0.0.1"]}, "isn't allowed"),
        ({"EFSkipIPs": ["40.92.1.0/24"]}, "isn't allowed"),
        ({"AssociatedAcceptedDomains": ["else.example"]}, "couldn't be found in your organization"),
        (
            {"TreatMessagesAsInternal": True, "CloudServicesMailEnabled": True},
            "TreatMessagesAsInternal can't be set to true",
        ),
        ({"ConnectorType": "Friend"}, "try again: OnPremises, Partner"),
        ({"RequireTls": "true"}, "Boolean parameters accept only"),
        ({"Name": None}, "missing mandatory parameters: Name"),
        ({"Name": "x" * 65}, "too long"),
        ({"Colour": "blue"}, "matches parameter name 'Colour'"),
    ],
)
def test_what_a_connector_does_not_take(
    online: ExchangeOnline, do: Do, values: Values, words: str
) -> None:
    held = json.dumps(online.tenant.tables)
    assert words in refusal(do("New-InboundConnector", **{**PARTNER, **values}))
    assert json.dumps(online.tenant.tables) == held


def test_a_refused_change_changes_nothing(online: ExchangeOnline, do: Do) -> None:
    do("New-InboundConnector", **PARTNER)
    held = json.dumps(online.tenant.tables)
    refused = do("Set-InboundConnector", Identity="filter", Comment="x", SenderIPAddresses=["::1"])
    assert "IPv6" in refusal(refused)
    assert do("Set-InboundConnector", Identity="filter", Comment="x", WhatIf=True).rows == []
    assert "already exists" in refusal(do("New-InboundConnector", **PARTNER))
    assert json.dumps(online.tenant.tables) == held


def test_the_type_has_to_be_said(do: Do) -> None:
    """§1.2: send it explicitly; here, who does not gets the one that refuses nobody."""
    values = {name: value for name, value in PARTNER.items() if name != "ConnectorType"}
    assert do("New-InboundConnector", **values).rows[0]["ConnectorType"] == "OnPremises"


def test_nothing_is_done_that_asks_to_be_confirmed(online: ExchangeOnline, do: Do) -> None:
    """Microsoft's module: a call that removes, or says `Confirm`, is answered well, with what it
    would do, and has done nothing; §1.2: send `Confirm: false` for Remove-.
    """
    asked = do("New-InboundConnector", **PARTNER, Confirm=True)
    assert (asked.rows, asked.document["@adminapi.confirmationmessage"]) == (
        [],
        "New-InboundConnector on 'filter'",
    )
    assert do("Get-InboundConnector").rows == []
    do("New-InboundConnector", **PARTNER)
    held = json.dumps(online.tenant.tables)
    for more in ({}, {"Confirm": True}, {"WhatIf": True, "Confirm": False}):
        asked = do("Remove-InboundConnector", Identity="filter", **more)
        assert "@adminapi.confirmationmessage" in asked.document
    assert "couldn't be found" in refusal(do("Remove-InboundConnector", Identity="nobody"))
    assert json.dumps(online.tenant.tables) == held
    done = do("Remove-InboundConnector", Identity="filter", Confirm=False)
    assert "@adminapi.confirmationmessage" not in done.document
    assert do("Get-InboundConnector").rows == []


def test_a_developer_subscription_gets_no_connector(online: ExchangeOnline, do: Do) -> None:
    """§1.2: New-InboundConnector in Microsoft 365 E5 developer subscriptions."""
    online.tenant.subscription = E5_DEVELOPER
    assert refusal(do("New-InboundConnector", **PARTNER)) == NO_CONNECTORS
    assert do("New-TransportRule", **RULE).status == 200


def test_some_subscriptions_get_disabled_connectors(online: ExchangeOnline, do: Do) -> None:
    """Microsoft's FAQ on inbound connectors: created disabled, with a warning, and stays so."""
    online.tenant.subscription = RESTRICTED
    made = do("New-InboundConnector", **{**PARTNER, "ConnectorType": "OnPremises"})
    assert made.document["@adminapi.warnings"] == [CREATED_DISABLED]
    assert made.rows[0]["Enabled"] is False
    again = do("Set-InboundConnector", Identity="filter", Enabled=True)
    assert again.document["@adminapi.warnings"] == [STAYS_DISABLED]
    assert "value" not in again.document
    assert do("Get-InboundConnector").rows[0]["Enabled"] is False
    assert do("New-InboundConnector", **{**PARTNER, "Name": "b"}).rows[0]["Enabled"] is True


# ---------------------------------------------------------------- transport rules


def test_a_rule_as_providers_recommend_it(do: Do) -> None:
    """§1.4: the exceptions that everybody needs."""
    recipe = {
        **RULE,
        "SenderAddressLocation": "Header",
        "SetSCL": 6,
        "ExceptIfMessageTypeMatches": "Voicemail",
        "ExceptIfHeaderContainsMessageHeader": "x-ms-exchange-meetingforward-message",
        "ExceptIfHeaderContainsWords": ["Forward"],
        "Priority": 0,
    }
    do("New-TransportRule", **recipe)
    (row,) = do("Get-TransportRule").rows
    assert {name: row[name] for name in recipe} == recipe
    assert (row["State"], row["Priority"], row["SenderIpRanges"]) == ("Enabled", 0, None)
    tasks = "Microsoft.Exchange.MessagingPolicies.Rules.Tasks."
    assert row["Conditions"] == [f"{tasks}FromScopePredicate"]
    assert f"{tasks}HeaderContainsPredicate" in row["Exceptions"]
    assert row["Actions"] == [f"{tasks}QuarantineAction", f"{tasks}SetSCLAction"]


def test_rules_have_an_order(do: Do) -> None:
    for name in ("a", "b", "c"):
        do("New-TransportRule", **{**RULE, "Name": name})

    def names() -> list[str]:
        rows = do("Get-TransportRule").rows
        assert [row["Priority"] for row in rows] == list(range(len(rows)))
        return [row["Name"] for row in rows]

    assert names() == ["a", "b", "c"]
    do("Set-TransportRule", Identity="c", Priority=0)
    assert names() == ["c", "a", "b"]
    do("New-TransportRule", **{**RULE, "Name": "d", "Priority": 1})
    assert names() == ["c", "d", "a", "b"]
    do("Remove-TransportRule", Identity="c", Confirm=False)
    assert names() == ["d", "a", "b"]
    assert "between 0 and 2" in refusal(do("Set-TransportRule", Identity="a", Priority=3))


def test_a_rule_is_switched_by_cmdlets_of_their_own(do: Do) -> None:
    """New- knows `Enabled`, Set- does not; Enable- takes a mode."""
    do("New-TransportRule", **{**RULE, "Enabled": False})
    assert do("Get-TransportRule").rows[0]["State"] == "Disabled"
    refused = do("Set-TransportRule", Identity=RULE["Name"], Enabled=True)
    assert "matches parameter name 'Enabled'" in refusal(refused)
    do("Enable-TransportRule", Identity=RULE["Name"], Mode="Enforce")
    (row,) = do("Get-TransportRule", State="Enabled").rows
    assert row["Mode"] == "Enforce"
    do("Disable-TransportRule", Identity=RULE["Name"])
    assert do("Get-TransportRule", State="Enabled").rows == []


def test_a_condition_is_cleared_by_nothing(do: Do) -> None:
    do("New-TransportRule", **RULE)
    do("Set-TransportRule", Identity=RULE["Name"], ExceptIfSenderIpRanges=None)
    assert do("Get-TransportRule").rows[0]["ExceptIfSenderIpRanges"] is None
    do("Set-TransportRule", Identity=RULE["Name"], Mode="Enforce", FromScope=None)
    (row,) = do("Get-TransportRule").rows
    assert (row["Mode"], row["FromScope"], row["Conditions"]) == ("Enforce", None, None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"Quarantine": False}, "at least one action"),
        ({"Mode": "Perhaps"}, "Audit, AuditAndNotify, Enforce"),
        ({"ExceptIfSenderIpRanges": ["198.51.100.9-198.51.100.1"]}, "isn't valid"),
        ({"ExceptIfSenderIpRanges": ["filter.example"]}, "isn't valid"),
        ({"ExceptIfHeaderContainsWords": ["Forward"]}, "together"),
        ({"SetSCL": 10}, "-1 through 9"),
        ({"RejectMessageEnhancedStatusCode": "5.1.1"}, "5.7.900 through 5.7.999"),
        ({"RouteMessageOutboundConnector": "nowhere"}, "couldn't be found"),
        (
            {"ExceptIfSenderIpRanges": [f"198.51.100.{n}-198.51.100.{n}" for n in range(256)]},
            "too large",
        ),
        ({"Name": ""}, "missing mandatory parameters: Name"),
    ],
)
def test_what_a_rule_does_not_take(
    online: ExchangeOnline, do: Do, values: Values, words: str
) -> None:
    held = json.dumps(online.tenant.tables)
    assert words in refusal(do("New-TransportRule", **{**RULE, **values}))
    assert json.dumps(online.tenant.tables) == held


def test_there_are_only_so_many_rules(online: ExchangeOnline, do: Do) -> None:
    """The sample's TransportRuleLimit: 300."""
    do("New-TransportRule", **RULE)
    (row,) = online.tenant.rows("TransportRule")
    online.tenant.tables["TransportRule"] = [{**row, "Name": f"r{n}"} for n in range(300)]
    assert "limit of 300" in refusal(do("New-TransportRule", **RULE))


# ---------------------------------------------------------------- settings and lists


def test_direct_send_is_rejected_by_a_setting(online: ExchangeOnline, do: Do) -> None:
    """§1.3; proof_and_cloud §3.1: off by default, and absent is not true."""
    assert do("Get-OrganizationConfig").rows[0]["RejectDirectSend"] is False
    assert do("Set-OrganizationConfig", RejectDirectSend=True).rows == []
    assert do("Get-OrganizationConfig").rows[0]["RejectDirectSend"] is True
    del online.tenant.organization["RejectDirectSend"]
    assert "RejectDirectSend" not in do("Get-OrganizationConfig").rows[0]
    assert "cannot be found" in refusal(do("Set-OrganizationConfig", RejectDirectSend=True))
    assert "cannot be found" in refusal(do("Get-OrganizationConfig", ResultSize="Unlimited"))


def test_the_lists_that_let_mail_past_the_filter(do: Do) -> None:
    """§1.2: allow list and perimeter; Set-HostedConnectionFilterPolicy's and
    Set-PerimeterConfig's own examples.
    """
    lists = ["198.51.100.7", "198.51.100.0/24", "203.0.113.1-203.0.113.5"]
    do("Set-HostedConnectionFilterPolicy", Identity="Default", IPAllowList=lists)
    assert do("Get-HostedConnectionFilterPolicy").rows[0]["IPAllowList"] == lists
    for wrong in ("198.51.100.0/23", "2001:db8::1", "x"):
        refused = do("Set-HostedConnectionFilterPolicy", Identity="Default", IPAllowList=[wrong])
        assert "isn't valid" in refusal(refused)
    do("Set-PerimeterConfig", GatewayIPAddresses=["203.0.113.9"])
    assert do("Get-PerimeterConfig").rows[0]["GatewayIPAddresses"] == ["203.0.113.9"]
    refused = do("Set-PerimeterConfig", GatewayIPAddresses=["203.0.113.0/24"])
    assert "isn't a valid IPv4 address" in refusal(refused)


def test_outbound_connectors_have_the_properties_of_2026(do: Do) -> None:
    """proof_and_cloud §3.1: MtaStsMode and SmtpDaneMode."""
    refused = do("New-OutboundConnector", Name="out", UseMXRecord=False)
    assert "must specify SmartHosts" in refusal(refused)
    do("New-OutboundConnector", Name="out", UseMXRecord=False, SmartHosts=["out.filter.example"])
    (row,) = do("Get-OutboundConnector").rows
    assert (row["MtaStsMode"], row["SmtpDaneMode"]) == ("Opportunistic", "Opportunistic")
    do("Set-OutboundConnector", Identity="out", MtaStsMode="Mandatory")
    assert do("Get-OutboundConnector").rows[0]["MtaStsMode"] == "Mandatory"
    do("Remove-OutboundConnector", Identity="out", Confirm=False)
    assert do("Get-OutboundConnector").rows == []


def test_a_change_is_in_force_later(online: ExchangeOnline, do: Do) -> None:
    """§1.3: up to 30 minutes; what is read is new at once."""
    do("Set-OrganizationConfig", RejectDirectSend=True)
    assert do("Get-OrganizationConfig").rows[0]["RejectDirectSend"] is True

    def in_force() -> bool:
        return bool(online.tenant.in_force()["OrganizationConfig"][0]["RejectDirectSend"])

    online.clock.advance(1790)
    assert in_force() is False
    online.clock.advance(20)
    assert in_force() is True


# ---------------------------------------------------------------- shapes


@pytest.mark.skipif(not FIXTURES, reason="no real objects: set MAILEDGE_FIXTURES")
def test_objects_have_the_properties_of_real_ones(do: Do) -> None:
    """The sample of a tenant that ScubaGear publishes: names and types."""
    text = pathlib.Path(FIXTURES, "exchange_online_sample.json").read_text(encoding="utf-8")
    sample = json.loads(text)
    do("New-InboundConnector", **PARTNER)
    do("New-TransportRule", **RULE)
    whole = {
        "inbound_connectors": "InboundConnector",
        "transport_rule": "TransportRule",
        "accepted_domains": "AcceptedDomain",
        "conn_filter": "HostedConnectionFilterPolicy",
    }
    parts = {"org_config": "OrganizationConfig", "transport_config": "TransportConfig"}
    for key, noun in {**whole, **parts}.items():
        real, row = sample[key][0], do(f"Get-{noun}").rows[0]
        shown = {name: value for name, value in row.items() if "@" not in name}
        if key in whole:
            assert set(shown) == set(real), noun
        for name in set(shown) & set(real):
            kinds = {type(shown[name]), type(real[name])} - {type(None)}
            assert len(kinds) < 2, (noun, name)


def test_a_hybrid_site_as_it_is(online: ExchangeOnline, do: Do) -> None:
    """What HybridWizard leaves, and what people add: facts §1.2, proof_and_cloud §3.1."""
    online.seed_hybrid()
    sources = {row["Name"]: row["ConnectorSource"] for row in do("Get-InboundConnector").rows}
    assert sources == {f"Inbound from {online.tenant.id}": "HybridWizard", "printers": "AdminUI"}
    (out,) = do("Get-OutboundConnector").rows
    assert (out["ConnectorSource"], out["RecipientDomains"]) == ("HybridWizard", ["hafen.example"])
    assert [row["SetSCL"] for row in do("Get-TransportRule").rows] == [None, -1]
    assert do("Get-PerimeterConfig").rows[0]["GatewayIPAddresses"] == ["203.0.113.25"]
    assert do("Get-HostedConnectionFilterPolicy").rows[0]["IPAllowList"] == ["198.51.100.0/24"]
    online.api.numbers_as_text = True
    try:
        assert [row["SetSCL"] for row in do("Get-TransportRule").rows] == [None, "-1"]
    finally:
        online.api.numbers_as_text = False
