# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An accepted domain that is everything makes any lock a relay for those whom it lets in: it is
told, and never called in order.
"""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    INBOUND,
    PROVIDER,
    Wire,
    do,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS
from ansible_collections.mailedge.lockdown.tests.machine.server import ExchangeServer

RELAYS = "198.51.100.0/24 may relay to any recipient on port 25, through 'Mail from filter'."


@pytest.mark.parametrize("edition", EDITIONS)
def test_an_accepted_domain_for_everything_keeps_the_site_open(
    edition: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    host.directory.accepted_domains["*"] = "ExternalRelay"
    assert host.admission(PROVIDER).relays
    wire = Wire(host)
    for _run in ("first", "second"):
        done = do(wire, INBOUND)
        assert not done.get("failed"), done["msg"]
        assert host.admission(PROVIDER).relays
        assert done["state"] == "open"
        assert done["strangers"]["after"] == [RELAYS]
        (finding,) = [
            finding for finding in done["guards"] if finding["id"] == "every_domain_accepted"
        ]
        assert "'*' (ExternalRelay)" in finding["sentence"]
        assert "Remove-AcceptedDomain" in finding["sentence"]
    assert (
        "the provider: anonymous mail accepted, relayed to any recipient (open relay)"
        in done["exposure"]["words"]
    )
    assert not done["changed"]
    del host.directory.accepted_domains["*"]
    assert do(wire, INBOUND)["state"] == "in order"


@pytest.mark.parametrize(
    ("domain", "relays"), [("*.com", True), ("*.site.example", False), ("com", False)]
)
def test_a_wildcard_counts_where_it_is_more_than_the_site(
    domain: str, relays: bool, tmp_path: pathlib.Path
) -> None:
    host = defaults.site("se", folder=tmp_path)
    host.directory.accepted_domains[domain] = "InternalRelay"
    wire = Wire(host)
    do(wire, INBOUND)
    assert host.admission(PROVIDER).relays is relays
    seen = do(wire, INBOUND, check=True)
    assert seen["state"] == ("open" if relays else "in order")
    assert any(finding["id"] == "every_domain_accepted" for finding in seen["guards"]) is relays


@pytest.mark.parametrize("edition", ["2010", "2019"])
def test_what_could_not_be_read_is_told_and_never_in_order(
    edition: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    host.hidden.add("Get-AcceptedDomain")
    wire = Wire(host)
    done = do(wire, INBOUND)
    assert not done.get("failed"), done["msg"]
    seen = do(wire, INBOUND, check=True)
    for result in (done, seen):
        # Drift could be accepted.
        assert result["state"] == "unknown"
        assert any("may run Get-AcceptedDomain" in text for text in result["warnings"])
    assert not seen["changed"]
    host.hidden.clear()
    assert do(wire, INBOUND)["state"] == "in order"


def test_info_shows_them_and_warns(tmp_path: pathlib.Path) -> None:
    server = ExchangeServer("2013", tmp_path)
    told = server.done("exchange_mail_flow_info")
    assert told["accepted_domains"] == [
        {"name": "Domain site.example", "domain": "site.example", "type": "Authoritative"}
    ]
    assert told["warnings"] == []
    server.host.directory.accepted_domains["*"] = "InternalRelay"
    told = server.done("exchange_mail_flow_info")
    assert "'*' (InternalRelay)" in told["warnings"][0]
    assert all(
        listener["relay"]
        for listener in told["exposure"]["listeners"]
        if listener["answer"].startswith("anonymous")
    )
    server.host.hidden.add("Get-AcceptedDomain")
    told = server.done("exchange_mail_flow_info")
    assert (told["warnings"], "accepted_domains" in told) == (
        ["The accepted domains could not be read."],
        False,
    )
