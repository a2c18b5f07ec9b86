# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machine answers: the server, or something on the way that answers for every server."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.machine import (
    Machine,
    name_in,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import (
    Egress,
    find_doors,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import address_result
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import (
    Look,
    Question,
    look_at,
)
from ansible_collections.mailedge.lockdown.tests.support.smtp_server import (
    Answer,
    Server,
    Street,
    hang_up,
    stay_silent,
)

SENDER, RECIPIENT = "probe@watchtower.example", "postmaster@hafen.example"
QUESTION = Question(
    SENDER, RECIPIENT, "probe@elsewhere.example", None, connect_seconds=0.5, reply_seconds=1.0
)
NOT_ANONYMOUS = "530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM"
ELSEWHERE: dict[str, Answer] = {
    "banner": "220 mx.watchtower.example ESMTP",
    "EHLO": "250-mx.watchtower.example\r\n250 SIZE",
}


@pytest.fixture
def street() -> t.Iterator[Street]:
    made = Street()
    yield made
    made.close()


def seen(server: Server, control: Server | None, question: Question = QUESTION) -> Look:
    doors, _lost = find_doors(["127.0.0.1"], server.port, "ipv4", 1.0)
    egress = Egress(
        None if control is None else "127.0.0.1", control.port if control else 25, None, 0.5, 1.0
    )
    return look_at(doors[0], question, egress)


def reason(look: Look) -> str:
    return look.decisions["delivery"].judgement.reason


PROXY: dict[str, Answer] = {
    "banner": "220 proxy.isp.example ESMTP",
    "EHLO": "250-proxy.isp.example\r\n250 SIZE",
}


@pytest.mark.parametrize(
    "refusal",
    [
        {"MAIL": "530 5.7.0 Authentication required"},
        {"MAIL": NOT_ANONYMOUS},
        {"RCPT": "550 5.7.51 TenantInboundAttribution; Rejecting"},
        {"RCPT": "550 5.7.1 Unable to relay"},
        {},
    ],
)
def test_a_proxy_that_answers_for_everybody_is_named(
    street: Street, refusal: dict[str, Answer]
) -> None:
    """With a login of its own, with an Exchange of its own, or with open arms."""
    outcome = seen(street.server({**PROXY, **refusal}), street.server({**PROXY, **refusal}))
    assert (outcome.verdict, reason(outcome), outcome.compared) == (
        "inconclusive",
        "interceptor",
        False,
    )
    [*sentences] = address_result(outcome)["sentences"]
    assert all("both greet as proxy.isp.example" in sentence for sentence in sentences)
    assert not address_result(outcome)["needs_positive_control"]


@pytest.mark.parametrize(
    "banner", ["421 4.3.2 Service not available", "554 proxy.isp.example no mail from here"]
)
def test_a_proxy_that_refuses_everybody_at_once_is_named_where_that_would_count(
    street: Street, banner: str
) -> None:
    shut: dict[str, Answer] = {"banner": banner}
    outcome = seen(street.server(shut), street.server(shut))
    assert (outcome.verdict, address_result(outcome)["needs_positive_control"]) == (
        "inconclusive",
        False,
    )
    if banner.startswith("421"):
        assert reason(outcome) == "interceptor"


def test_another_machine_is_another_machine(street: Street) -> None:
    control = street.server(ELSEWHERE)
    outcome = seen(street.server({"MAIL": NOT_ANONYMOUS}), control)
    assert (outcome.verdict, reason(outcome), outcome.compared) == (
        "closed",
        "anonymous_refused",
        True,
    )
    assert control.verbs == ["EHLO", "QUIT"]
    assert control.commands[0] == "EHLO [127.0.0.1]"


LOGIN = "530 5.7.0 Authentication required [17]"


@pytest.mark.parametrize(
    ("says", "reason_", "compared"),
    [
        ("530 5.7.0 Authentication required [18]", "interceptor", False),
        ("250 2.1.0 OK", "login_required", True),
        ("550 5.7.1 not with that sender", "login_required", True),
        (hang_up, "login_required", False),
        (stay_silent, "login_required", False),
    ],
)
def test_a_proxy_that_hands_on_greetings_is_known_by_what_it_refuses(
    street: Street, says: Answer, reason_: str, compared: bool
) -> None:
    control = street.server({**ELSEWHERE, "MAIL": says})
    outcome = seen(street.server({"MAIL": LOGIN}), control)
    assert (outcome.verdict, reason(outcome), outcome.compared) == (
        "inconclusive",
        reason_,
        compared,
    )
    assert control.verbs[:4] == ["EHLO", "QUIT", "EHLO", "MAIL"]


def test_two_locked_exchange_servers_are_two_machines(street: Street) -> None:
    """Whose words are Exchange's own needs no such question, and a control host may be locked as
    well.
    """
    control = street.server(
        {"banner": "220 EX9.watchtower.example Microsoft ESMTP MAIL Service", "MAIL": NOT_ANONYMOUS}
    )
    control.answers["EHLO"] = "250 EX9.watchtower.example Hello [{peer}]"
    outcome = seen(street.server({"MAIL": NOT_ANONYMOUS}), control)
    assert (outcome.verdict, outcome.compared) == ("closed", True)
    assert control.verbs == ["EHLO", "QUIT"]


def test_a_control_host_is_not_asked_where_nothing_would_come_of_it(street: Street) -> None:
    control = street.server(ELSEWHERE)
    outcome = seen(street.server({"RCPT": "451 4.7.500 Server busy"}), control)
    assert (outcome.verdict, reason(outcome), control.connections) == (
        "inconclusive",
        "try_later",
        0,
    )


@pytest.mark.parametrize(
    "control",
    [
        None,
        {"banner": hang_up},
        {"banner": stay_silent},
        {"banner": b"HTTP/1.1 400 Bad Request\r\n"},
        {**ELSEWHERE, "EHLO": hang_up},
        {**ELSEWHERE, "EHLO": "550 5.7.1 not with that name"},
        {**ELSEWHERE, "banner": "421 4.7.0 mx.watchtower.example is busy"},
    ],
)
def test_a_control_host_that_shows_nothing_takes_nothing_back(
    street: Street, control: dict[str, Answer] | None
) -> None:
    asked = None if control is None else street.server(control)
    outcome = seen(street.server({"MAIL": NOT_ANONYMOUS}), asked)
    assert (outcome.verdict, reason(outcome)) == ("closed", "anonymous_refused")
    assert outcome.compared is (control is not None and "mx.watchtower" in str(control["banner"]))


def test_a_control_host_that_is_the_target_itself_shows_nothing(street: Street) -> None:
    server = street.server({"MAIL": NOT_ANONYMOUS})
    outcome = seen(server, server)
    assert (outcome.verdict, outcome.compared) == ("closed", False)


def test_a_control_host_that_refuses_to_greet_proves_no_way_out(street: Street) -> None:
    egress = Egress(
        "127.0.0.1", street.server({"banner": "554 no mail from here"}).port, None, 0.5, 1.0
    )
    assert egress.proven("ipv4") is False
    assert egress.proven("ipv4") is False
    assert street.servers[0].connections == 1


def test_the_greeting_of_another_server_in_exchanges_words_is_no_exchange(street: Street) -> None:
    gateway: dict[str, Answer] = {
        "banner": "220 mx.hafen.example ESMTP Postfix",
        "EHLO": "250 mx.hafen.example",
    }
    question = dataclasses.replace(QUESTION, relay_recipient=None)
    outcome = seen(street.server({**gateway, "MAIL": NOT_ANONYMOUS}), None, question)
    assert (outcome.verdict, reason(outcome)) == ("inconclusive", "login_required")


EXCHANGE = (
    "220 EX1.hafen.example Microsoft ESMTP MAIL Service ready at Sun, 29 Nov 2026 18:00:00 +0000"
)


@pytest.mark.parametrize(
    ("greeting", "hello", "product"),
    [
        (EXCHANGE, (), "Exchange"),
        (
            "220 mail.hafen.example at your service",
            ("mail.hafen.example Hello [192.0.2.7]", "X-ANONYMOUSTLS"),
            "Exchange",
        ),
        (
            "220 mail.hafen.example at your service",
            ("mail.hafen.example Hello [192.0.2.7]", "SIZE"),
            "",
        ),
        ("220 mx.hafen.example ESMTP Postfix (Debian/GNU)", ("mx.hafen.example",), "Postfix"),
        (
            "220 mx.hafen.example ESMTP Exim 4.98",
            ("mx.hafen.example Hello a [192.0.2.7]", "X-EXPS"),
            "Exim",
        ),
        ("220 postfix.hafen.example ESMTP", (), ""),
        ("220 postfix.hafen.example Microsoft ESMTP MAIL Service ready", (), "Exchange"),
        ("220", (), ""),
        ("220 " + "*" * 60, ("ex1.hafen.example Hello [192.0.2.7]", "XXXXXXXA"), ""),
        ("", (), ""),
    ],
)
def test_what_a_server_shows_itself_as(greeting: str, hello: tuple[str, ...], product: str) -> None:
    assert Machine(greeting, hello).product == product


MASKED = "220 " + "*" * 40
ONE = Machine("220 a.isp.example ready 12:01", ("a.isp.example", "SIZE 100"))


@pytest.mark.parametrize(
    ("mine", "theirs", "alike"),
    [
        (
            ONE,
            Machine("220 A.ISP.example. ready 12:02", ("other.isp.example",)),
            "both greet as a.isp.example",
        ),
        (
            ONE,
            Machine("220 b.isp.example ready", ("A.isp.example Hello",)),
            "both answer EHLO as a.isp.example",
        ),
        (ONE, Machine("220 b.isp.example ready", ("b.isp.example",)), ""),
        (ONE, Machine("220 ready", ("b.isp.example",)), ""),
        # A firewall before this host hides the greetings of all servers, and not their names.
        (
            Machine(MASKED, ("ex1.hafen.example Hello",)),
            Machine(MASKED, ("mx.watchtower.example",)),
            "",
        ),
        (
            Machine(MASKED, ("localhost",)),
            Machine(MASKED, ("localhost",)),
            "both answer in the same words",
        ),
        (
            Machine("220 ready 1", ("OK", "SIZE 5")),
            Machine("220 ready 2", ("SIZE 7", "OK")),
            "both answer in the same words",
        ),
        (Machine("220 ready", ("OK",)), Machine("220 ready", ("OK", "SIZE")), ""),
        (
            Machine("421 4.3.2 Service not available"),
            Machine("421 4.3.2 Service not available"),
            "both answer in the same words",
        ),
        (Machine("421 4.3.2 Service not available"), ONE, ""),
        (Machine("220 localhost.localdomain x"), Machine("220 localhost.localdomain y"), ""),
        (Machine(), Machine(), ""),
    ],
)
def test_whether_two_servers_are_one_machine(mine: Machine, theirs: Machine, alike: str) -> None:
    assert mine.likeness(theirs) == alike
    assert theirs.likeness(mine) == alike


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("EX1.hafen.example Microsoft", "ex1.hafen.example"),
        ("mail.hafen.example.", "mail.hafen.example"),
        ("4.3.2 Service", ""),
        ("[192.0.2.7]", ""),
        ("192.0.2.7", ""),
        ("localhost ready", ""),
        ("EX1", ""),
        ("-- .. --", ""),
        ("", ""),
        (f"{'a.' * 200}example", ""),
        ("größe.hafen.example", ""),
    ],
)
def test_names_that_are_one_of_a_kind(text: str, name: str) -> None:
    assert name_in(text) == name
