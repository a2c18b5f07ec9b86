# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is practised before workers are forked: a whole description and plan, and nothing stays."""

from __future__ import annotations

import datetime

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import remember
from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _practice
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.describe import describe
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.parts import Surroundings


def test_a_whole_plan_is_practised() -> None:
    """One that knows its connectors: a plan of a server without any would practise little."""
    result = _practice.practise()
    assert [sentence.partition(":")[0] for sentence in result["plan"]] == [
        "Change the receive connector 'Mail from filter'"
    ]
    assert result["guards"] == []
    assert result["strangers"] == {"before": [], "after": []}
    assert {door["ports"][0] for door in result["edge"]["doors"]} == {25, 587}


def test_a_whole_description_is_practised() -> None:
    around = Surroundings(host="a", playbook="drift", site_hosts=("a",), selected=("a",))
    description = describe(dict(_practice._VARIABLES), around, datetime.date(2000, 1, 1))
    assert description.errors == []
    assert "exchange" in description.parts


def test_nothing_of_it_is_remembered() -> None:
    _practice.practise()
    assert not remember._by_values
    assert not remember._by_objects
    assert not any(remember._answers)
