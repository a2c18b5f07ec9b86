# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks are given: logins, sites and texts that are refused, or arrive as they are."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import (
    HOST,
    REAL,
    STAND_IN,
    connectors,
    only,
    recap,
    report,
    site,
)
from ansible_collections.mailedge.lockdown.tests.lab.playing import module, play


@pytest.mark.core
@pytest.mark.parametrize("connection", ["winrm", "psrp"])
def test_a_host_that_refuses_the_login_is_unreachable(connection: str) -> None:
    with site("2016") as lab:
        lab.client().fault(HOST, kind="refuse_login", times=0)
        how = {"lab_connection": connection}
        run = play(module("exchange_mail_flow_info", "mailedge", {}), lab.inventory, variables=how)
        assert recap(run)["unreachable"] == 1, run.output


def test_become_is_refused_before_anything_is_sent() -> None:
    with site("2016") as lab:
        task = module(
            "exchange_mail_flow_info",
            "mailedge",
            {},
            become=True,
            become_method="runas",
            become_user="SYSTEM",
        )
        result = only(play(task, lab.inventory))
        assert result["failed"]
        assert "become" in result["msg"]
        assert lab.client().ask("counters", host=HOST)["http_requests"] == 0


@pytest.mark.parametrize("connection", ["winrm", pytest.param("psrp", marks=pytest.mark.long)])
def test_a_call_that_hangs_ends_in_a_clear_error_inside_the_time_limit(connection: str) -> None:
    with site("2016") as lab:
        lab.client().fault(HOST, kind="hang", at="call:Get-ReceiveConnector", seconds=600)
        begun = time.monotonic()
        task = module("exchange_mail_flow_info", "mailedge", {"time_limit": 6})
        run = play(task, lab.inventory, variables={"lab_connection": connection}, timeout=90)
        assert time.monotonic() - begun < 60
        assert "within 6 seconds" in only(run)["msg"], run.output


def test_a_site_without_a_provider_is_refused_before_anything_is_sent() -> None:
    with site("2016") as lab:
        run = play("apply", lab.inventory, variables={"mailedge_provider_ranges": []})
        assert run.code != 0
        assert "names no provider range" in report(run)
        assert lab.client().ask("counters", host=HOST)["http_requests"] == 0


SENTENCES: list[tuple[str, dict[str, t.Any], str]] = [
    (
        "exchange_mail_flow",
        {"inbound_lock": {}, "provider_ranges": ["198.51.100.0/33"]},
        "198.51.100.0/33",
    ),
    (
        "exchange_mail_flow",
        {"inbound_lock": {}, "provider_ranges": ["198.51.100.9-198.51.100.1"]},
        "198.51.100.9",
    ),
    (
        "exchange_mail_flow",
        {"inbound_lock": {}, "provider_ranges": ["198.51.100.1-2001:db8::1"]},
        "2001:db8::1",
    ),
    ("exchange_receive_connector", {"name": "x", "permission_groups": ["Everybody"]}, "Everybody"),
    ("exchange_receive_connector", {"name": "x", "max_hop_count": 501}, "max_hop_count"),
]
REFUSED: list[tuple[str, dict[str, t.Any], str]] = [
    (
        "exchange_mail_flow",
        {"inbound_lock": {}, "provider_ranges": ["0.0.0.0/0"]},
        "range_too_wide",
    ),
    (
        "exchange_receive_connector",
        {"name": "Client Frontend EX1", "auth_mechanism": ["BasicAuthRequireTLS"]},
        "BasicAuth",
    ),
    (
        "exchange_receive_connector",
        {"name": "x" * 65, "remote_ip_ranges": ["10.0.0.1"], "bindings": ["0.0.0.0:25"]},
        "64",
    ),
]


def test_bad_input_gets_one_sentence_each_and_writes_nothing() -> None:
    with site("2016") as lab:
        client = lab.client()
        for number, (name, arguments, clause) in enumerate([*SENTENCES, *REFUSED]):
            result = only(play(module(name, "mailedge", arguments), lab.inventory))
            assert result["failed"], arguments
            assert clause in result["msg"], result["msg"]
            assert "Traceback" not in str(result)
            if number < len(SENTENCES):
                assert client.ask("counters", host=HOST)["http_requests"] == 0
        assert client.ask("counters", host=HOST)["writes"] == 0


def test_a_parameter_that_the_version_lacks_is_named_before_anything_is_written() -> None:
    with site("2010") as lab:
        arguments = {"name": "Client EX1", "tls_certificate_name": "<I>CN=a<S>CN=b"}
        result = only(
            play(module("exchange_receive_connector", "mailedge", arguments), lab.inventory)
        )
        assert result["failed"]
        assert "tls_certificate_name" in result["msg"]
        assert "2013" in result["msg"]
        assert lab.client().ask("counters", host=HOST)["writes"] == 0


NASTY = (
    "\u2018one\u2019 \u201atwo\u201b \u201cthree\u201e 'four' \"five\" `$(boom) $env:x ; | & "
    "%PATH% {0} ~n ü 漢字 \U0001f4ee"
)


@pytest.mark.parametrize(
    ("pwsh", "connection"),
    [
        (STAND_IN, "winrm"),
        (STAND_IN, "psrp"),
        pytest.param(None, "winrm", marks=[*REAL.marks, pytest.mark.long]),
    ],
)
def test_quotes_and_metacharacters_arrive_unharmed(pwsh: str | None, connection: str) -> None:
    with site("2016", pwsh) as lab:
        options = {
            "remote_ip_ranges": ["10.9.9.9"],
            "bindings": ["0.0.0.0:25"],
            "permission_groups": ["ExchangeUsers"],
        }
        texts = {
            "comment": NASTY,
            "banner": f"220 {NASTY}",
            "tls_certificate_name": f"<I>CN={NASTY}<S>CN={NASTY}",
        }
        # What internal senders could do before, one of them cannot do through this connector; that
        # is not what the test is about.
        risks = {"accept_risks": ["own_networks_shut_out", "exchange_servers_shut_out"]}
        given = {"name": "Scanner \u20181\u2019 $(x)", **texts, **options, **risks}
        task = module("exchange_receive_connector", "mailedge", given)
        run = play(task, lab.inventory, variables={"lab_connection": connection})
        assert run.code == 0, run.output
        made = connectors(lab)[0]["Scanner \u20181\u2019 $(x)"]
        assert [made[name] for name in ("Comment", "Banner", "TlsCertificateName")] == list(
            texts.values()
        )
        again = play(task, lab.inventory, variables={"lab_connection": connection})
        assert recap(again)["changed"] == 0, again.output
