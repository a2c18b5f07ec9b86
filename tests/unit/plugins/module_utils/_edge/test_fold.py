# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole edge: what a stranger gets by all stages together."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge import fold, proof, stage
from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    DELIVER,
    REACH,
    RELAY,
    Door,
    Groups,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import EVERYTHING, RangeSet

NOBODY = RangeSet()
PROVIDER = RangeSet.parse(["198.51.100.0/24"])
OFFICE = RangeSet.parse(["203.0.113.0/28"])
GROUPS = Groups(PROVIDER, PROVIDER)
SERVER, OUTSIDE = "10.20.1.11", "203.0.113.25"

Who = tuple[RangeSet, RangeSet]
EVERYBODY, PERHAPS = (EVERYTHING, EVERYTHING), (EVERYTHING, NOBODY)
ALONE = (PROVIDER, PROVIDER)


def firewall(who: Who = EVERYBODY, groups: Groups = GROUPS, **doors: t.Any) -> fold.Seen:
    """A firewall that publishes the server's port 25, at `port`."""
    port = doors.get("port", 25)
    told = stage.stage(
        "firewall",
        groups,
        [Door((4,), (port,), {REACH: who}, (OUTSIDE,), (SERVER,), 25, doors.get("name", "VIP"))],
    )
    return fold.Seen(fold.FIREWALL, json.loads(json.dumps(told)))


def windows(who: Who = EVERYBODY) -> fold.Seen:
    doors = [Door((family,), (25,), {REACH: who}) for family in (4, 6)]
    return fold.Seen(fold.WINDOWS_FIREWALL, stage.stage("windows firewall", GROUPS, doors))


def exchange(who: Who = EVERYBODY, relay: Who = (NOBODY, NOBODY), **more: t.Any) -> fold.Seen:
    rights = {DELIVER: who, RELAY: relay}
    doors = [Door((4,), (port,), rights, more.get("at", ())) for port in more.get("ports", (25,))]
    told = stage.stage("exchange", GROUPS, doors, addresses=[SERVER], complete=True)
    return fold.Seen(fold.EXCHANGE, told)


def unseen(name: str, why: str = "is not managed") -> fold.Seen:
    return fold.Seen(name, None, why)


def of(*stages: fold.Seen, group: str = stage.STRANGERS) -> list[fold.Answer]:
    return fold.answers(stages, (group,))


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ((firewall(), windows(), exchange()), "taken"),
        ((firewall(ALONE), windows(), exchange()), "refused by the firewall, without an answer"),
        (
            (firewall(), windows(ALONE), exchange()),
            "refused by Windows Firewall, without an answer",
        ),
        ((firewall(), windows(), exchange(ALONE)), "refused by Exchange"),
        (
            (firewall(), windows(), exchange(relay=EVERYBODY)),
            "taken, and relayed to any recipient",
        ),
        (
            (firewall((OFFICE, OFFICE)), windows(), exchange()),
            "taken, from 203.0.113.0/28",
        ),
        (
            (firewall(), unseen(fold.WINDOWS_FIREWALL), exchange()),
            "taken, unless refused by Windows Firewall (which is not managed)",
        ),
        (
            (firewall(), unseen(fold.WINDOWS_FIREWALL), exchange(ALONE)),
            "refused by Exchange",
        ),
        (
            (firewall(), windows(PERHAPS), exchange()),
            "perhaps taken: not known enough of Windows Firewall (which might let them through)",
        ),
        (
            (firewall(), windows(), unseen(fold.EXCHANGE, "was not looked at")),
            "taken, unless refused by Exchange (which was not looked at)",
        ),
        (
            (firewall(ALONE), windows(), unseen(fold.EXCHANGE)),
            "refused by the firewall, without an answer",
        ),
    ],
)
def test_what_a_stranger_gets(stages: tuple[fold.Seen, ...], words: str) -> None:
    (answer,) = of(*stages)
    assert answer.sentence() == f"a stranger at {OUTSIDE} port 25 (VIP) gets: {words}"


