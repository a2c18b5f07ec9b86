# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ranges nobody can mean: the guards that every layer shares, and what was probably meant."""

from __future__ import annotations

import re
import typing as t

import netaddr
import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING_V4,
    EVERYTHING_V6,
    NOT_INTERNET,
    Interval,
    RangeError,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers import refresh
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites


def _set(intervals: t.Iterable[Interval]) -> netaddr.IPSet:
    return netaddr.IPSet(
        block
        for interval in intervals
        for block in netaddr.iprange_to_cidrs(
            netaddr.IPAddress(interval.first, interval.version),
            netaddr.IPAddress(interval.last, interval.version),
        )
    )


def test_what_is_not_the_internet_is_what_the_registries_say() -> None:
    """By netaddr's copy of IANA's tables; beside it RFC 3879, which it has no more."""
    told = netaddr.IPSet(
        [
            *netaddr.ip.IPV4_NOT_GLOBALLY_REACHABLE,
            netaddr.ip.IPV4_MULTICAST,
            netaddr.ip.IPV4_6TO4,
            *netaddr.ip.IPV6_NOT_GLOBALLY_REACHABLE,
            *netaddr.ip.IPV6_RESERVED,
            netaddr.ip.IPV6_MULTICAST,
            "fec0::/10",
        ]
    )
    examples = netaddr.IPSet(
        ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32"]
    )
    assert _set(NOT_INTERNET.intervals) == told - examples


_INTERNET = (EVERYTHING_V4 | EVERYTHING_V6) - NOT_INTERNET


def test_every_layer_judges_a_provider_s_ranges_alike() -> None:
    for text in (
        "224.0.0.0/8",
        "198.0.0.0/9",
        "2a00::/22",
        "::ffff:0:0/96",
        "0.1.2.3",
        "4000::/32",
    ):
        ranges = RangeSet.parse([text])
        told = {(finding.id, finding.severity) for finding in _ranges_guards.check(ranges, "It")}
        assert told, text
        of_exchange = guards.findings(
            sites.modern(), sites.modern(), SiteNetworks(provider=ranges), ()
        )
        assert told <= {(finding.id, finding.severity) for finding in of_exchange}
        assert told <= {
            (finding.id, finding.severity)
            for finding in refresh.judge(ranges, ranges, refresh.Limits())
        }
    assert (
        list(_ranges_guards.check(RangeSet.parse(["198.51.100.0/24", "2001:db8:100::/48"]), "It"))
        == []
    )


@pytest.mark.parametrize(
    ("texts", "meant"),
    [
        # A netmask where an end was meant, as the manuals of some providers write it.
        (["10.20.0.0-255.255.0.0"], "Write 10.20.0.0/16."),
        (["198.51.100.7 - 255.255.255.255"], "Write 198.51.100.7."),
        # An address and a mask.
        (["198.51.100.0 255.255.255.0"], "Write 198.51.100.0/24."),
        (["198.51.100.0/255.255.255.0"], "Write 198.51.100.0/24."),
        (["198.51.100.0 / 255.255.255.0"], "Write 198.51.100.0/24."),
        (["198.51.100.0/0.0.0.255"], "Write 198.51.100.0/24."),
        (
            ["198.51.100.0", "255.255.255.0"],
            "Write 198.51.100.0/24 for '198.51.100.0 255.255.255.0'.",
        ),
        (["255.255.255.0"], "is a netmask"),
        # A network far above its prefix length.
        (["198.51.100.0/8"], "Write 198.51.100.0/24, or 198.0.0.0/8 if that is meant."),
        (["10.20.0.0/1"], "Write 10.20.0.0/16, or 0.0.0.0/1 if that is meant."),
        (["192.168.1.0/16"], "Write 192.168.1.0/24, or 192.168.0.0/16 if that is meant."),
        (["203.0.113.9/16"], "Write 203.0.113.9, or 203.0.0.0/16 if that is meant."),
        (["198.51.100.0(255.0.0.0)"], "Write 198.51.100.0/24, or 198.0.0.0/8 if that is meant."),
        (["2001:db8:1::/16"], "Write 2001:db8:1::/48, or 2001::/16 if that is meant."),
        (["2001:db8::5/32"], "Write 2001:db8::5, or 2001:db8::/32 if that is meant."),
        # IPv4 written as IPv6.
        (["::ffff:198.51.100.7"], "Write 198.51.100.7."),
        (["::ffff:198.51.100.0/120"], "Write 198.51.100.0/24."),
    ],
)
def test_what_was_probably_meant_is_told(texts: list[str], meant: str) -> None:
    with pytest.raises(RangeError) as error:
        _ranges_guards.named(texts)
    assert meant in str(error.value)
    with pytest.raises(RangeError, match=re.escape(meant)):
        _ranges_guards.friends(texts)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(RangeError) as error:
        _ranges_guards.named("10.20.0.0-255.255.0.0, nonsense, 198.51.100.0/8")
    assert all(
        text in str(error.value) for text in ("10.20.0.0-255.255.0.0", "nonsense", "198.51.100.0/8")
    )


@pytest.mark.parametrize(
    "text",
    [
        "198.51.100.7",
        "198.51.100.7/24",
        "192.168.1.1/24",
        "10.20.1.11/16",
        "10.20.1.11/8",
        "10.21.0.0/15",
        "172.20.0.0/12",
        "198.51.100.0/22",
        "198.51.100.0-198.51.100.255",
        "2001:0DB8::CD3/60",
        "2001:db8::/32",
        "fd00::5/64",
        "fe80::1%11",
    ],
)
def test_ordinary_ways_to_write_a_range_are_taken(text: str) -> None:
    assert _ranges_guards.named([text]) == RangeSet.parse([text]) == _ranges_guards.friends([text])


@pytest.mark.parametrize(
    "texts",
    [
        ["0.0.0.0/0"],
        ["0.0.0.0-255.255.255.255"],
        ["::/0"],
        ["10.0.0.0-63.255.255.255"],
        [f"{first}.0.0.0/9" for first in (20, 30, 40)],
        ["2a00::/16"],
    ],
)
def test_a_sizeable_part_of_the_internet_is_no_friend(texts: list[str]) -> None:
    with pytest.raises(RangeError, match="Name the networks alone"):
        _ranges_guards.friends(texts)
    assert not _ranges_guards.believed(RangeSet.parse(texts)) & _INTERNET
    # A provider's ranges are told by the guard, which may be accepted, but are not believed either.
    assert {finding.id for finding in _ranges_guards.check(_ranges_guards.named(texts), "It")} >= {
        "range_too_wide"
    }


def test_private_networks_may_be_as_wide_as_they_like() -> None:
    private = [
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
        "198.51.100.0/24",
    ]
    assert (
        _ranges_guards.friends(private)
        == _ranges_guards.believed(RangeSet.parse(private))
        == RangeSet.parse(private)
    )
    assert list(_ranges_guards.check_friends(RangeSet.parse(private), "It")) == []
    assert [
        finding.id for finding in _ranges_guards.check_friends(RangeSet.parse(["11.0.0.0/9"]), "It")
    ] == ["range_too_wide"]
