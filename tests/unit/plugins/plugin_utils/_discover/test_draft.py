# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a draft of a site's description guesses, and what it asks a person."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.draft import draft_of
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.readings import (
    Readings,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.text import text_of

HOST = "birke-ex1"
SERVER = {"name": "EX1", "version": "Exchange 2016", "build": "15.1.2507.6"}
EVERYBODY = ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
DOOR = {
    "name": "Default Frontend EX1",
    "enabled": True,
    "bindings": ["0.0.0.0:25", "[::]:25"],
    "remote_ip_ranges": EVERYBODY,
    "banner": "220 mail.birke.example",
}
WAY_OUT = {
    "name": "Internet",
    "enabled": True,
    "address_spaces": ["SMTP:*;1"],
    "smart_hosts": ["out.filter.example"],
    "require_tls": True,
}


def readings(
    receive: t.Sequence[t.Mapping[str, t.Any]] = (DOOR,),
    send: t.Sequence[t.Mapping[str, t.Any]] = (WAY_OUT,),
    senders: t.Mapping[str, int] | None = None,
    mx: t.Sequence[str] = (),
    domains: t.Sequence[str] = ("birke.example",),
    **more: t.Any,
) -> Readings:
    told = [{"address": address, "messages": count} for address, count in (senders or {}).items()]
    return Readings(
        "birke",
        (HOST,),
        mail_flow={
            HOST: {
                "server": SERVER,
                "receive_connectors": list(receive),
                "send_connectors": list(send),
                "accepted_domains": [{"domain": name} for name in domains],
            }
        },
        senders={HOST: {"senders": told, "groups": [], "unknown": []}},
        names={HOST: {"domains": list(domains), "not_read": []}},
        dns={"mail_exchangers": {"birke.example": {"hosts": list(mx)}}},
        **more,
    )


def asked(draft: t.Any, words: str) -> bool:
    return any(words in question for question in draft.questions)


def test_the_provider_is_who_mx_names() -> None:
    draft = draft_of(readings(mx=["mx1.birke.pphosted.com."]))
    assert draft.variables["mailedge_provider"] == "proofpoint-on-demand"
    assert asked(draft, "Is proofpoint-on-demand the filtering provider")


@pytest.mark.parametrize(
    "mx",
    [
        [],
        ["mail.birke.example"],
        ["mx.notpphosted.com"],
        ["mx1.birke.pphosted.com", "mx1.birke.iphmx.com"],
        ["mx1.birke.pphosted.com", "mail.birke.example"],
    ],
)
def test_without_a_provider_of_whom_mx_is_sure_nobody_is_let_in(mx: list[str]) -> None:
    draft = draft_of(readings(mx=mx, senders={"203.0.113.9": 12, "198.51.100.7": 400}))
    assert not {"mailedge_provider", "mailedge_provider_ranges"} & set(draft.variables)
    assert asked(draft, "From which addresses does the filtering provider deliver?")
    text = text_of(draft, "made now.")
    assert "198.51.100.7 (400 messages), 203.0.113.9 (12 messages)" in " ".join(
        line.lstrip("# ") for line in text.splitlines()
    )


def test_nobody_of_the_internet_is_ever_taken_for_somebody_of_the_site() -> None:
    senders = {"203.0.113.9": 900, "10.20.5.7": 30, "2001:db8:bad::9": 5, "127.0.0.1": 8}
    relay = {
        "name": "Scanner",
        "bindings": ["0.0.0.0:25"],
        "remote_ip_ranges": ["10.20.7.0/24", "203.0.113.77", "127.0.0.1"],
    }
    draft = draft_of(readings([DOOR, relay], senders={**senders, "10.20.7.4": 3}))
    assert draft.variables["mailedge_own_networks"] == ["10.20.7.0/24", "10.20.5.7"]
    assert asked(draft, "is refused after a lock")


def test_an_address_that_may_hide_everybody_is_a_question() -> None:
    """A firewall or a balancer that hides who sends: all of the internet comes from it."""
    draft = draft_of(readings(senders={"10.20.0.1": 48_211}))
    assert "mailedge_own_networks" not in draft.variables
    assert asked(draft, "Is that a firewall or a balancer that hides the senders?")
    assert "10.20.0.1: 48211 messages" in text_of(draft, "made now.")


@pytest.mark.parametrize(
    ("dns", "words"),
    [
        ({}, "It was not asked for the site's domains."),
        ({"failed": True, "msg": "No resolver."}, "No resolver."),
        (
            {
                "mail_exchangers": {
                    "birke.example": {"status": "found", "hosts": ["mx1.birke.pphosted.com"]},
                    "linde.example": {"status": "unknown", "hosts": []},
                }
            },
            "the MX of linde.example is not known",
        ),
    ],
)
def test_dns_that_does_not_tell_is_told_and_names_no_provider(
    dns: dict[str, t.Any], words: str
) -> None:
    draft = draft_of(dataclasses.replace(readings(), dns=dns))
    assert "mailedge_provider" not in draft.variables
    assert any(words in sentence for sentence in draft.unread), draft.unread


def test_several_virtual_ips_may_be_those_of_several_sites() -> None:
    firewall = {"targets": [{"vip": f"VIP-{number}", "address": ""} for number in range(3)]}
    described = {"fortigate_host": "fw.birke.example"}
    draft = draft_of(readings(described=described, firewall=firewall))
    assert "mailedge_fortigate_vips" not in draft.variables
    assert asked(draft, "Which of VIP-0, VIP-1, VIP-2 lead to this site's server")
    behind = {"targets": [{"vip": "", "address": "10.20.1.11"}]}
    draft = draft_of(readings(described=described, firewall=behind))
    assert asked(draft, "Which of 10.20.1.11 are this site's servers?")


def test_what_the_inventory_says_is_taken_over() -> None:
    described = {
        "provider_ranges": ["198.51.100.0/24"],
        "own_networks": ["10.20.0.0/16"],
        "domains": ["birke.example"],
    }
    draft = draft_of(readings(mx=["mx1.birke.pphosted.com"], described=described))
    assert draft.variables["mailedge_provider_ranges"] == ["198.51.100.0/24"]
    assert draft.variables["mailedge_own_networks"] == ["10.20.0.0/16"]
    assert "mailedge_provider" not in draft.variables


def test_the_way_out_is_taken_over_where_there_is_one_by_smart_hosts() -> None:
    draft = draft_of(readings())
    # By its name: what else it has, such as a port, a certificate or a login, stays.
    assert draft.variables["mailedge_exchange_outbound"] == {
        "name": "Internet",
        "smart_hosts": ["out.filter.example"],
    }
    dearer = {**WAY_OUT, "address_spaces": ["SMTP:*;10"]}
    assert draft_of(readings(send=[dearer])).variables["mailedge_exchange_outbound"] == {
        "name": "Internet",
        "smart_hosts": ["out.filter.example"],
        "address_spaces": ["SMTP:*;10"],
    }


@pytest.mark.parametrize(
    "send",
    [
        [],
        [{**WAY_OUT, "smart_hosts": []}],
        [WAY_OUT, {**WAY_OUT, "name": "Second"}],
        [{**WAY_OUT, "address_spaces": ["SMTP:*.partner.example;1"]}],
        [{**WAY_OUT, "address_spaces": ["SMTP:*;1", "SMTP:*.com;1"]}],
        [{**WAY_OUT, "name": "Outbound to Office 365"}],
    ],
)
def test_a_way_out_that_is_not_plain_is_a_question(send: list[dict[str, t.Any]]) -> None:
    draft = draft_of(readings(send=send))
    assert "mailedge_exchange_outbound" not in draft.variables
    assert asked(draft, "Is all mail to leave through the filtering provider?")


def test_the_greeting_of_the_open_door_stays() -> None:
    assert draft_of(readings()).variables["mailedge_exchange_inbound"] == {
        "banner": "220 mail.birke.example"
    }
    other = {**DOOR, "name": "Second", "banner": "220 old.birke.example"}
    draft = draft_of(readings([DOOR, other]))
    assert "mailedge_exchange_inbound" not in draft.variables
    assert asked(draft, "Which greeting")


def test_the_virtual_ips_are_those_that_lead_to_the_port() -> None:
    described = {"fortigate_host": "fw.birke.example"}
    firewall = {
        "targets": [{"vip": "VIP-mail", "address": "", "port": 25}],
        "exposure": ["everybody → port 25 of the virtual IP 'VIP-mail', by policy 1 'Mail in'"],
    }
    draft = draft_of(readings(described=described, firewall=firewall))
    assert draft.variables["mailedge_fortigate_vips"] == ["VIP-mail"]
    silent = draft_of(readings(described=described, firewall={"failed": True, "msg": "No way."}))
    assert "mailedge_fortigate_vips" not in silent.variables
    assert "firewall: No way." in silent.unread


def test_a_server_that_was_not_read_is_told_and_nothing_is_made_of_it() -> None:
    silent = {"unreachable": True, "msg": "Connection refused"}
    draft = draft_of(
        Readings("birke", (HOST,), mail_flow={HOST: silent}, senders={}, names={HOST: silent})
    )
    assert draft.variables == {"mailedge_site": "birke"}
    assert f"{HOST}, connectors: Connection refused" in draft.unread
    assert asked(draft, "From which addresses")


def test_a_hybrid_is_a_question() -> None:
    domains = ["birke.example", "birke.mail.onmicrosoft.com"]
    assert asked(draft_of(readings(domains=domains)), "hybrid with Exchange Online")
    assert not asked(draft_of(readings()), "hybrid with Exchange Online")


HOSTILE = (
    "x\n- evil: true\n{{ lookup('env', 'HOME') }} \u201cquoted\u201d {% raw %} 'single' "
    "# no comment"
)


def test_the_file_is_what_was_drafted_whatever_a_server_says() -> None:
    door = {**DOOR, "banner": HOSTILE, "name": HOSTILE}
    scanner = {"name": HOSTILE, "remote_ip_ranges": ["10.20.7.0/24"]}
    draft = draft_of(readings([door, scanner], [{**WAY_OUT, "name": HOSTILE}]))

    class Unsafe(str):
        """What Ansible takes for no template."""

    class Loader(yaml.SafeLoader):
        """Knows what Ansible calls unsafe."""

    def unsafe(loader: yaml.SafeLoader, node: t.Any) -> Unsafe:
        return Unsafe(loader.construct_scalar(node))

    Loader.add_constructor("!unsafe", unsafe)
    variables = yaml.load(text_of(draft, "made now."), Loader=Loader)
    assert variables == draft.variables
    assert isinstance(variables["mailedge_exchange_inbound"]["banner"], Unsafe)
    assert not isinstance(variables["mailedge_site"], Unsafe)
