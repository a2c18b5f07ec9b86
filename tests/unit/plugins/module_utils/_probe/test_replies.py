# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replies of many servers, as they come over a connection, and what the probe makes of each."""

from __future__ import annotations

import re
import socket
import time
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe import table
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import Reply, Session
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import (
    CASES,
    CLOSED,
    INCONCLUSIVE,
    OPEN,
    STAGE_WORDS,
    judge_reply,
)
from ansible_collections.mailedge.lockdown.tests.support.replies import (
    OWN,
    RECIPIENT,
    RELAY,
    SENDER,
    Answer,
    answers,
)

ROWS = answers()
DECISIVE = [row for row in ROWS if "C" in row.verdicts or "+" in row.verdicts]
ENVELOPES = dict(zip(CASES, [(SENDER, RECIPIENT), (SENDER, RELAY), (OWN, RECIPIENT)]))
PRODUCTS = {"exchange": "Exchange", "postfix": "Postfix", "none": ""}


def heard(lines: t.Sequence[str]) -> Reply:
    """A reply as it comes over a connection."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall("".join(f"{line}\r\n" for line in lines).encode())
        return Session(here, 5.0, []).banner()


def verdicts(stage: str, product: str, lines: t.Sequence[str]) -> str:
    """The three verdicts as the corpus writes them."""
    reply = heard(lines)
    letters = ""
    for case in CASES:
        judgement = judge_reply(case, stage, reply, *ENVELOPES[case], product=PRODUCTS[product])
        if judgement.needs_control:
            assert judgement.verdict == INCONCLUSIVE
        letters += {CLOSED: "C", OPEN: "O"}.get(
            judgement.verdict, "+" if judgement.needs_control else "?"
        )
    return letters


@pytest.mark.parametrize("row", ROWS, ids=[row.text[:60] for row in ROWS])
def test_what_a_reply_means(row: Answer) -> None:
    assert verdicts(row.stage, row.product, row.lines) == row.verdicts


def test_the_corpus_is_large_and_has_every_stage_and_letter() -> None:
    assert len(ROWS) > 250
    assert len({row.text for row in ROWS}) == len(ROWS)
    assert {row.stage for row in ROWS} == {"banner", "ehlo", "mail", "rcpt"}
    assert set("".join(row.verdicts for row in ROWS)) == set("CO?+")


@pytest.mark.parametrize("row", DECISIVE, ids=[row.text[:60] for row in DECISIVE])
def test_a_reply_that_is_quoted_decides_nothing(row: Answer) -> None:
    first, rest = row.lines[0], row.lines[1:]
    outer = first[:3]
    inner = re.sub(r"^\d{3}[ -](?:\d\.\d+\.\d+ )?", "", first)
    quotes = [
        (f"{outer} {first[4:9].strip()} host mx.hafen.example[192.0.2.1] said: {first}", *rest),
        (f"{outer}-The next server said:", f"{outer} {first[4:]}"),
        (f"{outer}-{first[4:]}", f"{outer} so the server behind me answered"),
        (f"{outer} 5.1.1 <{RECIPIENT}>: undeliverable address: {inner}",),
        (f"{outer} {first[4:]} (in reply to MAIL FROM command)",),
    ]
    for lines in quotes:
        assert "C" not in verdicts(row.stage, row.product, lines), lines


@pytest.mark.parametrize("row", DECISIVE, ids=[row.text[:60] for row in DECISIVE])
def test_a_reply_at_another_stage_is_another_answer(row: Answer) -> None:
    allowed = {
        (row.stage, row.product, row.lines, row.verdicts)
        for row in ROWS
        if "C" in row.verdicts or "+" in row.verdicts
    }
    for stage in STAGE_WORDS:
        judged = verdicts(stage, row.product, row.lines)
        if "C" in judged or "+" in judged:
            # Exchange Online's own words may come to either command of the envelope.
            online = "TenantInboundAttribution" in row.lines[0] and stage in ("mail", "rcpt")
            postfix = "not logged in" in row.lines[0] and stage in ("mail", "rcpt")
            assert online or postfix or (stage, row.product, row.lines, judged) in allowed


@given(
    row=st.sampled_from(DECISIVE),
    before=st.sampled_from(["", "> ", "x ", "Error: ", "relay.hafen.example: "]),
    after=st.sampled_from(
        ["", ", perhaps", " - ask mx.hafen.example", " (AS1)", "; later", " 250 OK"]
    ),
)
def test_whatever_stands_beside_decisive_words_takes_their_force(
    row: Answer, before: str, after: str
) -> None:
    if before or after:
        lines = [f"{line[:4]:4}{before}{line[4:]}{after}" for line in row.lines]
        judged = verdicts(row.stage, row.product, lines)
        # A login that anybody wants is no more than that, whatever the words.
        assert (judged == "+++" and lines[0].startswith("530")) or not set("C+") & set(judged), (
            lines
        )


WORDS = re.compile(r"\d{3}[ -](?:\d\.\d+\.\d+ )?(?:<[^<>]*>\S* ?)?")
SIGNS = st.characters(exclude_categories=("Cs", "Cc", "Zs"), exclude_characters="<>[]@.")


@given(
    row=st.sampled_from([row for row in DECISIVE if len(row.lines) == 1]),
    place=st.integers(0, 30),
    sign=SIGNS,
)
def test_a_sign_among_decisive_words_takes_their_force(row: Answer, place: int, sign: str) -> None:
    begun = WORDS.match(f"{row.lines[0]:4}")
    assert begun is not None
    before, words = row.lines[0][: begun.end()], row.lines[0][begun.end() :]
    # What a server calls itself, or whom it refuses, may be anything.
    if place < len(words) and not re.search(r"[\[<@]| (?:for|to) \S*\Z", words[:place]):
        judged = verdicts(row.stage, row.product, [before + words[:place] + sign + words[place:]])
        assert judged == "+++" or not set("C+") & set(judged), (before, words[:place], sign)


def test_an_endless_reply_is_judged_in_no_time() -> None:
    lines = [f"550-{'x' * 500}" for _number in range(49)] + ["550 5.7.1 " + "a" * 450]
    begin = time.monotonic()
    assert verdicts("rcpt", "none", lines) == "???"
    assert time.monotonic() - begin < 1


def test_every_row_of_the_table_says_whose_words_they_are_and_who_says_so() -> None:
    reasons: dict[str, str] = {}
    for row in table.TABLE:
        assert row.product, row
        assert row.source, row
        assert row.stages <= set(STAGE_WORDS), row
        assert row.sentence.endswith("."), row
        assert reasons.setdefault(f"{row.reason} {row.sentence}", row.verdict) == row.verdict
        if row.verdict == CLOSED:
            assert row.whole, row
            assert row.words, row
            assert len(row.stages) <= 2, row
        if row.needs_control:
            assert (row.verdict, len(row.stages)) == (INCONCLUSIVE, 1), row


def test_every_decisive_row_has_an_example() -> None:
    """Else a row could be wrong, or never reached, and nobody would notice."""
    seen = set()
    for row in ROWS:
        reply = heard(row.lines)
        for case in CASES:
            seen.add(table.row_of(case, row.stage, reply, ENVELOPES[case], PRODUCTS[row.product]))
    unseen = [row for row in table.TABLE if row not in seen]
    assert [
        (row.reason, row.product, row.words) for row in unseen if "starttls" not in row.stages
    ] == []
