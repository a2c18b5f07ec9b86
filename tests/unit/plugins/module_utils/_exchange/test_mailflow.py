# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mail-flow model against a brute-force reading of Exchange's rule, for single senders and for
whole families.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import time
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    REFUSED,
    Answer,
    answers,
    exposure,
    listeners,
    match,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    EVERYTHING_V4,
    EVERYTHING_V6,
    LOOPBACK,
    Address,
    RangeError,
    RangeSet,
    parse_address,
)
from ansible_collections.mailedge.lockdown.tests.support.mailflow import Connector, connector

PROVIDER = "198.51.100.0/24"


def name_of(connectors: t.Iterable[Connector], sender: str, **more: t.Any) -> str | None:
    return match(connectors, sender, **more).connector


def local(text: str) -> Address:
    return parse_address(text)


class TestMatch:
    def test_the_most_specific_range_wins_whatever_the_order(self) -> None:
        some = [
            connector("Default Frontend"),
            connector("Provider", PROVIDER),
            connector("One host", "198.51.100.25"),
            connector("Half of it", "198.51.100.0-198.51.100.127"),
        ]
        expected = {
            "198.51.100.25": "One host",
            "198.51.100.26": "Half of it",
            "198.51.100.128": "Provider",
            "198.51.101.0": "Default Frontend",
            "203.0.113.9": "Default Frontend",
            "2001:db8::9": "Default Frontend",
        }
        for order in (some, some[::-1], some[2:] + some[:2]):
            assert {sender: name_of(order, sender) for sender in expected} == expected

    def test_specific_is_the_range_as_written_and_not_what_its_neighbours_make_of_it(self) -> None:
        written_in_halves = connector("Halves", ["198.51.100.0/25", "198.51.100.128/25"])
        assert (
            name_of([connector("Whole", PROVIDER), written_in_halves], "198.51.100.200") == "Halves"
        )

    def test_a_range_of_one_family_never_hears_the_other(self) -> None:
        some = [connector("Four", EVERYTHING_V4), connector("Six", "2001:db8::/32")]
        assert name_of(some, "203.0.113.9") == "Four"
        assert name_of(some, "2001:db8::1") == "Six"
        assert match(some, "2001:db9::1") == REFUSED
        assert match(some, "::ffff:203.0.113.9") == REFUSED

    def test_a_binding_of_one_family_never_hears_the_other(self) -> None:
        some = [connector("Four", bindings=["0.0.0.0:25"])]
        assert name_of(some, "203.0.113.9") == "Four"
        assert match(some, "2001:db8::1") == REFUSED

    def test_disabled_connectors_hear_nobody(self) -> None:
        some = [connector("Wide"), connector("Provider", PROVIDER, enabled=False)]
        assert name_of(some, "198.51.100.7") == "Wide"
        assert match(some[1:], "198.51.100.7") == REFUSED

    def test_a_connector_of_which_is_not_known_whether_it_is_enabled_counts(self) -> None:
        assert name_of([connector("Odd", enabled=None)], "203.0.113.9") == "Odd"
        assert (
            name_of(
                [{key: value for key, value in connector("Odd").items() if key != "enabled"}],
                "203.0.113.9",
            )
            == "Odd"
        )

    def test_other_ports_are_other_doors(self) -> None:
        some = [connector("Frontend"), connector("Hub", bindings=["0.0.0.0:2525", "[::]:2525"])]
        assert name_of(some, "203.0.113.9", port=2525) == "Hub"
        assert match(some, "203.0.113.9", port=587) == REFUSED

    def test_a_binding_to_the_very_local_address_beats_the_wildcard(self) -> None:
        some = [
            connector("Wildcard", PROVIDER),
            connector("Named", "198.51.0.0/16", bindings=["192.0.2.1:25"]),
        ]
        assert name_of(some, "198.51.100.7", local=local("192.0.2.1")) == "Named"
        assert name_of(some, "198.51.100.7", local=local("192.0.2.2")) == "Wildcard"
        assert name_of(some, "198.51.100.7") == "Wildcard"
        # The socket of the named address takes the sender, although only the wildcard would hear
        # it.
        assert (
            match(
                [some[0], {**some[1], "remote_ip_ranges": RangeSet.parse("10.0.0.0/8")}],
                "198.51.100.7",
                25,
                local("192.0.2.1"),
            )
            == REFUSED
        )

    def test_without_a_wildcard_the_named_addresses_stand_together(self) -> None:
        some = [
            connector("Internet", bindings=["192.0.2.1:25"]),
            connector("LAN", "10.0.0.0/8", bindings=["192.0.2.2:25"]),
            connector("Fax", bindings=["127.0.0.1:25"]),
        ]
        assert name_of(some, "10.1.1.1") == "LAN"
        assert name_of(some, "203.0.113.9") == "Internet"
        assert name_of(some, "127.0.0.1") == "Fax"
        assert match(some, "10.1.1.1", local=local("192.0.2.3")) == REFUSED
        assert match(some[2:], "203.0.113.9") == REFUSED

    def test_a_local_address_of_the_other_family_is_out_of_reach(self) -> None:
        assert match([connector("Wide")], "203.0.113.9", local=local("2001:db8::25")) == REFUSED

    def test_what_is_no_address_is_refused(self) -> None:
        with pytest.raises(RangeError):
            match([connector("Wide")], "mail.example")

    def test_a_connector_without_ranges_or_bindings_hears_nobody(self) -> None:
        for missing in ("remote_ip_ranges", "bindings"):
            assert match([{**connector("Odd"), missing: None}], "203.0.113.9") == REFUSED
            assert (
                match(
                    [{key: value for key, value in connector("Odd").items() if key != missing}],
                    "203.0.113.9",
                )
                == REFUSED
            )

    def test_equal_ranges_that_exchange_would_refuse_still_have_one_answer(self) -> None:
        some = [connector("b"), connector("A"), connector("c")]
        assert {name_of(order, "203.0.113.9") for order in (some, some[::-1])} == {"A"}


