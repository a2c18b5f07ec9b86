# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds: what a server prints and what a user types mean the same, and come back unchanged."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.values import (
    AddressSpace,
    AddressSpaces,
    Capabilities,
    Login,
    LoginKind,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.kinds import (
    UNLIMITED,
    Bool,
    Choice,
    Host,
    Int,
    Kind,
    KindError,
    Size,
    Text,
    TimeSpan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.lists import (
    Bindings,
    Flags,
    Hosts,
    Ranges,
    ServerNames,
)

GROUPS = Flags("AnonymousUsers", "ExchangeUsers", "ExchangeServers", dropped=["Custom"])
LIMIT = Int(1, 10000, unlimited=True)
SIZE = Size(65536, 2147483647, unlimited=True)
SPAN = TimeSpan()


@pytest.mark.parametrize(
    ("kind", "printed", "typed"),
    [
        (Bool(), "True", True),
        (Bool(), False, "no"),
        (Int(1, 500), 60, "60"),
        (LIMIT, "Unlimited", "unlimited"),
        (LIMIT, "5000", 5000),
        (SIZE, "36 MB (37,748,736 bytes)", "36MB"),
        (SIZE, "36 MB (37.748.736 Bytes)", "36 mb"),
        (SIZE, "36 MB (37\u00a0748\u00a0736 octets)", 37748736),
        (SIZE, "36 MB (37\u202f748\u202f736 octets)", "37748736"),
        (SIZE, "36 MB (37\u2019748\u2019736 Bytes)", "36864 KB"),
        (SIZE, "3,77,48,736B".replace(",", ""), "36MB"),
        (SIZE, "Unlimited", "UNLIMITED"),
        (SPAN, "00:10:00", 600),
        (SPAN, "1.00:00:00", "86400"),
        (SPAN, "00:00:05", "00:00:05"),
        (SPAN, "00:00:00.5000000", 0.5),
        (Host(), "Mail.Birke.example", "mail.birke.example"),
        (Text(), "", None),
        (Choice("None", "Verbose"), "Verbose", "verbose"),
        (GROUPS, "AnonymousUsers, ExchangeServers, Custom", ["exchangeservers", "AnonymousUsers"]),
        (GROUPS, "None", []),
        (GROUPS, "Custom", ["None"]),
        (Ranges(), ["10.0.0.0/8"], ["10.0.0.0-10.255.255.255"]),
        (Ranges(), ["192.0.2.77/24"], "192.0.2.0/24"),
        (Ranges(), ["10.0.0.0(255.0.0.0)"], ["10.0.0.0/9", "10.128.0.0/9"]),
        (Ranges(), ["2001:DB8:0::/32", "192.0.2.1"], ["192.0.2.1", "2001:db8::/32"]),
        (Ranges(), ["0.0.0.0-255.255.255.255"], ["0.0.0.0/0"]),
        (Bindings(), ["[::]:25", "0.0.0.0:25"], "0.0.0.0:25, [::]:25"),
        (Hosts(), ["[192.0.2.7]", "Out.Filter.example"], ["out.filter.example", "192.0.2.7"]),
        (Hosts(), ["[2001:DB8:0:0::7]"], ["2001:db8::7"]),
        (ServerNames(), ["CN=EX1,CN=Servers,CN=Birke"], ["ex1"]),
        (
            ServerNames(),
            ["birke.example/Configuration/Servers/EX1", "EX2"],
            ["ex1.birke.example", "ex2"],
        ),
        (AddressSpaces(), ["smtp:*;1"], ["*"]),
        (AddressSpaces(), ["SMTP:Contoso.Example;1"], ["contoso.example"]),
        (AddressSpaces(), ["Local:SMTP:*.contoso.example;5"], ["*.contoso.example;5"]),
        (AddressSpaces(), ["SMTP:--;1"], ["--"]),
        (AddressSpaces(), ["X400:c=us;a=adatum;p=site;10"], ["x400:c=us;a=adatum;p=site;10"]),
        (
            Capabilities(),
            ["Mail.example:AcceptCloudServicesMail,AcceptOorgProtocol"],
            ["mail.example:acceptoorgprotocol", "mail.example:AcceptCloudServicesMail"],
        ),
    ],
)
def test_what_is_printed_equals_what_is_typed(kind: Kind, printed: t.Any, typed: t.Any) -> None:
    assert kind.read(printed) == kind.parse(typed)


@pytest.mark.parametrize(
    ("kind", "given", "other"),
    [
        (Text(), "Banner", "banner"),
        (GROUPS, ["AnonymousUsers"], ["ExchangeUsers"]),
        (Ranges(), ["192.0.2.0/24"], ["192.0.2.0/25"]),
        (AddressSpaces(), ["*;1"], ["*;2"]),
        (SIZE, "36MB", "36000KB"),
        (Choice("None", "Verbose"), "", "None"),
    ],
)
def test_different_meanings_are_not_equal(kind: Kind, given: t.Any, other: t.Any) -> None:
    assert kind.parse(given) != kind.parse(other)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (Bool(), "maybe", "'maybe' is neither true nor false."),
        (Int(1, 500), 501, "501 is not a whole number from 1 to 500."),
        (Int(1, 500), True, "True"),
        (Int(1, 500), "unlimited", "'unlimited'"),
        (LIMIT, 10001, "or unlimited"),
        (SIZE, "36 cubits", "36 cubits"),
        (SIZE, "1KB", "from 65536 to 2147483647 bytes"),
        (SPAN, "00:10", "00:10:00, 1.00:00:00 or 600"),
        (SPAN, "00:61:00", "'00:61:00'"),
        (SPAN, "-5", "'-5'"),
        (TimeSpan(1, 86400), 0, "from 00:00:01 to 1.00:00:00"),
        (Choice("None", "Verbose"), "Loud", "not one of None, Verbose"),
        (GROUPS, ["AnonymousUser"], "'AnonymousUser' is not one of AnonymousUsers"),
        (GROUPS, ["None", "ExchangeUsers"], "None stands alone"),
        (GROUPS, 7, "neither a list"),
        (Ranges(), ["192.0.2.9-192.0.2.1"], "192.0.2.9-192.0.2.1"),
        (Ranges(), ["192.0.2.1-2001:db8::1"], "192.0.2.1-2001:db8::1"),
        (Ranges(), ["birke"], "birke"),
        (Ranges(), [None], "None"),
        (Ranges(), [{"add": "192.0.2.1"}], "not a text"),
        (Bindings(), ["0.0.0.0"], "0.0.0.0"),
        (AddressSpaces(), ["*contoso.example"], "whole label"),
        (AddressSpaces(), ["*;101"], "101"),
        (AddressSpaces(), ["SMTP:;1"], "not an address space"),
        (Capabilities(), ["mail.example"], "domain:capability"),
        (LoginKind(), "canary", "username and password"),
    ],
)
def test_what_is_none_of_its_kind_is_refused_in_a_sentence(
    kind: Kind, value: t.Any, said: str
) -> None:
    with pytest.raises(KindError) as caught:
        kind.parse(value)
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")