def test_two_stages_that_let_different_strangers_through_let_nobody_in() -> None:
    others = RangeSet.parse(["203.0.113.128/28"])
    (answer,) = of(firewall((OFFICE, OFFICE)), windows(), exchange((others, others)))
    assert (answer.answer, answer.by) == (fold.REFUSED, fold.EXCHANGE)


def test_who_certainly_gets_in_is_not_said_where_stages_name_other_friends() -> None:
    """The firewall lets all in that it calls strangers, and those whom Exchange lets in may be its
    friends."""
    told = Groups(PROVIDER | OFFICE, PROVIDER)
    strangers = EVERYTHING - OFFICE
    (answer,) = of(firewall((strangers, strangers), told), windows(), exchange((OFFICE, OFFICE)))
    assert (answer.answer, answer.certain) == (fold.UNKNOWN, [])


def test_more_ranges_than_a_result_holds_are_some_of_them() -> None:
    many = RangeSet.parse([f"203.0.113.{number}" for number in range(1, 200, 2)])
    (answer,) = of(firewall((many, many)), windows(), exchange())
    assert (answer.answer, answer.certain) == (fold.TAKEN, stage.SOME)
    assert answer.holds_for("203.0.113.9") is None
    (answer,) = of(firewall((many, many)), windows(), exchange((OFFICE, OFFICE)))
    assert answer.answer == fold.UNKNOWN


def test_a_door_without_a_listener_is_left_out_only_where_exchange_was_read() -> None:
    assert of(firewall(), windows(), exchange(ports=(587,))) == []
    (answer,) = of(firewall(), windows(), unseen(fold.EXCHANGE))
    assert answer.answer == fold.UNKNOWN


def test_the_door_of_another_server_is_none_of_this_one() -> None:
    other = stage.stage("exchange", GROUPS, [Door((4,), (25,), {})], addresses=["10.20.1.12"])
    assert of(firewall(), windows(), fold.Seen(fold.EXCHANGE, other)) == []


def test_an_address_with_a_listener_of_its_own_answers_by_that() -> None:
    rights = {DELIVER: EVERYBODY, RELAY: (NOBODY, NOBODY)}
    shut = {DELIVER: ALONE, RELAY: (NOBODY, NOBODY)}
    doors = [Door((4,), (25,), rights), Door((4,), (25,), shut, (SERVER,))]
    told = stage.stage("exchange", GROUPS, doors, addresses=[SERVER], complete=True)
    (answer,) = of(firewall(), windows(), fold.Seen(fold.EXCHANGE, told))
    assert answer.answer == fold.REFUSED


def test_a_listener_at_one_address_may_be_behind_a_door_that_leads_nobody_knows_where() -> None:
    """A virtual IP that is too wide to say where it leads."""
    anywhere = [Door((4,), (25,), {REACH: EVERYBODY}, (OUTSIDE,), (), 25, "VIP")]
    front = fold.Seen(fold.FIREWALL, stage.stage("firewall", GROUPS, anywhere))
    (answer,) = of(front, windows(), exchange(at=(SERVER,)))
    assert answer.answer == fold.UNKNOWN
    (answer,) = of(front, windows(), exchange(ALONE, at=(SERVER,)))
    assert answer.answer == fold.REFUSED
    (answer,) = of(front, windows(), exchange())
    assert answer.answer == fold.TAKEN


def test_what_the_provider_gets() -> None:
    (answer,) = of(firewall(ALONE), windows(ALONE), exchange(ALONE), group=stage.PROVIDER)
    assert answer.sentence() == f"the provider at {OUTSIDE} port 25 (VIP) gets: taken"


LOOKS = proof.Looked("a stranger", OUTSIDE, 25, "closed")


def test_a_door_that_no_look_was_at_is_not_forgotten() -> None:
    answers = of(firewall(ALONE, port=2525), windows(), exchange())
    assert [answer.place.port for answer in proof.forgotten(answers, [LOOKS])] == [2525]
    assert proof.forgotten(of(firewall(ALONE), windows(), exchange()), [LOOKS]) == []


