# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the provider could send until yesterday it can send after the lock, and whoever starves its
connector is told so.
"""

from __future__ import annotations

import pathlib
import tempfile
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    INBOUND,
    PROVIDER,
    Wire,
    do,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.limits import Mail, refusal
from ansible_collections.mailedge.lockdown.tests.support.marking import long_after
from ansible_collections.mailedge.lockdown.tests.support.reading import read

OURS = "EX1\\Mail from filter"
OTHER_HALF = "198.51.100.200"
CERTIFICATE = "<I>CN=Authority, O=Birke<S>CN=mail.birke.example"
# What a connector is told → what a mail has that this refuses and that setup's connector takes.
STARVING: tuple[tuple[dict[str, t.Any], Mail], ...] = (
    ({"MaxMessageSize": "64KB"}, Mail(size=1 << 20)),
    ({"MaxHeaderSize": "1KB"}, Mail(header=64 << 10)),
    ({"MaxRecipientsPerMessage": 1}, Mail(recipients=50)),
    ({"MaxHopCount": 1}, Mail(hops=20)),
    ({"MaxInboundConnection": 1}, Mail(connections=40)),
    ({"MessageRateLimit": "1"}, Mail(minute=100)),
    ({"MaxProtocolErrors": "0"}, Mail(errors=3)),
    (
        {"ConnectionInactivityTimeout": "00:00:01", "ConnectionTimeout": "00:00:02"},
        Mail(seconds=60, idle=30),
    ),
    ({"TarpitInterval": "00:10:00"}, Mail(errors=1, patience=300)),
    ({"RequireTLS": True}, Mail()),
    ({"RequireEHLODomain": True}, Mail(has_domain=False)),
    ({"BareLinefeedRejectionEnabled": True}, Mail(bare_line_feed=True)),
)


def answer(host: ExchangeHost, mail: Mail, sender: str = PROVIDER) -> str:
    """What becomes of a mail of the provider; empty where it is taken."""
    admission = host.admission(sender)
    assert admission.submit
    assert admission.connector is not None
    return refusal(admission.connector, mail)


def ok(result: dict[str, t.Any]) -> dict[str, t.Any]:
    assert not result.get("failed"), result["msg"]
    return result


def _entry(host: ExchangeHost) -> str:
    """The connector that hears the provider before the lock."""
    admission = host.admission(PROVIDER)
    assert admission.connector is not None
    return admission.connector.identity


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_mail_that_passed_before_the_lock_passes_after_it(
    edition: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    roomy: dict[str, t.Any] = {
        "MaxMessageSize": "100MB",
        "MaxHeaderSize": "512KB",
        "MaxRecipientsPerMessage": 4000,
        "MaxHopCount": 90,
        "MaxInboundConnection": 9000,
        "MaxProtocolErrors": "unlimited",
        "MessageRateLimit": "unlimited",
        "ConnectionTimeout": "01:00:00",
        "ConnectionInactivityTimeout": "00:30:00",
        "DomainSecureEnabled": True,
        "TarpitInterval": "00:00:01",
        "Banner": "220 mail.birke.example",
    }
    if "TlsCertificateName" in host.cmdlets.receive_settings:
        roomy["TlsCertificateName"] = CERTIFICATE
    mail = Mail(50 << 20, 400 << 10, 3000, 80, 8000, 900, 1800, 900, 30, patience=2)
    before = _entry(host)
    host.colleague("Set-ReceiveConnector", {"Identity": before, **roomy})
    assert answer(host, mail) == ""
    start = read(host)
    wire = Wire(host)

    ok(do(wire, INBOUND))

    assert _entry(host) != before
    assert answer(host, mail) == ""
    ours = host.admission(PROVIDER).connector
    assert ours is not None
    for parameter in ("DomainSecureEnabled", "TlsCertificateName", "Banner"):
        assert ours.values.get(parameter) == (roomy.get(parameter)), parameter
    assert not ok(do(wire, INBOUND))["changed"]
    ok(do(wire, {"snapshot": "latest"}))
    assert read(host).receive == start.receive


@pytest.mark.parametrize("edition", long_after(1, ["se", "2010", "sbs-2011"]))
def test_whoever_starves_the_provider_later_is_told_and_it_is_taken_back(
    edition: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    wire = Wire(host)
    ok(do(wire, INBOUND))
    healthy = read(host).receive
    for starving, mail in STARVING:
        host.colleague("Set-ReceiveConnector", {"Identity": OURS, **starving})
        assert answer(host, mail), starving
        seen = ok(do(wire, INBOUND, check=True))
        assert seen["state"] == "drift", starving
        assert set(seen["after"]["receive_connectors"]) == {"Mail from filter"}
        ok(do(wire, INBOUND))
        assert read(host).receive == healthy, starving


def test_more_than_it_had_is_nobodys_loss_and_less_is_what_the_description_says(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("se", folder=tmp_path)
    wire = Wire(host)
    named = {
        **INBOUND,
        "inbound_lock": {"max_message_size": "20MB", "connection_timeout": "00:04:00"},
    }
    refused = do(wire, named, check=True)
    assert "connection_inactivity_timeout" in refused["msg"]
    named["inbound_lock"]["connection_inactivity_timeout"] = "00:03:00"
    ok(do(wire, named))
    assert answer(host, Mail(size=19 << 20)) == ""
    assert answer(host, Mail(size=30 << 20))
    assert not ok(do(wire, named))["changed"]
    host.colleague(
        "Set-ReceiveConnector",
        {"Identity": OURS, "MaxRecipientsPerMessage": 9999, "MaxHopCount": 200},
    )
    assert ok(do(wire, named, check=True))["state"] == "in order"
    assert ok(do(wire, INBOUND, check=True))["state"] == "drift"


@pytest.mark.parametrize("edition", ["2010", "2019"])
def test_without_the_comment_the_limits_of_whom_it_would_meet_count(
    edition: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    wire = Wire(host)
    ok(
        do(
            wire,
            {
                **INBOUND,
                "inbound_lock": {"method": "disable"},
                "accept_risks": ["exchange_servers_shut_out"],
            },
        )
    )
    host.colleague(
        "Set-ReceiveConnector", {"Identity": OURS, "Comment": "By hand", "MaxMessageSize": "64KB"}
    )
    seen = ok(do(wire, {**INBOUND, "inbound_lock": {"method": "disable"}}, check=True))
    assert (
        seen["after"]["receive_connectors"] == {"Mail from filter": {"max_message_size": "36MB"}}
        or edition == "2010"
    )
    assert seen["state"] == "drift"


_limits = st.fixed_dictionaries(
    {
        "MaxMessageSize": st.sampled_from(["64KB", "10MB", "80MB"]),
        "MaxRecipientsPerMessage": st.sampled_from([1, 200, 5000]),
        "MaxHopCount": st.sampled_from([1, 30, 500]),
        "MaxInboundConnection": st.sampled_from(["1", "5000", "unlimited"]),
        "MessageRateLimit": st.sampled_from(["5", "unlimited"]),
        "TarpitInterval": st.sampled_from(["00:00:00", "00:00:05"]),
        "RequireTLS": st.booleans(),
    }
)
_mails = st.builds(
    Mail,
    size=st.sampled_from([1 << 10, 9 << 20, 70 << 20]),
    recipients=st.sampled_from([1, 100, 3000]),
    hops=st.sampled_from([1, 20, 400]),
    connections=st.sampled_from([1, 900, 9000]),
    minute=st.sampled_from([1, 90]),
    errors=st.sampled_from([0, 1]),
    patience=st.sampled_from([3.0, 60.0]),
    encrypted=st.booleans(),
)


@settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=max(5, settings().max_examples // 10),
)
@given(
    st.sampled_from(["2010", "2013", "se"]),
    _limits,
    _limits,
    st.lists(_mails, min_size=3, max_size=8),
)
def test_of_two_connectors_that_shared_the_provider_neither_half_loses(
    edition: str, wide: dict[str, t.Any], narrow: dict[str, t.Any], mails: list[Mail]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        host = defaults.site(edition, folder=pathlib.Path(folder))
        host.colleague("Set-ReceiveConnector", {"Identity": _entry(host), **wide})
        half = {
            "RemoteIPRanges": ["198.51.100.128-255.255.255.255", "2001:db8::-ffff::"],
            "Bindings": ["0.0.0.0:25", "[::]:25"],
            "PermissionGroups": "AnonymousUsers, ExchangeServers",
            "TransportRole": "FrontendTransport",
        }
        made = defaults.add_receive(host, "Half", half)
        host.colleague("Set-ReceiveConnector", {"Identity": made.identity, **narrow})
        passed = [
            (mail, who)
            for mail in mails
            for who in (PROVIDER, OTHER_HALF)
            if not answer(host, mail, who)
        ]
        wire = Wire(host)
        # Across the border of a connector Exchange takes no range.
        lock = {**INBOUND, "provider_ranges": ["198.51.100.0/25", "198.51.100.128/25"]}

        ok(do(wire, lock))

        for mail, who in passed:
            assert answer(host, mail, who) == "", (mail, who)
        assert not ok(do(wire, lock))["changed"]
