# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names whose addresses are known before a look."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.known import (
    as_addresses,
    check_known,
    with_names,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import find_doors
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import OptionError

KNOWN = {
    "mail.hafen.example": ["127.0.0.1", "::1"],
    "webmail.hafen.example": ["127.0.0.1"],
}


def doors(targets: list[str], family: str = "any") -> dict[str, tuple[str, ...]]:
    doors, unresolved = find_doors(as_addresses(targets, KNOWN), 25, family, 1.0)
    assert unresolved == []
    return {door.address: door.names for door in with_names(doors, targets, KNOWN)}


def test_each_address_is_a_door_with_all_names_that_led_there() -> None:
    both = ["mail.hafen.example", "webmail.hafen.example"]
    assert doors(both) == {"127.0.0.1": tuple(both), "::1": ("mail.hafen.example",)}
    assert doors([*both, "127.0.0.1"])["127.0.0.1"] == (*both, "127.0.0.1")
    assert doors(both, "ipv4") == {"127.0.0.1": tuple(both)}
    assert doors(["127.0.0.2"]) == {"127.0.0.2": ("127.0.0.2",)}


@pytest.mark.parametrize("wrong", [{"mail": ["nowhere"]}, {"mail": [7]}, {"mail": []}])
def test_what_is_no_address_is_refused(wrong: dict[str, t.Any]) -> None:
    with pytest.raises(OptionError, match="Nothing was sent"):
        check_known({"target_addresses": wrong})


def test_addresses_are_compared_by_meaning() -> None:
    assert check_known({"target_addresses": {"mail": ["2001:DB8:0::25"]}}) == {
        "mail": ["2001:db8::25"]
    }
