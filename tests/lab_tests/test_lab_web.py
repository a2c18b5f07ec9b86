# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's web answers to somebody who is not logged in."""

from __future__ import annotations

import socket

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.site import SOURCES, Site


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
        assert (login.status, login.headers.get_all("WWW-Authenticate")) == (401, ["Negotiate", "NTLM"])
        assert newer.browse(stranger, "/nothing").status == 404
        assert "X-FEServer" not in older.browse(stranger, "/owa/").headers
        # Somebody who connects and says nothing keeps nobody waiting.
        with socket.create_connection((newer.address, newer.port), timeout=5):
            assert newer.browse(stranger, "/owa/", seconds=5).status == 302
