# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site of one server that manages every layer of it, and what a run of the playbooks found."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.lab import LabHost
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.packets import Packet, admits

HOST = "birke-ex1"
STRANGER = "203.0.113.9"
SITE: dict[str, t.Any] = {
    "mailedge_probe_targets": "",
    # A rule of URL Rewrite knows IPv4 alone, and the server has no module for IP lists.
    "mailedge_own_networks": ["10.20.0.0/16"],
    "mailedge_exchange_servers": [],
    "mailedge_exchange_publish": ["autodiscover"],
    "mailedge_windows_firewall_ports": [25],
    "mailedge_windows_firewall_domain_controllers": [],
    "mailedge_windows_tls_enabled": True,
}


def layers(run: Run) -> dict[str, dict[str, t.Any]]:
    """The results of the layers in the last task that has them."""
    return [layer_records for task in run.tasks if (layer_records := run.layers_of(task))][-1]


def whole(host: LabHost) -> tuple[t.Any, ...]:
    """The state of the server in every layer."""
    windows = host.exchange.windows
    return (
        host.exchange.shown(),
        windows.registry.shown(),
        windows.iis.text,
        [rule.text() for rule in windows.firewall.rules],
    )


def reaches(host: LabHost, sender: str) -> tuple[bool, bool]:
    """Whether a sender gets to port 25 of the server, and to its admin center."""
    windows = host.exchange.windows
    packet = Packet(sender, 25, listener="MSExchangeFrontendTransport.exe")
    return admits(windows.firewall, packet), windows.iis.request("/ecp/", sender).passed