def test_what_a_newer_server_prints_is_kept() -> None:
    assert GROUPS.read("AnonymousUsers, Robots") == {"AnonymousUsers", "Robots"}
    assert Choice("None", "Verbose").read("Chatty") == "Chatty"
    assert Int(1, 500).read(1000) == 1000


@pytest.mark.parametrize(
    ("kind", "wish", "expected"),
    [
        (
            GROUPS,
            {"add": ["ExchangeServers"]},
            {"AnonymousUsers", "ExchangeUsers", "ExchangeServers"},
        ),
        (GROUPS, {"remove": "AnonymousUsers"}, {"ExchangeUsers"}),
        (
            GROUPS,
            {"remove": ["AnonymousUsers"], "add": ["ExchangeServers"]},
            {"ExchangeUsers", "ExchangeServers"},
        ),
        (GROUPS, {"set": ["ExchangeServers"], "add": None}, {"ExchangeServers"}),
        (GROUPS, {"set": []}, set()),
        (GROUPS, ["ExchangeServers"], {"ExchangeServers"}),
    ],
)
def test_a_list_is_replaced_or_changed_in_parts(kind: Kind, wish: t.Any, expected: t.Any) -> None:
    assert kind.merge(frozenset({"AnonymousUsers", "ExchangeUsers"}), wish) == expected


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"add": [], "delete": ["AnonymousUsers"]}, "'delete' is not one of add, remove and set."),
        ({}, "names none of add, remove and set"),
        ({"set": ["ExchangeUsers"], "add": ["ExchangeServers"]}, "whole list"),
    ],
)
def test_a_table_that_is_no_wish_is_refused(wish: t.Any, said: str) -> None:
    with pytest.raises(KindError, match=said):
        GROUPS.merge(frozenset(), wish)


def test_ranges_that_are_added_and_removed_leave_the_other_entries_as_they_were() -> None:
    kind = Ranges()
    current = kind.parse(["192.0.2.0/24", "192.0.2.7", "10.0.0.0-10.0.0.9", "2001:db8::/32"])
    changed = kind.merge(current, {"remove": ["10.0.0.5"], "add": ["198.51.100.1"]})
    assert changed == RangeSet.parse(
        ["192.0.2.0/24", "10.0.0.0-10.0.0.4", "10.0.0.6-10.0.0.9", "2001:db8::/32", "198.51.100.1"]
    )
    # The narrow entry inside the wide one decides which connector its sender meets: it must not be
    # merged away.
    assert "192.0.2.7" in kind.write(changed)
    assert kind.merge(current, {"remove": ["203.0.113.0/24"]}).entries == current.entries


addresses = st.integers(0, 40).map(lambda number: f"192.0.2.{number}")
intervals = st.tuples(st.integers(0, 40), st.integers(0, 8)).map(
    lambda pair: f"192.0.2.{pair[0]}-192.0.2.{sum(pair)}"
)
range_lists = st.lists(
    st.one_of(
        addresses, intervals, intervals.map(lambda text: text.replace("192.0.2.", "2001:db8::"))
    )
)


