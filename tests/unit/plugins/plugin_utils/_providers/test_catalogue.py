# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue, the lock file and what is believed of an answer."""

from __future__ import annotations

import datetime
import pathlib
import sys
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import PRIVATE, RangeSet
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers import (
    catalogue,
    lockfile,
    refresh,
    registry,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import (
    ProviderError,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.lockfile import Locked

TODAY = datetime.date(2026, 11, 23)


def ranges(*texts: str) -> RangeSet:
    return RangeSet.parse(texts)


def test_every_entry_of_the_catalogue_is_whole() -> None:
    entries = catalogue.load()
    assert len({entry.provider for entry in entries}) >= 25
    assert len({(entry.provider, entry.region) for entry in entries}) == len(entries)
    for entry in entries:
        assert entry.mechanism in catalogue.MECHANISMS, entry
        assert entry.grade in catalogue.GRADES, entry
        assert entry.source, entry
        assert entry.product, entry
        # Either ranges that somebody stands for, or what to ask the provider.
        assert bool(entry.ranges) or (entry.mechanism == "customer" and entry.ask), entry
        if entry.ranges:
            assert entry.as_of, entry
            assert entry.region, entry
            assert not entry.ranges & PRIVATE, entry
            assert list(refresh.judge(entry.ranges, ranges(), refresh.Limits())) == [], entry
    assert {entry.provider for entry in entries if entry.shared} == {"google", "microsoft-eop"}


def test_the_catalogue_is_in_order_and_says_each_range_once() -> None:
    text = (pathlib.Path(catalogue.__file__).with_name("catalogue.yml")).read_text(encoding="utf-8")
    ids = [line.split(":")[1].strip() for line in text.splitlines() if line.startswith("  - id:")]
    assert ids == sorted(ids)
    for entry in catalogue.load():
        assert len(entry.ranges.to_cidrs()) == len(entry.ranges.entries) or entry.ranges, entry


def test_each_region_of_seppmail_has_its_own_certificate_and_addresses() -> None:
    regions = [entry for entry in catalogue.load() if entry.provider == "seppmail-cloud"]
    assert [(entry.region, entry.tls_cert_names) for entry in regions] == [
        (region, (f"*.{region}.seppmail.cloud",)) for region in ("ch", "de", "prv")
    ]
    assert not any(
        region.ranges & other.ranges
        for region in regions
        for other in regions
        if region is not other
    )
    with pytest.raises(ProviderError, match=r"Name one of its regions: ch, de, prv.*Deliver hosts"):
        catalogue.find("seppmail-cloud")
    # Nobody is let in by a list that its provider has withdrawn, unless the site says so.
    with pytest.raises(ProviderError, match=r"grade C.*2025-09-10"):
        catalogue.usable(catalogue.find("seppmail-cloud", "de"), "B")
    assert catalogue.usable(catalogue.find("seppmail-cloud", "de"), "C").v6


def test_a_region_of_spamtitan_is_a_pair_of_mx_records() -> None:
    pairs = [entry for entry in catalogue.load() if entry.provider == "spamtitan"]
    assert len(pairs) == 4
    for entry in pairs:
        assert [f"{host}.spamtitan.com" for host in entry.region.split("-")] == list(
            entry.mx_suffixes
        )
        # As many names of servers as addresses, and none of another pair.
        assert len(entry.source.split()) == len(entry.ranges.to_cidrs())
    assert len({name for entry in pairs for name in entry.source.split()}) == sum(
        len(pair.source.split()) for pair in pairs
    )
    assert not any(
        pair.ranges & other.ranges for pair in pairs for other in pairs if pair is not other
    )
    with pytest.raises(ProviderError, match="MX records of your domain name the pair"):
        catalogue.find("spamtitan")


@pytest.mark.parametrize(
    ("provider", "region", "words"),
    [
        ("mimcast", "", "Did you mean mimecast"),
        ("", "", "no provider ''"),
        ("mimecast", "", "Name one of its regions: us, uk, de, za, au"),
        ("mimecast", "ca", "has no region 'ca'"),
        ("cisco", "us", "has no regions"),
    ],
)
def test_who_cannot_be_found(provider: str, region: str, words: str) -> None:
    with pytest.raises(ProviderError) as refused:
        catalogue.find(provider, region)
    assert words in str(refused.value)


def test_grades_and_what_the_customer_is_told() -> None:
    assert catalogue.usable(catalogue.find("mimecast", "us"), "B")
    with pytest.raises(ProviderError, match="of grade B.*accepts A"):
        catalogue.usable(catalogue.find("mimecast", "us"), "A")
    with pytest.raises(ProviderError, match="of grade C"):
        catalogue.usable(catalogue.find("broadcom"), "B")
    assert catalogue.usable(catalogue.find("broadcom"), "C")
    with pytest.raises(ProviderError, match="welcome letter"):
        catalogue.usable(catalogue.find("cisco"), "C")


@pytest.mark.parametrize(
    ("answer", "guard"),
    [
        (("10.0.0.0/24",), "private_range"),
        (("198.51.100.0/24", "fe80::/10"), "private_range"),
        (("0.0.0.0/0",), "range_too_wide"),
        (("64.0.0.0/8",), "range_too_wide"),
        (("2000::/3",), "range_too_wide"),
        (tuple(f"198.18.{number}.1" for number in range(60)), "too_many_ranges"),
        (("198.51.100.0/26",), "sharply_shrunken"),
        (("198.51.100.0/24",), "sharply_shrunken"),
        (("203.0.113.0/24", "2001:db8:100::/48"), "sharply_shrunken"),
        (("198.51.100.0/24", "2001:db8:100::/48", "2d00::/32"), "unallocated_range"),
    ],
)
def test_what_is_not_believed(answer: tuple[str, ...], guard: str) -> None:
    before = ranges("198.51.100.0/24", "2001:db8:100::/48")
    assert guard in [
        finding.id for finding in refresh.judge(ranges(*answer), before, refresh.Limits(ranges=50))
    ]
    assert guard in refresh.GUARDS


def test_who_holds_a_range_is_told() -> None:
    """Both are documentation ranges, in blocks that are given out (iana.org, IPv4 address space,
    IPv6 unicast assignments).
    """
    assert registry.told(
        ranges("198.51.100.0/24", "2001:db8:100::/48", "2d00::/32", "4000::/32"), "Add"
    ) == [
        "Add 198.51.100.0/24, in ARIN's block 198/8, legacy.",
        "Add 2001:db8:100::/48, in APNIC's block 2001:0c00::/23, allocated.",
        "Add 2d00::/32, in IANA's block 2d00:0000::/8, reserved.",
        "Add 4000::/32, in no block of any registry.",
    ]


def test_what_was_locked_before_is_not_asked_about_again() -> None:
    known = ranges("198.51.100.0/24", "2d00::/32")
    assert list(refresh.judge(known, known, refresh.Limits())) == []


def test_without_netaddr_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netaddr", None)
    with pytest.raises(ProviderError, match="pip install netaddr"):
        registry.block_of("198.51.100.0/24")


def test_an_empty_answer_is_never_believed() -> None:
    with pytest.raises(ProviderError, match="empty"):
        list(refresh.judge(ranges(), ranges("198.51.100.0/24"), refresh.Limits(removed=100)))


def test_no_news_is_no_change_and_what_is_gone_stays_for_a_while() -> None:
    old = Locked("url", "x", TODAY, ranges("198.51.100.0/24"))
    later = TODAY + datetime.timedelta(days=10)
    about: dict[str, t.Any] = {"mechanism": "url", "source": "x", "grace_days": 30}
    assert refresh.renew(old, ranges("198.51.100.0/24"), today=later, **about) == old
    less = refresh.renew(old, ranges("198.51.100.0/25", "203.0.113.0/24"), today=later, **about)
    assert less.retrieved == later
    until = later + datetime.timedelta(days=30)
    assert less.leaving == ((ranges("198.51.100.128/25"), until),)
    assert less.counting(until) == ranges("198.51.100.0/24", "203.0.113.0/24")
    assert less.counting(until + datetime.timedelta(days=1)) == ranges(
        "198.51.100.0/25", "203.0.113.0/24"
    )
    # The day counts from when it went, and not from the last look.
    again = refresh.renew(less, less.ranges, today=later + datetime.timedelta(days=5), **about)
    assert again == less
    # What comes back leaves no more; what has left is forgotten.
    back = refresh.renew(less, ranges("198.51.100.0/24", "203.0.113.0/24"), today=until, **about)
    assert back.leaving == ()
    gone = refresh.renew(less, less.ranges, today=until + datetime.timedelta(days=1), **about)
    assert gone.leaving == ()
    assert gone.retrieved == less.retrieved


DAYS = st.dates(min_value=datetime.date(2026, 1, 1), max_value=datetime.date(2027, 12, 31))
SETS = st.lists(
    st.sampled_from([f"198.51.{number}.0/24" for number in range(8)] + ["2001:db8:1::/48"]),
    min_size=1,
).map(RangeSet.parse)


@given(
    lock=st.dictionaries(
        st.sampled_from(["a", "b/us", "c"]),
        st.builds(
            Locked,
            st.sampled_from(["url", "dns"]),
            st.text("abc: #'\u201e\u00fc"),
            DAYS,
            SETS,
            st.lists(st.tuples(SETS, DAYS)).map(tuple),
        ),
    )
)
def test_what_is_written_is_read_again(lock: lockfile.Lock) -> None:
    text = lockfile.render(lock)
    again = lockfile.parse(text, "x")
    assert lockfile.render(again) == text
    day = datetime.date(2026, 6, 1)
    assert {name: locked.counting(day) for name, locked in again.items()} == {
        name: locked.counting(day) for name, locked in lock.items()
    }


@pytest.mark.parametrize(
    "day", ["2027-W04-7", "20270131", "2027-01-31 10:00:00", "2027-01-31T10:00:00Z"]
)
def test_a_lock_file_takes_days_in_one_form(day: str) -> None:
    locked = Locked(
        "url", "x", TODAY, ranges("198.51.100.0/24"), ((ranges("198.51.100.0/25"), TODAY),)
    )
    text = lockfile.render({"a": locked})
    assert lockfile.parse(text, "x")["a"].leaving == locked.leaving
    assert f"until: '{TODAY}'" in text
    with pytest.raises(ProviderError, match="is not a day such as 2027-01-31"):
        lockfile.parse(text.replace(f"until: '{TODAY}'", f"until: {day}"), "x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "format: 2",
        "format: 1\nproviders: [1]",
        "format: 1\nproviders: {a: {ranges: []}}",
        "<<<<<<< HEAD\nformat: 1",
        "\t",
    ],
)
def test_a_lock_file_that_somebody_has_broken(text: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "ranges.lock.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProviderError, match=r"cannot be read.*site's repository"):
        lockfile.read(str(path))


def test_one_range_a_line_in_a_stable_order() -> None:
    locked = Locked("url", "x", TODAY, ranges("203.0.113.0/24", "2001:db8::/48", "198.51.100.0/24"))
    lines = lockfile.render({"b": locked, "a": locked}).splitlines()
    assert [line.strip() for line in lines if "/" in line and line.strip().startswith("- ")] == [
        "- 198.51.100.0/24",
        "- 203.0.113.0/24",
        "- 2001:db8::/48",
    ] * 2
    assert lockfile.render({"a": locked, "b": locked}) == lockfile.render(
        {"b": locked, "a": locked}
    )