def test_a_look_that_finds_what_cannot_be_is_told() -> None:
    shut, open_ = of(firewall(ALONE), windows(), exchange()), of(firewall(), windows(), exchange())
    some = of(firewall((OFFICE, OFFICE)), windows(), exchange())
    taken = proof.Looked("a stranger", OUTSIDE, 25, "open")
    unsure = proof.Looked("a stranger", OUTSIDE, 25, "inconclusive")
    assert (
        "say refused by the firewall, the look says taken" in proof.contradicted(shut, [taken])[0]
    )
    assert "say taken, the look says refused" in proof.contradicted(open_, [LOOKS])[0]
    for answers, look in ((shut, LOOKS), (open_, taken), (some, LOOKS), (some, taken)):
        assert proof.contradicted(answers, [look]) == []
    assert proof.contradicted(shut, [unsure]) == proof.contradicted(open_, [unsure]) == []


def test_a_look_may_stand_for_a_published_address() -> None:
    assert proof.standing_for("203.0.113.25:25", "127.0.0.1", 4025) == (OUTSIDE, 25)
    assert proof.standing_for("[2001:db8::25]:25", "::1", 4025) == ("2001:db8::25", 25)
    assert proof.standing_for("", "127.0.0.1", 4025) == ("127.0.0.1", 4025)


def test_ports_that_answer_alike_share_a_sentence() -> None:
    answers = of(
        unseen(fold.FIREWALL), unseen(fold.WINDOWS_FIREWALL), exchange(ALONE, ports=(25, 587))
    )
    assert proof.sentences(answers) == [
        "a stranger at the server itself port 25, 587 gets: refused by Exchange"
    ]


def test_a_door_in_its_parts_says_what_its_sentence_says() -> None:
    """For who draws it: stages by the names that the fold gives them, nothing to be read again."""
    front = [firewall(), unseen(fold.WINDOWS_FIREWALL), exchange()]
    web = [web_front(ALONE), unseen(fold.WINDOWS_FIREWALL), iis({"/ecp": ALONE, "/owa": ALONE})]
    cloud = Door((4,), (25,), {DELIVER: ALONE}, name="hafen.example")
    other = Door((6,), (25,), {DELIVER: EVERYBODY}, name="hafen.example")
    answers = [
        *of(*front),
        *fold.web_answers(web),
        *fold.tenant_answers(tenant([cloud, other])),
    ]
    told = [proof.parts(answer) for answer in answers]
    assert [door["words"] for door in told] == [answer.words() for answer in answers]
    assert [
        (door["about"], door["answer"], door.get("by", ""), door.get("unseen", [])) for door in told
    ] == [
        ("mail", fold.UNKNOWN, "", [fold.WINDOWS_FIREWALL]),
        ("web", fold.REFUSED, fold.FIREWALL, []),
        ("web", fold.REFUSED, fold.FIREWALL, []),
        (fold.TENANT, fold.REFUSED, fold.TENANT, []),
        (fold.TENANT, fold.TAKEN, "", []),
    ]
    assert told[0]["passed"] is True
    assert [told[1][part] for part in ("who", "place", "name", "port", "path")] == [
        "a stranger",
        OUTSIDE,
        "VIP",
        443,
        "/ecp",
    ]
    assert told[3]["place"] == "the tenant's own name for hafen.example, over IPv4"
    assert json.loads(json.dumps(told)) == told


SIX = "2001:db8::25"


def test_an_address_of_the_server_that_the_firewall_does_not_tell_of_is_a_door() -> None:
    for who, answer in ((EVERYBODY, fold.UNKNOWN), (ALONE, fold.REFUSED)):
        doors = [Door((4, 6), (25,), {DELIVER: who, RELAY: (NOBODY, NOBODY)})]
        told = stage.stage("exchange", GROUPS, doors, addresses=[SERVER, SIX], complete=True)
        four, six = of(firewall(ALONE), windows(), fold.Seen(fold.EXCHANGE, told))
        assert (four.answer, six.answer) == (fold.REFUSED, answer)
        assert str(six.place) == f"{SIX} port 25"
        # Who reaches it nobody has said: it has to be looked at where strangers may get in.
        forgotten = proof.forgotten([four, six], [LOOKS])
        assert forgotten == ([six] if answer == fold.UNKNOWN else [])


