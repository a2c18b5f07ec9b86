# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall as a stage of the whole edge, at each time of a run that locks it."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.modules import fortios_inbound_lock
from ansible_collections.mailedge.lockdown.tests.support.fortigate import LOCK, Firewall


def test_the_edge_is_told_as_it_is_as_it_would_be_and_as_it_was(firewall: Firewall) -> None:
    def strangers(edge: t.Mapping[str, t.Any]) -> t.Any:
        (reach,) = [door["reach"] for door in edge["doors"] if 25 in door["ports"]]
        return reach.get("strangers")

    checked = firewall.done(fortios_inbound_lock, **LOCK, check=True)["edge"]
    assert strangers(checked) == ["all", "all"]
    assert strangers(checked["described"]) is None
    made = firewall.done(fortios_inbound_lock, **LOCK)["edge"]
    assert (strangers(made), strangers(made["before"])) == (None, ["all", "all"])
    assert "described" not in made
    again = firewall.done(fortios_inbound_lock, **LOCK)["edge"]
    assert {"described", "before"} & set(again) == set()
