# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A locked way out is in order where mail leaves by it, at a server that routes by itself; what
passes it is open, and told.
"""

from __future__ import annotations

import pathlib
import tempfile
import typing as t

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.tests.integration.in_process import BOTH, Wire, do
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost

OURS = "Mail to filter"
OUT: dict[str, t.Any] = {key: BOTH[key] for key in ("outbound_lock", "accept_risks")}
HYBRID = "Outbound to Office 365 - 5f2d"
EDGESYNC = "EdgeSync - Site to Internet"


def leaves(host: ExchangeHost, domain: str = "partner.com", size: int = 0, server: str = "") -> str:
    connector = host.leaves_by(domain, size, server)
    return connector.name if connector else ""


def ok(result: dict[str, t.Any]) -> dict[str, t.Any]:
    assert not result.get("failed"), result["msg"]
    return result


def passed(result: dict[str, t.Any]) -> str:
    return " ".join(
        finding["sentence"] for finding in result["guards"] if finding["id"] == "send_leak"
    )


@pytest.mark.parametrize(
    ("name", "spaces", "advice"),
    [
        (HYBRID, ["SMTP:*;1"], "without centralized mail transport"),
        (HYBRID, ["SMTP:*.com;9", "SMTP:site.mail.onmicrosoft.com;1"], "give them a cost above 1"),
        (EDGESYNC, ["SMTP:*;1"], "edge subscription"),
    ],
)
def test_whoever_is_not_touched_and_carries_everything_keeps_the_way_out_open(
    name: str, spaces: list[str], advice: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    made = defaults.add_send(
        host, name, {"AddressSpaces": spaces, "CloudServicesMailEnabled": name == HYBRID}
    )
    lock = {**OUT, "outbound_lock": {**OUT["outbound_lock"], "name": "Our way out"}}
    if spaces == ["SMTP:*;1"]:
        # At the same cost the name decides, and here it decides for the other one.
        lock["outbound_lock"]["name"] = "To the filter"
    ours = lock["outbound_lock"]["name"]
    wire = Wire(host)
    for changed in (True, False):
        done = ok(do(wire, lock))
        assert done["changed"] is changed
        assert leaves(host) == name
        assert done["state"] == "open"
        (told,) = done["strangers"]["after"]
        assert f"through the send connector '{name}' and not through '{ours}'" in told
        assert advice in passed(done)
    made.values["Enabled"] = False
    assert leaves(host) == ours
    assert ok(do(wire, lock))["state"] == "in order"


def test_a_route_to_a_partner_is_no_open_way_out(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    defaults.add_send(host, "Partner", {"AddressSpaces": ["SMTP:partner.com;1"]})
    defaults.add_send(host, HYBRID, {"AddressSpaces": ["SMTP:site.mail.onmicrosoft.com;1"]})
    wire = Wire(host)
    assert ok(do(wire, OUT, check=True))["state"] == "open"
    ok(do(wire, OUT))
    assert (leaves(host), leaves(host, "other.com")) == ("Partner", OURS)
    seen = ok(do(wire, OUT, check=True))
    assert (seen["state"], seen["strangers"]) == ("in order", {"before": [], "after": []})
    assert "'Partner'" in passed(seen)


def test_big_mail_that_leaves_past_the_lock_is_told_with_its_size(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    made = defaults.add_send(
        host, HYBRID, {"AddressSpaces": ["SMTP:*;5"], "MaxMessageSize": "Unlimited"}
    )
    wire = Wire(host)
    done = ok(do(wire, OUT))
    assert (leaves(host), leaves(host, size=50 << 20)) == (OURS, HYBRID)
    assert done["state"] == "open"
    assert done["strangers"]["after"][0].startswith("Mail of more than 35840 KB to the internet")
    made.values["MaxMessageSize"] = 35 << 20
    assert ok(do(wire, OUT))["state"] == "in order"


def _organization(folder: pathlib.Path, *servers: str) -> ExchangeHost:
    host = defaults.site("se", folder=folder)
    for name in servers:
        defaults.site("se", name, directory=host.directory, folder=folder / name)
    return host


def test_the_other_servers_that_send_keep_sending(tmp_path: pathlib.Path) -> None:
    host = _organization(tmp_path, "EX2", "EX3")
    host.colleague(
        "Set-SendConnector", {"Identity": "Internet", "SourceTransportServers": ["EX1", "EX2"]}
    )
    defaults.add_send(
        host, "Internet too", {"AddressSpaces": ["SMTP:*;1"], "SourceTransportServers": ["EX3"]}
    )
    start = host.shown()
    wire = Wire(host)
    named = {**OUT, "outbound_lock": {**OUT["outbound_lock"], "source_transport_servers": ["EX1"]}}
    stopped = do(wire, named)
    assert "The servers EX2 and EX3 send mail to the internet by themselves" in stopped["msg"]
    assert "source_servers_lost" in stopped["msg"]
    assert host.shown() == start
    assert not do(
        wire, {**named, "accept_risks": [*OUT["accept_risks"], "source_servers_lost"]}, check=True
    ).get("failed")

    ok(do(wire, OUT))

    ours = host.leaves_by("partner.com")
    assert ours is not None
    assert (ours.name, set(ours.values["SourceTransportServers"])) == (OURS, {"EX1", "EX2", "EX3"})
    assert not ok(do(wire, OUT))["changed"]
    # Somebody takes another one into service again: what it had is not lost either.
    host.colleague("Set-SendConnector", {"Identity": OURS, "SourceTransportServers": ["EX1"]})
    host.colleague(
        "Set-SendConnector",
        {"Identity": "Internet", "Enabled": True, "AddressSpaces": ["SMTP:*.com;1"]},
    )
    ok(do(wire, OUT))
    ours = host.leaves_by("partner.com")
    assert ours is not None
    assert set(ours.values["SourceTransportServers"]) == {"EX1", "EX2"}


def test_what_left_before_leaves_after(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2016", folder=tmp_path)
    big = {"MaxMessageSize": "80MB", "Fqdn": "mail.birke.example", "FrontendProxyEnabled": True}
    host.colleague("Set-SendConnector", {"Identity": "Internet", **big})
    wire = Wire(host)
    assert leaves(host, size=70 << 20) == "Internet"
    ok(do(wire, OUT))
    assert leaves(host, size=70 << 20) == OURS
    ours = host.leaves_by("partner.com")
    assert ours is not None
    assert (ours.values["Fqdn"], ours.values["FrontendProxyEnabled"]) == (
        "mail.birke.example",
        True,
    )
    less = {**OUT, "outbound_lock": {**OUT["outbound_lock"], "max_message_size": "20MB"}}
    ok(do(wire, less))
    assert leaves(host, size=30 << 20) == ""


_spaces = st.sampled_from(
    ["SMTP:*;1", "SMTP:*;3", "SMTP:*.com;1", "SMTP:partner.com;1", "SMTP:*.partner.com;2"]
)
_names = st.sampled_from(["Another", HYBRID, EDGESYNC, "Zebra", "Partner"])
_senders = st.dictionaries(
    _names,
    st.tuples(
        st.lists(_spaces, min_size=1, max_size=2, unique_by=lambda text: text.partition(";")[0]),
        st.booleans(),
        st.sampled_from(["1MB", "Unlimited"]),
        st.sampled_from([("EX1",), ("EX2",), ("EX1", "EX2")]),
    ),
    max_size=4,
)


@settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=settings().max_examples // 2,
)
@given(_senders)
def test_in_order_means_that_all_mail_but_that_of_partners_leaves_by_the_lock(
    senders: dict[str, t.Any],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        host = _organization(pathlib.Path(folder), "EX2")
        for name, (spaces, enabled, size, sources) in senders.items():
            printed = {"AddressSpaces": spaces, "Enabled": enabled, "MaxMessageSize": size}
            defaults.add_send(host, name, {**printed, "SourceTransportServers": sources})
        mail = [
            (domain, server, size)
            for domain in ("partner.com", "sub.partner.com", "other.com", "other.org")
            for server in ("EX1", "EX2")
            for size in (0, 20 << 20, 50 << 20)
        ]
        before = {letter: leaves(host, letter[0], letter[2], letter[1]) for letter in mail}
        wire = Wire(host)
        done = do(wire, OUT)
        if done.get("failed"):
            # Mail of one server, which another one would have to carry from now on, stays where it
            # is.
            assert {guard["id"] for guard in done["guards"]} >= {"source_servers_lost"}, done["msg"]
            assert {letter: leaves(host, letter[0], letter[2], letter[1]) for letter in mail} == (
                before
            )
            event("stopped")
            return
        seen = ok(do(wire, OUT, check=True))
        assert not seen["changed"], seen["plan"]
        past = set()
        for letter in mail:
            carrier = leaves(host, letter[0], letter[2], letter[1])
            assert carrier or not before[letter], letter
            stored = host.leaves_by(letter[0], letter[2], letter[1])
            if stored is not None and carrier != OURS:
                past |= (
                    {carrier}
                    if any(
                        "*;" in str(x) or "*.com" in str(x) for x in stored.values["AddressSpaces"]
                    )
                    else set()
                )
        event("open" if past else "in order")
        assert (seen["state"] == "open") is bool(past), (seen["state"], past)
        for name in past:
            assert any(f"'{name}' and not through" in text for text in seen["strangers"]["after"])
