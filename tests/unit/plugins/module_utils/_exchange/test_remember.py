# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers about connectors that were given before: never of other connectors."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import remember
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.remember import (
    remembered,
    same,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet

Connector = dict[str, t.Any]


def connector(name: str = "A", ranges: str = "10.0.0.0/8") -> Connector:
    return {"name": name, "remote_ip_ranges": RangeSet.parse(ranges)}


def counted() -> tuple[t.Callable[..., tuple[str, ...]], list[int]]:
    """A remembered function, and a list that grows with each time that it is worked out."""
    times: list[int] = []

    @remembered
    def names(connectors: t.Iterable[Connector], port: int = 25) -> tuple[str, ...]:
        times.append(port)
        return tuple(f"{each['name']} at {port}" for each in connectors)

    return names, times


def test_the_same_connectors_are_asked_about_once() -> None:
    names, times = counted()
    both = {"a": connector("A"), "b": connector("B")}
    assert names(both.values(), 25) == names(list(both.values()), 25) == ("A at 25", "B at 25")
    # Copies of them hold the very same values.
    assert names([dict(each) for each in both.values()], 25) == ("A at 25", "B at 25")
    assert names(same(both.values()), 25) == ("A at 25", "B at 25")
    assert times == [25]
    assert names(both.values(), 465) == ("A at 465", "B at 465")
    assert times == [25, 465]


def test_a_connector_that_was_changed_in_place_is_another_one() -> None:
    names, times = counted()
    changing = connector("A")
    assert names([changing]) == ("A at 25",)
    changing["name"] = "B"
    assert names([changing]) == ("B at 25",)
    changing["comment"] = "One more option"
    assert names([changing]) == ("B at 25",)
    del changing["comment"]
    assert names([changing]) == ("B at 25",)
    assert len(times) == 3


def test_ranges_that_are_equal_and_written_otherwise_are_others() -> None:
    """The sizes of the ranges decide which connector a sender meets."""
    names, times = counted()
    whole = RangeSet.parse("10.0.0.0/8")
    halves = RangeSet.parse("10.0.0.0/9,10.128.0.0/9")
    assert whole == halves
    changing = {"name": "A", "remote_ip_ranges": whole}
    names([changing])
    changing["remote_ip_ranges"] = halves
    names([changing])
    assert len(times) == 2


def test_the_order_of_connectors_counts() -> None:
    names, _times = counted()
    first, second = connector("A"), connector("B")
    assert names([first, second]) == ("A at 25", "B at 25")
    assert names([second, first]) == ("B at 25", "A at 25")


def test_connectors_that_come_and_go_never_get_the_answer_of_others() -> None:
    names, _times = counted()
    for number in range(300):
        assert names([connector(f"Relay {number}")]) == (f"Relay {number} at 25",)


def test_what_is_held_of_connectors_does_not_change_with_them() -> None:
    changing = connector("A")
    held = same([changing])
    changing["name"] = "B"
    assert held[0]["name"] == "A"
    assert same([changing])[0]["name"] == "B"
    assert same(held) is held


def test_a_connector_that_was_emptied_is_another_one() -> None:
    changing = connector("A")
    assert [dict(each) for each in same([changing])] == [changing]
    changing.clear()
    assert [dict(each) for each in same([changing])] == [{}]
    changing["name"] = "A"
    assert [dict(each) for each in same([changing])] == [{"name": "A"}]


def test_no_more_is_remembered_than_some_rounds_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remember, "_MOST", 3)
    names, times = counted()
    kept = [connector(f"Relay {number}") for number in range(3)]
    remember.forget()
    for _round in range(2):
        for each in kept:
            names([each])
            # As it is: looked at once, and known by itself afterwards.
            assert same([each]) is same([each])
    assert len(times) == 3
    assert [len(remember._by_values), len(remember._by_objects)] == [3, 3]
    names([connector("Relay 3")])
    assert [len(remember._by_values), len(remember._by_objects)] == [1, 1]
    names([kept[0]])
    assert len(times) == 5


def test_no_more_answers_about_the_same_connectors_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remember, "_MOST", 3)
    names, times = counted()
    held = same([connector()])
    for port in (1, 2, 3, 1, 2, 3, 4, 1):
        assert names(held, port) == (f"A at {port}",)
    assert times == [1, 2, 3, 4, 1]


def test_what_was_forgotten_is_held_no_more() -> None:
    names, _times = counted()
    names([connector()])
    assert any(remember._answers)
    remember.forget()
    assert [len(remember._by_values), len(remember._by_objects)] == [0, 0]
    assert not any(remember._answers)


def test_a_connector_is_looked_at_whole_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is as it was is found by itself, and not by all that it holds."""
    whole = same([connector("A")])
    changing = dict(whole[0])
    held = same([changing])
    monkeypatch.setattr(remember, "_by_values", None)
    assert same([changing]) is held