class TestRights:
    @pytest.mark.parametrize(
        ("options", "relay", "external", "accepted"),
        [
            ({}, False, False, True),
            ({"permission_groups": frozenset()}, False, False, False),
            (
                {"permission_groups": frozenset({"ExchangeUsers", "ExchangeServers"})},
                False,
                False,
                False,
            ),
            ({"anonymous_relay": True}, True, False, True),
            (
                {"anonymous_relay": True, "permission_groups": frozenset({"ExchangeUsers"})},
                False,
                False,
                False,
            ),
            ({"anonymous_relay": None}, False, False, True),
            ({"auth_mechanism": frozenset({"Tls", "ExternalAuthoritative"})}, True, True, True),
            (
                {
                    "auth_mechanism": frozenset({"ExternalAuthoritative"}),
                    "permission_groups": frozenset({"ExchangeServers"}),
                },
                True,
                True,
                True,
            ),
            ({"auth_mechanism": None}, False, False, True),
        ],
    )
    def test_rights_follow_groups_relay_and_external(
        self, options: Connector, relay: bool, external: bool, accepted: bool
    ) -> None:
        answer = match([connector("One", **options)], "203.0.113.9")
        assert (answer.relay, answer.external, answer.accepts_anonymous) == (
            relay,
            external,
            accepted,
        )
        assert answer.refused is not accepted

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({}, "anonymous mail accepted"),
            ({"require_tls": True}, "anonymous mail accepted over TLS only"),
            (
                {"anonymous_relay": True},
                "anonymous mail accepted, relayed to any recipient (open relay)",
            ),
            (
                {"auth_mechanism": frozenset({"ExternalAuthoritative"})},
                (
                    "trusted as an Exchange server without a login, "
                    "relayed to any recipient (open relay)"
                ),
            ),
            ({"groups": ()}, "refused"),
            ({"groups": ("ExchangeUsers",)}, "refused, except for users that log in"),
            (
                {
                    "groups": (
                        "ExchangeUsers",
                        "ExchangeLegacyServers",
                        "ExchangeServers",
                        "Partners",
                    )
                },
                "refused, except for Exchange servers, partners and users that log in",
            ),
            (
                {"groups": ("NewGroup", "ExchangeServers")},
                "refused, except for Exchange servers and NewGroup that log in",
            ),
        ],
    )
    def test_an_answer_reads_as_a_sentence(self, options: Connector, words: str) -> None:
        assert match([connector("One", **options)], "203.0.113.9").words() == words

    def test_no_connector_reads_as_refused(self) -> None:
        assert REFUSED.words() == "refused"
        assert REFUSED.refused
        assert Answer(None, frozenset(), False, False, False) == REFUSED


