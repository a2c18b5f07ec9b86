# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_edge_names against the lab's DNS server: which names there are to look at, what DNS says of
them, and that a failure of DNS is never taken for a name that is not there.
"""

from __future__ import annotations

import time
import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.resolver import (
    FOUND,
    NO_DATA,
    NOT_THERE,
    UNKNOWN,
    DnsError,
    Resolver,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.task import (
    ARGUMENTS,
    OptionError,
    look_up,
)
from ansible_collections.mailedge.lockdown.tests.lab.names import NameServer
from ansible_collections.mailedge.lockdown.tests.support.names import (
    DOMAIN,
    FILTER,
    SERVER,
    SERVER_6,
    a_site,
    options,
    running,
)


@pytest.fixture
def dns() -> t.Iterator[NameServer]:
    with running() as server:
        yield server


def ask(server: NameServer, **more: t.Any) -> dict[str, t.Any]:
    checked = ArgumentSpecValidator(ARGUMENTS).validate(options(server, **more))
    assert not checked.error_messages, checked.error_messages
    return look_up(checked.validated_parameters)


def of(result: dict[str, t.Any], identity: str, about: str = "") -> list[tuple[str, str]]:
    """Severity and sentence of the findings of one kind."""
    return [
        (str(each["severity"]), str(each["sentence"]))
        for each in result["findings"]
        if each["id"] == identity and about in each["about"]
    ]


def name(result: dict[str, t.Any], text: str) -> dict[str, t.Any]:
    entries: list[dict[str, t.Any]] = [each for each in result["names"] if each["name"] == text]
    assert len(entries) == 1, result["names"]
    return entries[0]


def worst(result: dict[str, t.Any]) -> set[str]:
    return {
        each["id"]
        for each in result["findings"]
        if each["severity"] in ("critical", "unknown", "warning")
    }


def test_a_site_in_order_is_looked_at_by_all_its_names(dns: NameServer) -> None:
    result = ask(dns, smart_hosts=["198.51.100.9", f"smart.{FILTER}"])
    assert worst(result) == set(), result["findings"]
    assert result["state"] == "in order"
    assert result["target_addresses"] == {
        f"mail.{DOMAIN}": [SERVER, SERVER_6],
        f"webmail.{DOMAIN}": [SERVER, SERVER_6],
    }
    assert name(result, f"webmail.{DOMAIN}")["aliases"] == [f"mail.{DOMAIN}"]
    assert not name(result, f"mx1.{FILTER}")["looked_at"]
    assert result["mail_exchangers"] == {
        DOMAIN: {"status": FOUND, "hosts": [f"mx1.{FILTER}", f"mx2.{FILTER}"], "to_tenant": []}
    }
    assert of(result, "ptr", SERVER)[0][0] == "ok"


def test_no_name_is_asked_for_that_is_not_of_the_site(dns: NameServer) -> None:
    ask(dns, server_names=["ex1.branch.example", f"*.{DOMAIN}", "EX1"])
    asked = {question for question, _kind in dns.asked}
    assert "ex1.branch.example" not in asked
    assert not {f"mail.{FILTER}", f"webmail.{FILTER}"} & asked
    assert len(dns.asked) == len(set(dns.asked)), "each question once"


@pytest.mark.parametrize("fault", ["SERVFAIL", "REFUSED", "silent", "lame", "garbage"])
@pytest.mark.parametrize("which", [f"mail.{DOMAIN}", DOMAIN, f"_dmarc.{DOMAIN}"])
def test_what_dns_does_not_answer_is_unknown(dns: NameServer, fault: str, which: str) -> None:
    dns.faults[which] = fault
    result = ask(dns)
    assert result["state"] == "unknown"
    if which == f"mail.{DOMAIN}":
        assert name(result, which)["ipv4"] == name(result, which)["ipv6"] == UNKNOWN
        assert [severity for severity, _text in of(result, "name_unknown", which)] == ["unknown"]
    elif which == DOMAIN:
        assert result["mail_exchangers"][DOMAIN]["status"] == UNKNOWN
        assert of(result, "mx")[0][0] == of(result, "spf")[0][0] == "unknown"
    else:
        assert of(result, "dmarc")[0][0] == "unknown"


@pytest.mark.parametrize("fault", ["SERVFAIL", "REFUSED", "silent", "lame", "garbage"])
def test_a_resolver_that_never_answers_ends_in_time(dns: NameServer, fault: str) -> None:
    dns.faults["*"] = fault
    begun = time.monotonic()
    result = ask(dns, time_limit=5)
    assert time.monotonic() - begun < 8
    assert result["state"] == "unknown"
    assert result["targets"] == []
    assert len(of(result, "name_unknown")) > 10
    assert not [each for each in result["findings"] if each["severity"] == "ok"]


def test_a_resolver_that_is_not_there_is_unknown_and_soon() -> None:
    with running() as server:
        port = server.port
    begun = time.monotonic()
    checked = ArgumentSpecValidator(ARGUMENTS).validate(
        {"domains": [DOMAIN], "resolver": "127.0.0.1", "resolver_port": port, "timeout": 1}
    )
    result = look_up(checked.validated_parameters)
    assert result["state"] == "unknown"
    assert time.monotonic() - begun < 15


def test_an_answer_that_is_cut_is_asked_for_again_over_tcp(dns: NameServer) -> None:
    dns.faults[f"mail.{DOMAIN}"] = "cut"
    assert name(ask(dns), f"mail.{DOMAIN}")["addresses"] == [SERVER, SERVER_6]
    dns.faults[f"mail.{DOMAIN}"] = "cut for good"
    assert name(ask(dns), f"mail.{DOMAIN}")["ipv4"] == UNKNOWN


def test_an_answer_to_another_question_is_none(dns: NameServer) -> None:
    dns.faults[f"mail.{DOMAIN}"] = "other question"
    assert name(ask(dns), f"mail.{DOMAIN}")["ipv4"] == UNKNOWN


def test_nothing_there_and_no_such_record_are_told_apart(dns: NameServer) -> None:
    dns.zones.add(f"smtp.{DOMAIN}", "TXT", '"only this"')
    resolver = Resolver("127.0.0.1", dns.port, seconds=1)
    assert resolver.ask(f"smtp.{DOMAIN}", "A").status == NO_DATA
    assert resolver.ask(f"nobody.{DOMAIN}", "A").status == NOT_THERE
    assert resolver.ask(f"mail.{DOMAIN}", "A").status == FOUND
    assert resolver.ask("two words.example", "A").status == UNKNOWN


@pytest.mark.parametrize("first_alias_only", [False, True])
def test_aliases_are_followed_and_a_circle_is_unknown(
    dns: NameServer, first_alias_only: bool
) -> None:
    dns.first_alias_only = first_alias_only
    dns.zones.add(f"owa.{DOMAIN}", "CNAME", f"webmail.{DOMAIN}.")
    dns.zones.add(f"vpn.{DOMAIN}", "CNAME", f"remote.{DOMAIN}.")
    dns.zones.add(f"remote.{DOMAIN}", "CNAME", f"vpn.{DOMAIN}.")
    dns.zones.add(f"smtp.{DOMAIN}", "CNAME", f"gone.{DOMAIN}.")
    for number in range(12):
        dns.zones.add(f"long{number}.{DOMAIN}", "CNAME", f"long{number + 1}.{DOMAIN}.")
    dns.zones.add(f"relay.{DOMAIN}", "CNAME", f"long0.{DOMAIN}.")
    result = ask(dns)
    owa = name(result, f"owa.{DOMAIN}")
    assert (owa["aliases"], owa["addresses"][0]) == (
        [f"webmail.{DOMAIN}", f"mail.{DOMAIN}"],
        SERVER,
    )
    for circle in ("vpn", "remote"):
        assert name(result, f"{circle}.{DOMAIN}")["ipv4"] == UNKNOWN
    assert f"smtp.{DOMAIN}" not in [each["name"] for each in result["names"]]
    assert "circle" in of(result, "name_unknown", "vpn")[0][1]


def test_a_wildcard_is_told_apart_from_a_server_of_its_own(dns: NameServer) -> None:
    dns.zones.add(f"*.{DOMAIN}", "A", "203.0.113.80")
    dns.zones.add(f"owa.{DOMAIN}", "A", "203.0.113.26")
    result = ask(dns, names=[f"erp.{DOMAIN}"])
    addresses = [
        each
        for addresses_of_name in result["target_addresses"].values()
        for each in addresses_of_name
    ]
    assert sorted(result["targets"]) == sorted(
        f"{label}.{DOMAIN}" for label in ("mail", "webmail", "owa", "exchange", "erp")
    )
    assert addresses.count("203.0.113.80") == 2, "once by a guess, once by the name that is named"
    assert "203.0.113.80" in of(result, "wildcard")[0][1]


def test_names_of_others_are_told_and_not_looked_at(dns: NameServer) -> None:
    zones = dns.zones
    zones.add(f"autodiscover.{DOMAIN}", "CNAME", "autodiscover.outlook.com.")
    zones.add("autodiscover.outlook.com", "A", "192.0.2.99")
    zones.add(f"mx.{DOMAIN}", "CNAME", f"mx1.{FILTER}.")
    zones.add(f"relay.{DOMAIN}", "A", "198.51.100.44")
    zones.add(DOMAIN, "A", "192.0.2.80")
    result = ask(dns, provider_ranges=["198.51.100.0/24"], left_out_names=[DOMAIN])
    assert result["targets"] == [f"mail.{DOMAIN}", f"webmail.{DOMAIN}"]
    assert len(of(result, "alias_elsewhere")) == 2
    assert len(of(result, "not_looked_at")) == 3
    assert result["state"] == "in order"


def test_the_tenants_name_is_a_door_unless_mail_comes_that_way(dns: NameServer) -> None:
    tenant = "hafen-example.mail.protection.outlook.com"
    dns.zones.add(tenant, "A", "192.0.2.104")
    assert tenant in ask(dns)["targets"]
    dns.zones.records[DOMAIN, "MX"] = [f"0 {tenant}."]
    result = ask(dns, mx_suffixes=["mail.protection.outlook.com"])
    assert result["mail_exchangers"][DOMAIN]["to_tenant"] == [tenant]
    assert tenant not in result["targets"]
    assert of(result, "mx")[0][0] == "ok"
    dns.zones.records[DOMAIN, "MX"] = ["0 hafen-example.k-v1.mx.microsoft."]
    assert ask(dns)["mail_exchangers"][DOMAIN]["to_tenant"]


MX: list[tuple[list[str], str, str]] = [
    ([f"10 mx1.{FILTER}.", f"90 mail.{DOMAIN}."], "critical", f"mail.{DOMAIN}"),
    ([f"10 mail.{DOMAIN}."], "critical", "goes past the filter"),
    ([f"10 mx1.{FILTER}.other.example."], "critical", "goes past the filter"),
    ([f"10 not{FILTER}."], "critical", "goes past the filter"),
    (["0 ."], "ok", "null MX"),
    ([], "critical", "no MX record"),
    ([f"10 mx.{DOMAIN}."], "ok", "filtering provider alone"),
]


@pytest.mark.parametrize(("records", "severity", "words"), MX)
def test_mx_leads_to_the_provider_and_nowhere_else(
    dns: NameServer, records: list[str], severity: str, words: str
) -> None:
    dns.zones.records.pop((DOMAIN, "MX"))
    if records:
        dns.zones.add(DOMAIN, "MX", *records)
    dns.zones.add(f"mx.{DOMAIN}", "CNAME", f"mx1.{FILTER}.")
    ((told, sentence),) = of(ask(dns), "mx")
    assert (told, words in sentence) == (severity, True), sentence


def test_who_the_provider_is_is_not_guessed(dns: NameServer) -> None:
    ((severity, sentence),) = of(ask(dns, mx_suffixes=[]), "mx")
    assert severity == "note"
    assert "is not known" in sentence


def test_a_domain_that_is_not_there_is_an_error_of_the_description(dns: NameServer) -> None:
    result = ask(dns, domains=["haven.example"])
    assert of(result, "domain")[0][0] == "critical"


BAD: list[tuple[dict[str, t.Any], str]] = [
    ({"domains": []}, "domains is empty"),
    ({"domains": ["203.0.113.25"]}, "which is no domain"),
    ({"domains": ["hafen"]}, "which is no domain"),
    ({"domains": ["postmaster@hafen.example"]}, "is not a name"),
    ({"domains": ["https://hafen.example/"]}, "is not a name"),
    ({"domains": [f"{'a' * 64}.example"]}, "is not a name"),
    ({"left_out_names": ["-x.hafen.example"]}, "is not a name"),
    ({"provider_ranges": ["198.51.100.0/33"]}, "provider_ranges cannot be used"),
    ({"accept_findings": ["mxx"]}, "which is no finding"),
    ({"time_limit": 0}, "time_limit is 0"),
    ({"timeout": -1}, "timeout is -1"),
]


@pytest.mark.parametrize(("wrong", "words"), BAD)
def test_bad_input_is_refused_before_anything_is_asked(
    dns: NameServer, wrong: dict[str, t.Any], words: str
) -> None:
    with pytest.raises(OptionError) as refused:
        ask(dns, **wrong)
    assert words in str(refused.value)
    assert "DNS was not asked." in str(refused.value)
    assert dns.asked == []


def test_what_is_no_domain_hides_none_of_the_others(dns: NameServer) -> None:
    wrong = ["hafen", "203.0.113.25", "\u201ehafen.example\u201c", DOMAIN]
    result = ask(dns, domains=wrong, names=["-x.hafen.example"])
    assert result["state"] == "unknown"
    assert result["targets"] == ask(dns)["targets"]
    assert len(result["wrong"]) == 4
    assert worst(result) == set()


def test_hundreds_of_domains_end_in_time_and_say_what_was_not_asked(dns: NameServer) -> None:
    """A site has 600 of them: with every name against every domain the processor took a minute."""
    domains = [f"d{number}.example" for number in range(600)]
    begun = time.process_time()
    result = ask(dns, domains=[*domains, DOMAIN], names=[f"erp.{DOMAIN}"], time_limit=0.5)
    assert time.process_time() - begun < 12
    assert result["state"] == "unknown"
    assert len(result["findings"]) < 700
    ((severity, sentence),) = of(result, "name_unknown")
    assert severity == "unknown"
    assert "names lead is not known, which closes nothing, because the 0.5 seconds" in sentence
    ((severity, sentence),) = of(result, "spf", "more")
    assert severity == "unknown"
    assert "Who may send for" in sentence


def test_what_is_named_is_asked_for_before_what_is_guessed(dns: NameServer) -> None:
    ask(dns, names=[f"erp.{DOMAIN}"])
    asked = [name for name, kind in dns.asked if kind == "AAAA"]
    assert asked.index(f"erp.{DOMAIN}") < 8
    assert asked.index(f"hybrid.{DOMAIN}") > 8


def test_a_resolver_has_to_be_an_address(dns: NameServer) -> None:
    with pytest.raises(DnsError, match="is not an address"):
        ask(dns, resolver="dns.hafen.example")


def test_a_resolver_of_a_survey_may_end_in_a_line_break(dns: NameServer) -> None:
    assert ask(dns, resolver="127.0.0.1\n")["targets"]


@pytest.mark.parametrize("port", [0, -1, 70_000])
def test_the_port_of_a_resolver_is_one(dns: NameServer, port: int) -> None:
    with pytest.raises(DnsError, match=f"resolver_port is {port}: it must be between 1 and 65535"):
        ask(dns, resolver="127.0.0.1", resolver_port=port)
    assert dns.asked == []


@pytest.mark.parametrize(
    "domain", ["\u201chafen.example\u201d", "hafen\u2026example", "h@hafen.de.example"]
)
def test_a_wrong_domain_is_named_and_not_called_missing(dns: NameServer, domain: str) -> None:
    with pytest.raises(OptionError) as refused:
        ask(dns, domains=[domain])
    assert f"domains has '{domain}', which is not a name." in str(refused.value)
    assert "empty" not in str(refused.value)


def test_a_domain_may_be_written_as_people_do(dns: NameServer) -> None:
    dns.zones.origins.append("xn--hfen-loa.example")
    dns.zones.add("mail.xn--hfen-loa.example", "A", "203.0.113.77")
    result = ask(dns, domains=["H\u00e4fen.example.", "HAFEN.example"])
    assert "mail.xn--hfen-loa.example" in result["targets"]
    assert f"mail.{DOMAIN}" in result["targets"]


def test_a_finding_that_is_accepted_is_told_and_no_drift(dns: NameServer) -> None:
    dns.zones.records.pop((f"_dmarc.{DOMAIN}", "TXT"))
    assert ask(dns)["state"] == "drift"
    result = ask(dns, accept_findings=["dmarc"])
    assert result["state"] == "in order"
    assert of(result, "dmarc")[0][0] == "warning"


def test_a_large_site_is_read_with_few_questions() -> None:
    zones = a_site()
    for number in range(3):
        domain = f"site{number}.example"
        zones.origins.append(domain)
        zones.add(domain, "MX", f"10 mx1.{FILTER}.")
        for label in ("mail", "webmail", "owa", "remote"):
            zones.add(f"{label}.{domain}", "A", f"203.0.113.{number + 1}")
    with running(zones) as server:
        result = ask(server, domains=[f"site{number}.example" for number in range(3)])
        assert len(result["targets"]) == 12
        assert result["questions"] == len(server.asked) == len(set(server.asked)) < 180