@given(range_lists, range_lists, range_lists)
def test_adding_and_removing_ranges_is_the_algebra_of_sets(
    current: t.Any, added: t.Any, removed: t.Any
) -> None:
    before, more, less = (RangeSet.parse(texts) for texts in (current, added, removed))
    assert Ranges().merge(before, {"add": added, "remove": removed}) == (before - less) | more


@given(range_lists)
def test_ranges_come_back_entry_by_entry(texts: list[str]) -> None:
    once = Ranges().parse(texts)
    again = Ranges().parse(Ranges().write(once))
    assert again == once
    assert again.entries == once.entries


@given(st.integers(65536, 2147483647))
def test_a_size_comes_back_to_the_byte(size: int) -> None:
    written = SIZE.write(SIZE.parse(size))
    assert written[-1] == "B"
    assert SIZE.parse(written) == size


@given(st.integers(1, 2147482624))
def test_a_size_that_the_server_rounds_up_is_rounded_up(size: int) -> None:
    rounded = Size(0, 2147483647, unit=1024).parse(size)
    assert isinstance(rounded, int)
    assert 0 <= rounded - size < 1024
    assert rounded % 1024 == 0


@given(st.integers(0, 86400 * 10_000_000))
def test_a_time_span_comes_back_to_the_tick(ticks: int) -> None:
    seconds = SPAN.parse(SPAN.write(ticks / 10_000_000))
    assert seconds is not None
    assert round(seconds * 10_000_000) == ticks


@given(st.text(min_size=1))
def test_a_text_comes_back_as_it_was(text: str) -> None:
    assert Text().write(Text().parse(text)) == text


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (Text(), None, ""),
        (Choice("None", "Verbose"), None, ""),
        (LIMIT, UNLIMITED, "unlimited"),
        (LIMIT, 20, "20"),
        (Int(1, 100), 2, 2),
        (SIZE, 262144, "256KB"),
        (SIZE, 262145, "262145B"),
        (SPAN, 86400, "1.00:00:00"),
        (
            GROUPS,
            frozenset({"ExchangeServers", "AnonymousUsers"}),
            ["AnonymousUsers", "ExchangeServers"],
        ),
        (AddressSpaces(), frozenset({AddressSpace("smtp", "*", 1)}), ["SMTP:*;1"]),
        (
            Capabilities(),
            frozenset({"mail.example:B", "mail.example:A", "other.example:A"}),
            ["mail.example:A,B", "other.example:A"],
        ),
        (Hosts(), frozenset({"b.example", "a.example"}), ["a.example", "b.example"]),
    ],
)
def test_what_is_shown_is_plain_and_means_the_same(kind: Kind, value: t.Any, shown: t.Any) -> None:
    assert kind.show(value) == shown
    assert kind.parse(shown) == value


def test_flags_are_written_as_one_text() -> None:
    assert (
        GROUPS.write(frozenset({"ExchangeServers", "AnonymousUsers"}))
        == "AnonymousUsers, ExchangeServers"
    )
    assert GROUPS.write(frozenset()) == "None"


def test_a_space_at_another_cost_takes_the_place_of_the_old_one() -> None:
    kind = AddressSpaces()
    current = kind.parse(["*;1", "contoso.example"])
    assert kind.merge(current, {"add": ["*;5"]}) == kind.parse(["*;5", "contoso.example"])
    assert kind.merge(current, {"remove": ["*;7"]}) == kind.parse(["contoso.example"])


class TestLogin:
    kind = LoginKind()
    wish: t.ClassVar[dict[str, str]] = {"username": "site@filter.example", "password": "canary"}

    def test_a_password_is_never_printed(self) -> None:
        login = self.kind.parse(self.wish)
        assert login is not None
        assert login.password == "canary"
        assert "canary" not in repr(login) + str(login)
        assert self.kind.show(login) == {"username": "site@filter.example"}

    def test_the_same_name_is_no_change(self) -> None:
        assert self.kind.merge(Login("SITE@filter.example"), self.wish) == Login(
            "site@filter.example"
        )
        assert self.kind.merge(Login("SITE@filter.example"), self.wish).password is None

    def test_a_name_that_is_not_shown_is_no_change(self) -> None:
        current = self.kind.read("System.Management.Automation.PSCredential")
        assert self.kind.merge(current, self.wish) == current
        assert self.kind.show(current) is None

    @pytest.mark.parametrize("current", [None, Login("other")])
    def test_a_missing_or_other_login_is_written(self, current: Login | None) -> None:
        assert self.kind.merge(current, self.wish).password == "canary"

    def test_always_is_a_change_every_time(self) -> None:
        current = Login("site@filter.example")
        assert self.kind.merge(current, {**self.wish, "update": "always"}) != current

    def test_an_empty_wish_takes_it_away(self) -> None:
        assert self.kind.merge(Login("site"), "") is None

    def test_a_name_without_its_password_is_enough_only_where_it_is_there(self) -> None:
        assert self.kind.merge(Login("site"), {"username": "site"}) == Login("site")
        with pytest.raises(KindError, match="password for 'site' is not known"):
            self.kind.merge(None, {"username": "site"})
