# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's web answers to somebody who is not logged in."""

from __future__ import annotations

import http.client
import re
import socket

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.site import SOURCES, Site
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis


def test_the_answers_of_each_server() -> None:
    stranger = SOURCES["internet"]
    with Lab([Site("birke", ("2010", "2019", "edge"))], pwsh="") as lab:
        older, newer, edge = (host.web for host in lab.hosts.values())
        assert edge is None
        assert older
        assert newer
        form = newer.browse(stranger, "/owa/")
        assert (form.status, form.headers["X-FEServer"]) == (302, "EX2")
        assert form.headers["Location"].startswith("https://ex2.birke.example/owa/")
        login = newer.browse(stranger, "/EWS/Exchange.asmx")
        assert (login.status, login.headers.get_all("WWW-Authenticate")) == (
            401,
            ["Negotiate", "NTLM"],
        )
        assert newer.browse(stranger, "/nothing").status == 404
        assert "X-FEServer" not in older.browse(stranger, "/owa/").headers
        # Somebody who connects and says nothing keeps nobody waiting.
        with socket.create_connection((newer.address, newer.port), timeout=5):
            assert newer.browse(stranger, "/owa/", seconds=5).status == 302


def test_iis_decides_who_gets_through() -> None:
    """Rewrite rules and IP restrictions, by the address a sender plays, and the path as sent."""
    stranger, inside = SOURCES["internet"], SOURCES["lan"]
    with Lab([Site("birke", ("2019",))], pwsh="") as lab:
        host = next(iter(lab.hosts.values()))
        host.exchange.windows.add_iis(lambda: Iis("2019", ip_restrictions=True))
        web, iis = host.web, host.exchange.windows.iis
        assert web
        lan = host.place.players(4)["lan"]
        condition = f'<add input="{{REMOTE_ADDR}}" pattern="^{re.escape(lan)}$" negate="true" />'
        for path, url, action in (
            ("Default Web Site", r"^/*ecp(?:[/.;\s]|$)", 'type="CustomResponse" statusCode="403"'),
            ("Default Web Site/OAB", ".*", 'type="AbortRequest"'),
        ):
            inner = f'<match url="{url}" /><conditions>{condition}</conditions><action {action} />'
            rules = f'<rules><rule name="{path}">{inner}</rule></rules>'
            section = f"<system.webServer><rewrite>{rules}</rewrite></system.webServer>"
            iis.add_location(path, section)
        entry = f'<add ipAddress="{lan}" allowed="true" />'
        addresses = f'<ipSecurity allowUnlisted="false">{entry}</ipSecurity>'
        section = f"<system.webServer><security>{addresses}</security></system.webServer>"
        iis.add_location("Default Web Site/EWS", section)
        told = {
            path: (web.browse(stranger, path).status, web.browse(inside, path).status)
            for path in ("/ecp/", "//ECP", "/owa/..%2fecp/", "/EWS/x", "/owa/", "/", "/ecp/%2565")
        }
        assert told == {
            "/ecp/": (403, 302),
            "//ECP": (403, 302),
            "/owa/..%2fecp/": (403, 302),
            "/EWS/x": (403, 401),
            "/owa/": (302, 302),
            "/": (302, 302),
            "/ecp/%2565": (404, 404),
        }
        with pytest.raises(http.client.RemoteDisconnected):
            web.browse(stranger, "/OAB/")
        assert web.browse(inside, "/OAB/").status == 401
        # What IIS refuses, Exchange does not sign.
        assert "X-FEServer" not in web.browse(stranger, "/ecp/").headers
        # Any method is asked about.
        iis.add_location(
            "Default Web Site/mapi",
            "<system.webServer><security><requestFiltering><verbs>"
            '<add verb="PROPFIND" allowed="false" />'
            "</verbs></requestFiltering></security></system.webServer>",
        )
        assert web.browse(stranger, "/mapi/", method="PROPFIND").status == 404
        assert web.browse(stranger, "/mapi/", method="POST").status == 401