class TestExposure:
    def test_listeners_are_the_endpoints_of_enabled_connectors_on_the_port(self) -> None:
        some = [
            connector("Frontend"),
            connector("Client", bindings=["0.0.0.0:587"]),
            connector("Fax", bindings=["127.0.0.1:25"], enabled=True),
            connector("Off", bindings=["192.0.2.1:25"], enabled=False),
        ]
        assert [str(endpoint) for endpoint in listeners(some, 25)] == [
            "0.0.0.0:25",
            "127.0.0.1:25",
            "[::]:25",
        ]
        assert [str(endpoint) for endpoint in listeners(some, 587)] == ["0.0.0.0:587"]
        assert listeners([], 25) == ()

    def test_a_stranger_and_the_provider_meet_different_answers(self) -> None:
        some = [
            connector("Default Frontend", groups=("ExchangeServers",)),
            connector("Provider", PROVIDER),
        ]
        shares = {(str(share.listener), share.answer.connector): share for share in exposure(some)}
        provider = RangeSet.parse(PROVIDER)
        assert shares["0.0.0.0:25", "Provider"].ranges == provider
        assert shares["0.0.0.0:25", "Default Frontend"].ranges == EVERYTHING_V4 - provider
        assert shares["[::]:25", "Default Frontend"].ranges == EVERYTHING_V6
        assert len(shares) == 3

    def test_the_very_last_address_of_a_family_is_told_from_the_one_before(self) -> None:
        for text, last in (
            ("255.255.255.254", "255.255.255.255"),
            ("ffff" + ":ffff" * 6 + ":fffe", "ffff" + ":ffff" * 7),
        ):
            shares = exposure(
                [connector("All but one", f"{'::' if ':' in text else '0.0.0.0'}-{text}")]
            )
            assert {share.answer for share in shares if last in share.ranges} == {REFUSED}
            assert {share.answer.connector for share in shares if text in share.ranges} == {
                "All but one"
            }

    def test_who_is_not_heard_is_part_of_the_exposure(self) -> None:
        (heard, refused) = sorted(
            exposure([connector("P", PROVIDER, bindings=["0.0.0.0:25"])]),
            key=lambda share: share.answer.refused,
        )
        assert refused.answer == REFUSED
        assert refused.ranges == EVERYTHING_V4 - heard.ranges

    def test_a_range_is_not_cut_where_a_wider_one_of_the_same_connector_begins(self) -> None:
        some = [connector("One", ["198.51.0.0/16", "198.51.100.0/24"], bindings=["0.0.0.0:25"])]
        shown = {share.answer.connector: share.ranges for share in exposure(some)}["One"]
        assert [str(entry) for entry in shown.entries] == ["198.51.0.0/16"]

    def test_the_same_connectors_in_another_order_give_the_same_exposure(self) -> None:
        some = [connector(f"C{number}", f"198.51.{number}.0/24") for number in range(20)] + [
            connector("Wide")
        ]
        shuffled = random.Random(5).sample(some, len(some))
        assert exposure(some) == exposure(shuffled)
        assert [share.ranges.entries for share in exposure(some)] == [
            share.ranges.entries for share in exposure(shuffled)
        ]

    def test_ten_thousand_ranges_fold_in_no_more_than_sorting_takes(self) -> None:
        pieces = [f"203.{number >> 8}.{number & 255}.0/25" for number in range(10_000)]
        some = [
            connector("Wide"),
            connector("Many", pieces),
            connector("Every other", [piece[:-3] for piece in pieces[::2]]),
        ]
        began = time.process_time()
        shares = exposure(some)
        assert time.process_time() - began < 2
        assert {share.answer.connector for share in shares} == {"Wide", "Many", "Every other"}


