# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody outside gets at the web of a lab server, whose IIS answers by its own rules."""

from __future__ import annotations

import http.client
import re
import ssl
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.proof import judge_look
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.playing import play
from ansible_collections.mailedge.lockdown.tests.lab.site import SOURCES
from ansible_collections.mailedge.lockdown.tests.support.strangers import (
    Result,
    assert_harmless,
    looked,
)

BLOCKED = ["/ecp", "/PowerShell"]


@pytest.fixture(autouse=True)
def nothing_but_questions(host: LabHost) -> t.Iterator[None]:
    """Whatever a test asks for, nothing has arrived that could do anything."""
    yield
    assert_harmless(host)


def stranger(host: LabHost, **options: t.Any) -> dict[str, t.Any]:
    assert host.web
    return {
        "name": "a stranger",
        "protocol": "https",
        "targets": [host.web.address],
        "port": host.web.port,
        "source_address": SOURCES["internet"],
        **options,
    }


def block(
    host: LabHost, *paths: str, action: str = 'type="CustomResponse" statusCode="403"'
) -> None:
    """Refuse paths to all but the site's own, as a person does in the console of IIS."""
    lan = re.escape(host.place.players(4)["lan"])
    condition = f'<add input="{{REMOTE_ADDR}}" pattern="^{lan}$" negate="true" />'
    for path in paths:
        inner = f'<match url=".*" /><conditions>{condition}</conditions><action {action} />'
        rules = f'<rules><rule name="{path}">{inner}</rule></rules>'
        section = f"<system.webServer><rewrite>{rules}</rewrite></system.webServer>"
        host.exchange.windows.iis.add_location(f"Default Web Site{path}", section)


def verdicts(result: Result) -> dict[str, str]:
    (address,) = result["addresses"]
    return dict(address["paths"])


def test_every_directory_of_an_open_server_answers(host: LabHost) -> None:
    (result,) = looked(stranger(host), expect="closed")
    assert set(verdicts(result).values()) == {"open"}
    (address,) = result["addresses"]
    assert (address["protocol"], address["delivery"]) == ("https", None)
    assert address["cases"]["/owa"]["code"] == 302
    assert address["cases"]["/EWS"]["code"] == 401
    state, reasons = judge_look(result, "closed")
    assert state == "open"
    assert "is open at /owa: Exchange answers a stranger and asks for a login." in reasons[0]
    # The certificate is told, and nobody is said to trust it.
    assert address["tls"]["subject"] in str(result["sentences"]) or address["tls"]["names"]
    assert "was not verified" in result["sentences"][-1]
    assert address["web"]["front_end"] == "EX1"


@pytest.mark.parametrize(
    "action", ['type="CustomResponse" statusCode="403"', 'type="AbortRequest"']
)
def test_what_is_blocked_is_closed_beside_what_is_not(host: LabHost, action: str) -> None:
    block(host, *BLOCKED, action=action)
    look = stranger(host, closed_paths=BLOCKED, open_paths=["/owa", "/EWS"])
    (result,) = looked(look)
    assert verdicts(result) == {
        "/owa": "open",
        "/EWS": "open",
        "/ecp": "closed",
        "/PowerShell": "closed",
    }
    assert judge_look(result, "any")[0] == "in order"
    # Who is within the site is asked the same, and gets in.
    inside = {**look, "source_address": SOURCES["lan"]}
    (result,) = looked(inside)
    assert judge_look(result, "any")[0] == "open"


def test_a_server_that_refuses_everything_proves_nothing_without_an_allowed_sender(
    host: LabHost,
) -> None:
    block(host, "/owa", *BLOCKED)
    asked = ["/owa", *BLOCKED]
    alone = stranger(host, paths=asked, expect="closed")
    (result,) = looked(alone)
    assert set(verdicts(result).values()) == {"inconclusive"}
    assert judge_look(result, "closed")[0] == "unknown"
    friend = {**alone, "name": "inside", "source_address": SOURCES["lan"], "expect": "open"}
    result, allowed = looked(alone, friend)
    assert set(verdicts(result).values()) == {"closed"}
    assert judge_look(result, "closed")[0] == "in order"
    assert judge_look(allowed, "open")[0] == "in order"


def test_a_vantage_point_within_the_site_is_no_stranger(host: LabHost) -> None:
    assert host.web
    (result,) = looked(stranger(host), own_networks=["127.0.0.0/8"], expect="closed")
    state, reasons = judge_look(result, "closed")
    assert state == "unknown"
    assert "which is in the site's own networks" in reasons[0]
    assert host.web.requests == []


def test_the_lab_hears_what_must_never_be_sent(host: LabHost) -> None:
    """That its remembering can fail a test: a login, and a method besides, are each too much."""
    web = host.web
    assert web
    context = ssl._create_unverified_context()
    for method, headers in (("OPTIONS", {}), ("GET", {"Authorization": "Negotiate TlRMTQ=="})):
        connection = http.client.HTTPSConnection(web.address, web.port, context=context, timeout=5)
        connection.request(method, "/owa/", headers=headers)
        connection.getresponse().read()
        connection.close()
        with pytest.raises(AssertionError, match="The probe sent"):
            assert_harmless(host)
        web.requests.clear()


@pytest.mark.long
def test_the_playbook_tells_what_is_blocked_and_what_is_not(lab: Lab, host: LabHost) -> None:
    """At the address of the mail server, without a web that the site names."""
    assert host.web
    assert host.web.address == host.front_end.address
    block(host, "/PowerShell")
    smtp = {"name": "internet", "source_address": SOURCES["internet"], "expect": "any"}
    variables = {
        "mailedge_probe_looks": [smtp],
        "mailedge_probe_web_port": host.web.port,
        "mailedge_iis_blocks": [{"path": "/PowerShell"}, {"path": "/ecp"}],
    }
    run = play("probe", lab.inventory, variables=variables)
    assert run.code != 0
    assert "birke: open" in run.output
    assert "is open at /ecp: Exchange answers a stranger and asks for a login" in run.output
    assert "is open at /PowerShell" not in run.output
    block(host, "/ecp")
    run = play("probe", lab.inventory, variables=variables)
    assert "closed at /PowerShell, /ecp" in run.output
    assert "birke: open" not in run.output
    run = play("probe", lab.inventory, variables={**variables, "mailedge_probe_web": False})
    assert "at the web" not in run.output
