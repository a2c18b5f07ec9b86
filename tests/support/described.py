# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptions of a site, as the first action of every playbook makes them."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.describe import (
    Description,
    describe,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.parts import Surroundings

TODAY = datetime.date(2026, 11, 25)
SITE: dict[str, t.Any] = {"mailedge_site": "birke", "mailedge_provider_ranges": ["198.51.100.0/24"]}
FIREWALL: dict[str, t.Any] = {
    "mailedge_fortigate_host": "fw.birke.example",
    "mailedge_fortigate_token": "canary-token",
    "mailedge_fortigate_vips": ["VIP-mail"],
}
PROBE: dict[str, t.Any] = {
    "mailedge_probe_targets": ["mail.birke.example"],
    "mailedge_probe_sender": "probe@service.example",
    "mailedge_probe_recipient": "postmaster@birke.example",
}
WHOLE = {**SITE, **FIREWALL, **PROBE}


def described(
    variables: t.Mapping[str, t.Any],
    *,
    playbook: str = "apply",
    host: str = "birke-ex1",
    selected: t.Sequence[str] = ("birke-ex1", "birke-ex2"),
    site_hosts: t.Sequence[str] = ("birke-ex1", "birke-ex2"),
) -> Description:
    around = Surroundings(host, playbook, tuple(site_hosts), tuple(selected))
    return describe(variables, around, TODAY)


def parts(description: Description) -> dict[str, str]:
    assert not description.errors, description.errors
    unused = {"iis", "windows firewall", "windows tls", "windows posture", "hybrid"}
    return {
        name: part.how
        for name, part in description.parts.items()
        if name not in unused or part.how != "not managed"
    }