class TestAnswers:
    def test_senders_are_told_apart_by_what_they_meet(self) -> None:
        some = [connector("Wide", groups=()), connector("Provider", PROVIDER)]
        asked = RangeSet.parse(["198.51.0.0/16", "2001:db8::/32"])
        senders_of = {answer.connector: ranges for answer, ranges in answers(some, asked).items()}
        assert senders_of == {
            "Provider": RangeSet.parse(PROVIDER),
            "Wide": asked - RangeSet.parse(PROVIDER),
        }

    def test_a_family_without_a_listener_is_refused(self) -> None:
        assert (
            answers([connector("Four", bindings=["0.0.0.0:25"])], EVERYTHING)[REFUSED]
            == EVERYTHING_V6
        )
        assert answers([], EVERYTHING) == {REFUSED: EVERYTHING}

    def test_a_loopback_listener_is_for_loopback_senders(self) -> None:
        some = [connector("Fax", bindings=["127.0.0.1:25"])]
        senders_of = {
            answer.connector: ranges for answer, ranges in answers(some, EVERYTHING_V4).items()
        }
        assert senders_of == {"Fax": LOOPBACK.v4, None: EVERYTHING_V4 - LOOPBACK}

    def test_a_sender_stands_with_each_answer_that_it_can_meet(self) -> None:
        some = [connector("Wildcard"), connector("Named", groups=(), bindings=["192.0.2.1:25"])]
        sender = RangeSet.parse("203.0.113.9")
        assert {answer.connector for answer in answers(some, sender)} == {"Wildcard", "Named"}

    def test_nobody_meets_nothing(self) -> None:
        assert answers([connector("Wide")], RangeSet()) == {}


def test_of_two_with_the_same_claim_the_most_generous_one_is_named() -> None:
    same = [connector("A", require_tls=True), connector("B"), connector("C", require_tls=True)]
    assert match(same, "203.0.113.9").connector == "B"
    assert match([*same, connector("D", anonymous_relay=True)], "203.0.113.9").connector == "D"
    assert match([*same, connector("A0", groups=())], "203.0.113.9").connector == "B"


FIXTURES = os.environ.get("MAILEDGE_FIXTURES")


@pytest.mark.skipif(
    not FIXTURES, reason="MAILEDGE_FIXTURES does not name the folder with the dump of a real server"
)
def test_a_real_exchange_2019_as_set_up_answers_any_stranger() -> None:
    dump = json.loads(
        (pathlib.Path(FIXTURES or "") / "exchange2019_receive_connectors.json").read_text(
            "utf-8-sig"
        )
    )
    some = [
        connector(
            entry["Name"],
            entry["RemoteIPRanges"],
            (group.strip() for group in entry["PermissionGroups"].split(",")),
            entry["Bindings"],
            auth_mechanism=frozenset(word.strip() for word in entry["AuthMechanism"].split(",")),
        )
        for entry in dump
    ]
    for sender in ("203.0.113.9", "2001:db8::9"):
        for port, accepted in ((25, True), (587, False), (717, False), (465, False), (2525, False)):
            answer = match(some, sender, port)
            assert answer.connector is not None
            assert answer.accepts_anonymous is accepted
    assert {share.answer.words() for share in exposure(some)} == {"anonymous mail accepted"}

    assert {exposed.answer.words() for exposed in exposure(some)} == {"anonymous mail accepted"}


def test_a_range_that_ends_with_a_wider_one_is_heard_by_its_own_connector_alone() -> None:
    for inside in ("198.51.100.255", "198.51.100.128/25"):
        some = [connector("Provider", PROVIDER), connector("Inside", inside)]
        for order in (some, some[::-1]):
            heard = answers(order, RangeSet.parse([inside]))
            assert [answer.names for answer in heard] == [("Inside",)]
