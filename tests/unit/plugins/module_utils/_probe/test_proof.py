# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks before and after a change prove: results of real looks at servers on loopback."""

from __future__ import annotations

import dataclasses
import errno
import json
import socket
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import (
    Egress,
    find_doors,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.proof import (
    STATES,
    judge_look,
    looks_as_lines,
    proof_possible,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import (
    unexpected,
    whole_result,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import (
    Question,
    look_at,
    nowhere,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.tests.support.smtp_server import (
    Answer,
    Street,
    stay_silent,
)

Answers = t.Mapping[str, Answer]
Result = dict[str, t.Any]

STRANGER, PROVIDER = "a stranger on the internet", "the filtering provider"
RELAY, OWN = "probe@elsewhere.example", "office@hafen.example"
QUESTION = Question(
    "probe@watchtower.example", "postmaster@hafen.example", RELAY, OWN, connect_seconds=0.5
)
REFUSED = "530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM"
LOCKED_ONLINE = "550 5.7.51 TenantInboundAttribution; Rejecting"

# Exchange as set-up leaves it, locked, and with its faults.
AS_INSTALLED: Answers = {f"RCPT TO:<{RELAY}>": "550 5.7.54 Unable to relay"}
LOCKED: Answers = {"MAIL": REFUSED}
BUSY: Answers = {"RCPT": "451 4.7.500 Server busy"}
RELAYS: Answers = {"RCPT": LOCKED_ONLINE, f"RCPT TO:<{RELAY}>": "250 2.1.5 Recipient OK"}
SPOOFS: Answers = {"MAIL": REFUSED, f"MAIL FROM:<{OWN}>": "250 2.1.0 Sender OK"}
HALF_TOLD: Answers = {"RCPT": LOCKED_ONLINE, f"RCPT TO:<{RELAY}>": "451 4.7.500 Server busy"}


@pytest.fixture
def street() -> t.Iterator[Street]:
    made = Street()
    yield made
    made.close()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Site:
    """One address, whose server changes between the looks."""

    def __init__(self, street: Street) -> None:
        self._server = street.server()
        self._untouched = dict(self._server.answers)
        self.port = self._server.port
        self.peer = f"127.0.0.1:{self.port}"

    def look(
        self, answers: Answers | None, question: Question = QUESTION, control: Egress | None = None
    ) -> Result:
        """As plain data; None for a server that takes no connection any more."""
        if answers is None:
            self._server.leave()
        else:
            self._server.answers = {**self._untouched, **answers}
        return look_at_all(["127.0.0.1"], self.port, question, control)


def look_at_all(
    targets: t.Sequence[str], port: int, question: Question, control: Egress | None = None
) -> Result:
    egress = control or Egress(None, 25, None, 0.5, 0.5)
    doors, unresolved = find_doors(targets, port, "any", 5.0)
    looks = [look_at(door, question, egress) for door in doors]
    looks += [nowhere(target, port, question, what) for target, what in unresolved]
    return t.cast("Result", json.loads(json.dumps(whole_result(looks, egress))))


@pytest.fixture
def site(street: Street) -> Site:
    return Site(street)


# ------------------------------------------------------------ a state for a site's verdict


@pytest.mark.parametrize(
    ("answers", "expect", "state", "words"),
    [
        (LOCKED, "closed", "in order", REFUSED),
        (LOCKED, "open", "drift", REFUSED),
        (AS_INSTALLED, "closed", "open", "250 2.1.5 Recipient OK"),
        (AS_INSTALLED, "open", "in order", "It accepts mail from"),
        (RELAYS, "closed", "open", "it looks like an open relay"),
        (RELAYS, "open", "drift", LOCKED_ONLINE),
        (SPOOFS, "closed", "open", "an address of the site itself"),
        (BUSY, "closed", "unknown", "451 4.7.500"),
        (BUSY, "open", "unknown", "451 4.7.500"),
        (HALF_TOLD, "closed", "unknown", "451 4.7.500"),
        (AS_INSTALLED, "any", "not judged", "is open to mail of strangers"),
        (LOCKED, "any", "not judged", "is closed to mail of strangers"),
        (BUSY, "any", "not judged", "is inconclusive to mail of strangers"),
    ],
)
def test_what_a_look_means_for_its_site(
    site: Site, answers: Answers, expect: str, state: str, words: str
) -> None:
    result = site.look(answers)
    judged, sentences = judge_look(result, expect)
    assert judged == state
    assert judged in STATES
    assert words in " ".join(sentences)
    assert site.peer in sentences[0]
    # One rule: a task fails exactly where the site is not in order.
    assert (unexpected(result, expect) is None) == (state in ("in order", "not judged"))


def test_every_reason_is_named_and_no_other(site: Site) -> None:
    _state, sentences = judge_look(site.look({f"RCPT TO:<{RELAY}>": "250 2.1.5 OK"}), "closed")
    assert [sentence.partition(":")[0] for sentence in sentences] == ["127.0.0.1"] * 3
    state, sentences = judge_look(site.look(RELAYS), "closed")
    assert (state, len(sentences)) == ("open", 1)
    assert "as a relay" in sentences[0]


def test_one_open_address_opens_the_site(street: Street) -> None:
    four = street.server(LOCKED)
    street.server(AS_INSTALLED, address="::1", port=four.port)
    result = look_at_all(["127.0.0.1", "::1"], four.port, QUESTION)
    state, sentences = judge_look(result, "closed")
    assert state == "open"
    assert all(sentence.startswith("[::1]:") for sentence in sentences)
    assert judge_look(result, "open")[0] == "in order"


@pytest.mark.parametrize("expect", ["closed", "open", "any"])
@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (None, "Nobody has looked."),
        ({}, "Nobody has looked."),
        ({"skipped": True, "skip_reason": "Conditional result was False"}, "The look was skipped."),
        (
            {
                "unreachable": True,
                "msg": "Failed to connect to the host via ssh: No route\nto host",
            },
            "Failed to connect to the host via ssh: No route to host.",
        ),
        ({"failed": True, "msg": "port is 0. Nothing was sent."}, "port is 0. Nothing was sent."),
        ({"verdict": "closed", "addresses": []}, "Nobody has looked."),
    ],
)
def test_a_look_that_was_not_made_is_never_in_order(
    result: Result | None, sentence: str, expect: str
) -> None:
    assert judge_look(result, expect) == ("unknown", [sentence])
    assert looks_as_lines(None, result, STRANGER, expect) == [f"{STRANGER}: unknown. {sentence}"]


def test_an_expectation_that_nobody_knows_is_refused(site: Site) -> None:
    with pytest.raises(ValueError, match="'shut' is not one of closed, open, any"):
        judge_look(site.look(LOCKED), "shut")


# ------------------------------------------------------------ before and after, in lines


def test_a_change_has_its_reason_and_no_change_has_none(site: Site) -> None:
    before, after = site.look(AS_INSTALLED), site.look(LOCKED)
    [line] = looks_as_lines(before, after, STRANGER, "closed")
    assert line == (
        f"{STRANGER} at {site.peer}: open → closed. Senders that do not log in are refused. "
        f"The answer to MAIL FROM was: {REFUSED}"
    )
    again = site.look(AS_INSTALLED)
    assert looks_as_lines(before, again, PROVIDER, "open") == [
        f"{PROVIDER} at {site.peer}: open, as before"
    ]
    assert looks_as_lines(after, after, STRANGER, "closed") == [
        f"{STRANGER} at {site.peer}: closed, as before"
    ]
    assert looks_as_lines(None, after, STRANGER, "closed") == [f"{STRANGER} at {site.peer}: closed"]


@pytest.mark.parametrize(
    ("was", "now", "expect", "line"),
    [
        (AS_INSTALLED, AS_INSTALLED, "closed", "open, as before. It accepts mail from"),
        (AS_INSTALLED, AS_INSTALLED, "any", "open, as before"),
        (LOCKED, LOCKED, "open", "closed, as before. Senders that do not log in"),
        (BUSY, BUSY, "any", "inconclusive, as before. That is a refusal for now"),
        (AS_INSTALLED, BUSY, "closed", "open → inconclusive. That is a refusal for now"),
        (
            AS_INSTALLED,
            {},
            "any",
            "open → open, also as a relay. It accepts mail for probe@elsewhere.example",
        ),
        (
            LOCKED,
            RELAYS,
            "any",
            "closed → closed, but open as a relay. It accepts mail for probe@elsewhere",
        ),
        (
            AS_INSTALLED,
            RELAYS,
            "open",
            "open → closed, but open as a relay. A partner connector lets only",
        ),
        (
            LOCKED,
            SPOOFS,
            "any",
            "closed → closed, but open to mail in the site's own name. It accepts",
        ),
        (
            LOCKED,
            HALF_TOLD,
            "closed",
            "closed → closed, but inconclusive as a relay. That is a refusal for now",
        ),
    ],
)
def test_the_words_of_a_line(
    site: Site, was: Answers, now: Answers, expect: str, line: str
) -> None:
    [shown] = looks_as_lines(site.look(was), site.look(now), STRANGER, expect)
    assert shown.startswith(f"{STRANGER} at {site.peer}: {line}")
    assert ("." in line) == (shown != f"{STRANGER} at {site.peer}: {line}")


def test_an_address_needs_no_reason_where_another_one_takes_the_mail(street: Street) -> None:
    four = street.server(LOCKED)
    street.server(AS_INSTALLED, address="::1", port=four.port)
    result = look_at_all(["127.0.0.1", "::1"], four.port, QUESTION)
    assert looks_as_lines(result, result, PROVIDER, "open") == [
        f"{PROVIDER} at 127.0.0.1:{four.port}: closed, as before",
        f"{PROVIDER} at [::1]:{four.port}: open, as before",
    ]


def test_addresses_that_come_and_go(street: Street) -> None:
    four = street.server(LOCKED)
    street.server(AS_INSTALLED, address="::1", port=four.port)
    before = look_at_all(["127.0.0.1"], four.port, QUESTION)
    after = look_at_all(["::1"], four.port, QUESTION)
    came, went = looks_as_lines(before, after, STRANGER)
    assert came.startswith(f"{STRANGER} at [::1]:{four.port}: not looked at → open. It accepts")
    assert went == f"{STRANGER} at 127.0.0.1:{four.port}: closed → not looked at"
    # A look before that failed is not the same as none.
    [line] = looks_as_lines({"unreachable": True, "msg": "No route to host"}, before, STRANGER)
    assert line.startswith(f"{STRANGER} at 127.0.0.1:{four.port}: not looked at → closed.")


def test_a_name_without_an_address_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_question: t.Any) -> t.NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    result = look_at_all(["mail.hafen.example"], 25, QUESTION)
    [line] = looks_as_lines(None, result, STRANGER)
    assert line.startswith(f"{STRANGER} at mail.hafen.example: inconclusive. It has no IP address")
    [sentence] = proof_possible(result)
    assert sentence.startswith(
        "mail.hafen.example cannot be proven closed from there. It has no IP address"
    )
    assert "control_host" not in sentence


# ------------------------------------------------------------ whether a proof will be possible


def test_whoever_was_reached_can_be_proven_closed_by_silence(site: Site) -> None:
    for answers in (AS_INSTALLED, LOCKED, BUSY):
        assert proof_possible(site.look(answers)) == []


def test_silence_before_and_no_control_host_prove_nothing(site: Site) -> None:
    [sentence] = proof_possible(site.look(None))
    assert sentence.startswith(
        f"{site.peer} was not reached, so that silence afterwards would prove nothing."
    )
    assert "Name control_host" in sentence


def test_a_control_host_that_greets_is_enough(site: Site, street: Street) -> None:
    control = Egress("127.0.0.1", street.server().port, None, 0.5, 5.0)
    assert proof_possible(site.look(None, control=control)) == []
    silent = Egress("127.0.0.1", site.port, None, 0.5, 5.0)
    [sentence] = proof_possible(site.look(None, control=silent))
    assert "control_host does not greet over IPv4 either" in sentence


def test_an_allowed_sender_proves_nothing_however_well_it_is_answered(site: Site) -> None:
    question = dataclasses.replace(QUESTION, allowed=RangeSet.parse(["127.0.0.0/8"]))
    [sentence] = proof_possible(site.look(AS_INSTALLED, question))
    assert "which is in allowed_ranges, so it is no stranger" in sentence
    assert "control_host" not in sentence


def test_a_look_that_was_not_made_proves_nothing() -> None:
    [sentence] = proof_possible({"unreachable": True, "msg": "No route to host"})
    assert (
        sentence == "No route to host. Silence afterwards would prove nothing. Name control_host."
    )
    assert proof_possible(None)


# ------------------------------------------------------------ silence after a look that got through


def reached(*addresses: str, **others: t.Any) -> Question:
    return dataclasses.replace(QUESTION, reached_before=RangeSet.parse(addresses), **others)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_address_that_was_reached_before_is_closed_by_silence(address: str) -> None:
    result = look_at_all([address], free_port(), reached("127.0.0.1", "0:0::1"))
    assert (result["verdict"], result["addresses"][0]["cases"]["delivery"]["reason"]) == (
        "closed",
        "no_connection",
    )
    assert result["needs_positive_control"] is True
    assert "It took a connection of this host just before." in result["sentences"][0]


def test_an_address_that_was_reached_before_proves_nothing_about_another() -> None:
    result = look_at_all(["127.0.0.1"], free_port(), reached("127.0.0.2", "::1"))
    assert (result["verdict"], result["addresses"][0]["cases"]["delivery"]["reason"]) == (
        "inconclusive",
        "egress_unproven",
    )


def test_a_control_host_that_is_silent_now_outweighs_a_look_before(street: Street) -> None:
    silent = Egress("127.0.0.1", free_port(), None, 0.5, 5.0)
    result = look_at_all(["127.0.0.1"], free_port(), reached("127.0.0.1"), silent)
    assert (result["verdict"], result["addresses"][0]["cases"]["delivery"]["reason"]) == (
        "inconclusive",
        "egress_unproven",
    )
    assert "control_host cannot be reached now" in result["sentences"][0]
    greets = Egress("127.0.0.1", street.server().port, None, 0.5, 5.0)
    result = look_at_all(["127.0.0.1"], free_port(), reached("127.0.0.1"), greets)
    assert result["verdict"] == "closed"
    assert "does reach another mail server" in result["sentences"][0]


def test_an_address_that_was_reached_before_is_judged_by_what_it_answers(site: Site) -> None:
    assert site.look(AS_INSTALLED, reached("127.0.0.1"))["verdict"] == "open"
    mute = site.look({"banner": stay_silent}, reached("127.0.0.1", reply_seconds=0.5))
    assert mute["verdict"] == "inconclusive"


def test_what_this_host_could_not_even_try_is_not_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoSocket(socket.socket):
        def __init__(self, *_given: t.Any) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

    port = free_port()
    monkeypatch.setattr(socket, "socket", NoSocket)
    result = look_at_all(["127.0.0.1"], port, reached("127.0.0.1"))
    assert (result["verdict"], result["addresses"][0]["cases"]["delivery"]["reason"]) == (
        "inconclusive",
        "trouble_local",
    )