def iis(paths: dict[str, Who]) -> fold.Seen:
    doors = [Door((family,), (443,), paths) for family in (4, 6)]
    told = stage.stage("iis", GROUPS, doors, addresses=[SERVER])
    return fold.Seen(fold.IIS, json.loads(json.dumps(told)))


def web_front(who: Who) -> fold.Seen:
    doors = [Door((4,), (443,), {REACH: who}, (OUTSIDE,), (SERVER,), 443, "VIP")]
    return fold.Seen(fold.FIREWALL, stage.stage("firewall", GROUPS, doors))


def test_each_path_of_a_web_has_its_answer_and_those_alike_share_a_sentence() -> None:
    paths = {"/owa": EVERYBODY, "/EWS": EVERYBODY, "/ecp": ALONE, "/OAB": PERHAPS}
    behind = [unseen(fold.WINDOWS_FIREWALL), iis(paths)]
    answers = fold.web_answers([web_front(EVERYBODY), *behind])
    where = f"a stranger at {OUTSIDE} port 443 (VIP)"
    assert set(proof.sentences(answers)) == {
        f"{where}, /EWS and /owa gets: answered, unless refused by Windows Firewall (which is not "
        "managed)",
        f"{where}, /OAB gets: perhaps answered: not known enough of Windows Firewall (which is not "
        "managed) or IIS (which might let them through)",
        f"{where}, /ecp gets: refused by IIS",
    }
    assert {each.by for each in fold.web_answers([web_front(ALONE), *behind])} == {fold.FIREWALL}
    # Nobody knows a path of a web that was not looked at.
    assert fold.web_answers([web_front(EVERYBODY), windows(), unseen(fold.IIS)]) == []
    # What is published is meant to answer, and is no door of mail that was forgotten.
    assert proof.forgotten(answers, []) == []


def test_a_path_that_answers_though_it_is_refused_is_told() -> None:
    web = [web_front(EVERYBODY), unseen(fold.WINDOWS_FIREWALL), iis({"/ecp": ALONE})]
    answers = fold.web_answers(web)
    look = proof.Looked("a stranger", OUTSIDE, 443, "open", "/ECP")
    (sentence,) = proof.contradicted(answers, [look])
    assert "(VIP), /ecp: the layers say refused by IIS, the look says taken" in sentence
    other = proof.Looked("a stranger", OUTSIDE, 443, "open", "/owa")
    assert proof.contradicted(answers, [other]) == []


def tenant(doors: list[Door]) -> fold.Seen:
    return fold.Seen(fold.TENANT, stage.stage("exchange online", GROUPS, doors))


def test_what_a_stranger_gets_by_the_name_of_the_tenant() -> None:
    def at(families: tuple[int, ...], who: Who, **more: t.Any) -> Door:
        return Door(families, (25,), {DELIVER: who}, name="hafen.example", **more)

    def told(*doors: Door) -> list[str]:
        return proof.sentences(fold.tenant_answers(tenant(list(doors))))

    where = "a stranger at the tenant's own name for hafen.example"
    assert told(at((4, 6), EVERYBODY)) == [f"{where} gets: taken"]
    assert told(at((4, 6), ALONE)) == [f"{where} gets: refused by Exchange Online"]
    (sentence,) = told(at((4, 6), EVERYBODY, then="and quarantined by the rule 'x'"))
    assert sentence == f"{where} gets: taken, and quarantined by the rule 'x'"
    assert told(at((4,), (OFFICE, NOBODY)), at((6,), (NOBODY, NOBODY))) == [
        f"{where}, over IPv4, gets: perhaps taken, from 203.0.113.0/28: not known enough of "
        "Exchange Online (which might let them through)",
        f"{where}, over IPv6, gets: refused by Exchange Online",
    ]
