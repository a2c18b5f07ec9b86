# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cidrs."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.mailedge.lockdown.plugins.filter.cidrs import FilterModule, cidrs

MIXED = ["198.51.101.0/24", "198.51.100.0-198.51.100.255", "2001:db8::1"]


def test_the_fewest_prefixes_of_each_family() -> None:
    assert cidrs(MIXED) == ["198.51.100.0/23", "2001:db8::1/128"]
    assert cidrs(MIXED, version=4) == ["198.51.100.0/23"]
    assert cidrs(MIXED, 6) == ["2001:db8::1/128"]
    assert cidrs([]) == []
    assert FilterModule().filters()["cidrs"] is cidrs


@pytest.mark.parametrize(
    ("ranges", "version"),
    [("198.51.100.0/24", None), (None, None), (["x"], None), ([1], 4), ([], 5), ([[]], None)],
)
def test_what_is_no_list_of_ranges(ranges: t.Any, version: t.Any) -> None:
    with pytest.raises(AnsibleFilterError, match="cidrs: "):
        cidrs(ranges, version)
