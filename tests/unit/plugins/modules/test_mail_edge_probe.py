# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_edge_probe as a module: its options, what it fails with, its documentation, and one run
through Ansible itself.
"""

from __future__ import annotations

import json
import socket
import threading
import typing as t

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import find_doors
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import (
    ARGUMENTS,
    reserved_addresses,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.proof import (
    judge_look,
    looks_as_lines,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import Question
from ansible_collections.mailedge.lockdown.plugins.modules import mail_edge_probe
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._controller_module import (
    ControllerModule,
)
from ansible_collections.mailedge.lockdown.tests.support.smtp_server import (
    Answer,
    Street,
    by_source,
)
from ansible_collections.mailedge.lockdown.tests.tools.documentation import documentation

SENDER, RECIPIENT = "probe@watchtower.example", "postmaster@hafen.example"
NOT_ANONYMOUS: dict[str, Answer] = {
    "MAIL": "530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM"
}

# What every module returns.
OF_ANSIBLE = {"changed", "failed", "invocation", "warnings"}
Run = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def street() -> t.Iterator[Street]:
    made = Street()
    yield made
    made.close()


@pytest.fixture
def run() -> Run:
    def running(verbosity: int = 0, **options: t.Any) -> dict[str, t.Any]:
        given = {
            "targets": "127.0.0.1",
            "sender": SENDER,
            "recipient": RECIPIENT,
            "timeout": 1,
            "connect_timeout": 1,
            **options,
        }
        module = ControllerModule(given, False, False, verbosity)
        return {"failed": False, **module.result_of(mail_edge_probe.main)}

    return running


@pytest.mark.parametrize(
    ("answers", "expect", "failed"),
    [
        (NOT_ANONYMOUS, "closed", False),
        (NOT_ANONYMOUS, "any", False),
        (NOT_ANONYMOUS, "open", True),
        ({}, "open", False),
        ({}, "any", False),
        ({}, "closed", True),
        ({"RCPT": "451 4.7.500 Server busy"}, "any", False),
        ({"RCPT": "451 4.7.500 Server busy"}, "closed", True),
        ({"RCPT": "451 4.7.500 Server busy"}, "open", True),
    ],
)
def test_the_task_fails_where_it_finds_something_else(
    street: Street, run: Run, answers: dict[str, Answer], expect: str, failed: bool
) -> None:
    result = run(port=street.server(answers).port, expect=expect)
    assert result["failed"] is failed
    if failed:
        assert "127.0.0.1" in result["msg"]
        assert str(next(iter(answers.values()), "250 2.1.5 Recipient OK")) in result["msg"]
    else:
        assert result["changed"] is False
        assert result["addresses"][0]["transcript"]


def test_transcripts_do_not_bury_the_sentence_that_a_task_fails_with(
    street: Street, run: Run
) -> None:
    port = street.server().port
    question = {
        "port": port,
        "relay_recipient": "probe@elsewhere.example",
        "control_host": "127.0.0.1",
    }
    failed = run(**question, expect="closed")
    assert "C: MAIL FROM" not in json.dumps(failed)
    assert "transcript" not in json.dumps(failed)
    kept = {"verdict", "reason", "needs_positive_control", "stage", "sentence"}
    assert set(failed["addresses"][0]["cases"]["relay"]) == kept
    assert failed["addresses"][0]["cases"]["spoof"] is None
    # What is left is judged like the whole.
    whole = run(**question)
    assert whole["addresses"][0]["transcript"]
    assert whole["control_transcript"]
    assert judge_look(failed, "closed") == judge_look(whole, "closed")
    lines = looks_as_lines(whole, whole, "a stranger", "closed")
    assert looks_as_lines(failed, failed, "a stranger", "closed") == lines
    loud = run(1, **question, expect="closed")
    assert loud["failed"] is True
    assert set(loud["addresses"][0]) == set(whole["addresses"][0])
    assert set(loud["addresses"][0]["cases"]["relay"]) == set(
        whole["addresses"][0]["cases"]["relay"]
    )
    assert loud["addresses"][0]["transcript"]


def test_mail_flows_if_one_address_takes_it(street: Street, run: Run) -> None:
    four = street.server(NOT_ANONYMOUS)
    street.server(address="::1", port=four.port)
    result = run(targets=["127.0.0.1", "::1"], port=four.port, expect="open")
    assert (result["failed"], result["delivery"]) == (False, "open")
    result = run(targets=["127.0.0.1", "[::1]"], port=four.port, expect="closed")
    assert result["failed"] is True
    assert "[::1]" in result["msg"]


@pytest.mark.parametrize("targets", [["127.0.0.1", "::1"], ["localhost"]])
def test_a_family_can_be_left_out_but_not_everything(
    street: Street, run: Run, targets: list[str]
) -> None:
    four = street.server(NOT_ANONYMOUS)
    six = street.server(address="::1", port=four.port)
    result = run(targets=targets, port=four.port, expect="closed", address_family="ipv4")
    assert (result["failed"], [address["address"] for address in result["addresses"]]) == (
        False,
        ["127.0.0.1"],
    )
    assert six.connections == 0
    result = run(targets=["127.0.0.1"], port=four.port, expect="closed", address_family="ipv6")
    delivery = result["addresses"][0]["cases"]["delivery"]
    assert (result["failed"], result["verdict"], delivery["reason"]) == (
        True,
        "inconclusive",
        "no_address",
    )


def test_an_open_relay_is_not_what_a_look_for_mail_flow_expects(street: Street, run: Run) -> None:
    server = street.server({f"RCPT TO:<{RECIPIENT}>": "451 4.7.500 Server busy"})
    result = run(port=server.port, relay_recipient="probe@elsewhere.example", expect="open")
    assert (result["failed"], result["verdict"], result["relay"]) == (True, "open", "open")
    assert any("open relay" in warning for warning in result["warnings"])


def test_several_looks_in_one_task_are_as_good_as_one_task_each(street: Street, run: Run) -> None:
    shut, wide = street.server(NOT_ANONYMOUS), street.server()
    looks = [{"name": "a stranger", "port": shut.port}, {"name": "the filter", "port": wide.port}]
    result = run(looks=looks)
    assert "verdict" not in result
    assert [look["name"] for look in result["looks"]] == ["a stranger", "the filter"]
    for look, given in zip(result["looks"], looks):
        alone = run(port=given["port"])
        assert set(look) - {"name"} == set(alone) - OF_ANSIBLE
        assert (look["verdict"], look["reachable_addresses"]) == (
            alone["verdict"],
            alone["reachable_addresses"],
        )
    failed = run(looks=looks, expect="closed")
    assert failed["failed"]
    assert failed["msg"].startswith("the filter: This should be closed")
    assert "transcript" not in json.dumps(failed)
    assert [look["verdict"] for look in failed["looks"]] == ["closed", "open"]


def test_what_one_look_says_is_its_own(street: Street, run: Run) -> None:
    server = street.server(NOT_ANONYMOUS)
    looks = [
        {"name": "from the filter", "allowed_ranges": ["127.0.0.0/8"]},
        {"name": "from nowhere", "targets": ["::1"], "address_family": "ipv4"},
        {"name": "a stranger"},
    ]
    result = run(port=server.port, looks=looks)
    assert [look["verdict"] for look in result["looks"]] == [
        "inconclusive",
        "inconclusive",
        "closed",
    ]
    assert any(warning.startswith("from the filter: ") for warning in result["warnings"])


NOT_HEARD: dict[str, Answer] = {
    "banner": by_source({"127.0.2.1": "421 4.3.2 Service not available"})
}


def test_an_allowed_sender_in_the_same_task_is_the_other_half_of_a_proof(
    street: Street, run: Run
) -> None:
    port = street.server(NOT_HEARD).port
    stranger = {"name": "a stranger", "source_address": "127.0.2.1", "expect": "closed"}
    allowed = {"name": "the filter", "source_address": "127.0.3.1", "expect": "open"}
    alone = run(port=port, looks=[stranger])
    assert alone["failed"]
    assert alone["looks"][0]["needs_positive_control"]
    assert "an allowed sender that is accepted at the same address" in alone["msg"]
    both = run(port=port, looks=[stranger, allowed])
    assert not both["failed"]
    assert [look["verdict"] for look in both["looks"]] == ["closed", "open"]
    [sentence] = both["looks"][0]["sentences"]
    assert sentence == (
        f"127.0.0.1:{port} is closed. No receive connector hears this host, or the service is not "
        "available for the moment. An allowed sender (the filter) is accepted at the same address "
        "in this run, so that it is this host that is refused. "
        "The greeting was: 421 4.3.2 Service not available"
    )
    # What a look is to find is its own; what it does not say is the task's.
    unsaid = {key: value for key, value in allowed.items() if key != "expect"}
    assert not run(port=port, looks=[stranger, unsaid], expect="open")["failed"]
    assert (
        "the filter: This should be closed"
        in run(port=port, looks=[stranger, unsaid], expect="closed")["msg"]
    )


def test_every_look_with_a_mistake_is_named_before_anything_is_sent(
    street: Street, run: Run
) -> None:
    server = street.server()
    looks = [
        {"name": "one", "source_address": "192.0.2.1"},
        {"name": "two"},
        {"name": "three", "reached_before": ["192.0.2.0/24"]},
    ]
    result = run(port=server.port, looks=looks)
    assert result["failed"]
    assert result["msg"].startswith("one: source_address is 192.0.2.1")
    assert "three: reached_before takes addresses only" in result["msg"]
    assert server.connections == 0
    assert "targets is empty" in run(port=server.port, targets=None, looks=[{"name": "one"}])["msg"]


def test_a_name_that_leads_nowhere_is_never_closed(
    monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    def unknown(*_question: t.Any) -> t.NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    result = run(targets=["localhost"], expect="closed", relay_recipient="probe@elsewhere.example")
    assert (result["failed"], result["verdict"], result["relay"]) == (
        True,
        "inconclusive",
        "inconclusive",
    )
    assert "localhost" in result["msg"]
    address = result["addresses"][0]
    assert (address["cases"]["delivery"]["reason"], address["address"]) == ("no_address", None)


def test_a_resolver_that_hangs_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_question: never.wait(30))
    doors, unresolved = find_doors(["mail.hafen.example"], 25, "any", 0.1)
    never.set()
    assert doors == []
    assert "no answer from the resolver" in unresolved[0][1]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("targets", [], "targets is empty"),
        ("targets", ["mail.hafen.example:25"], "mail.hafen.example:25"),
        ("targets", ["https://mail.hafen.example/"], "neither a host name"),
        ("targets", ["mail hafen"], "neither a host name"),
        ("port", 0, "port is 0"),
        ("control_port", 70000, "control_port is 70000"),
        ("timeout", 0, "timeout is 0"),
        ("connect_timeout", -1, "connect_timeout is -1"),
        ("sender", "probe", "not a mail address"),
        ("sender", "", "both needed"),
        ("sender", "a@b.example>\r\nDATA", "not a mail address"),
        ("sender", "größe@b.example", "not a mail address"),
        ("recipient", "a b@hafen.example", "not a mail address"),
        ("relay_recipient", "<x@elsewhere.example>", "not a mail address"),
        ("relay_recipient", "someone@Hafen.example", "that is no relaying"),
        ("sender", "someone@hafen.example", "own_domain_sender asks that"),
        ("own_domain_sender", "office", "not a mail address"),
        ("helo_name", "a\r\nDATA", "neither a host name"),
        ("helo_name", "[not an address]", "neither a host name"),
        ("source_address", "192.0.2.299", "not an IP address"),
        ("source_address", "192.0.2.1", "not an address of this host"),
        ("allowed_ranges", ["198.51.100.9-198.51.100.1"], "reversed"),
        ("control_host", "mail:25", "control_host"),
        ("reached_before", ["mail.hafen.example"], "reached_before takes addresses only"),
        ("reached_before", ["127.0.0.0/8"], "reached_before takes addresses only"),
        ("reached_before", ["203.0.113.25", ""], "reached_before takes addresses only"),
        ("reached_before", ["203.0.113.25:25"], "'203.0.113.25:25'"),
    ],
)
def test_options_that_mean_nothing_are_refused_before_anything_is_sent(
    street: Street, run: Run, option: str, value: t.Any, words: str
) -> None:
    server = street.server()
    result = run(**{"port": server.port, option: value})
    assert result["failed"] is True
    assert words in result["msg"]
    assert result["msg"].endswith("Nothing was sent.")
    assert server.connections == 0


@pytest.mark.parametrize("name", ["watchtower.example", "[192.0.2.7]", "[IPv6:2001:db8::7]"])
def test_the_name_of_this_host_can_be_chosen(street: Street, run: Run, name: str) -> None:
    server = street.server()
    run(port=server.port, helo_name=name)
    assert server.commands[0] == f"EHLO {name}"


def test_reserved_domains_are_named_once() -> None:
    question = Question(
        "a@mail.example.com", "b@hafen.test", "a@mail.example.com", "c@real-name.de"
    )
    assert reserved_addresses(question) == ["a@mail.example.com", "b@hafen.test"]
    assert reserved_addresses(Question("a@notexample.com", "b@my-example.org")) == []


def test_reserved_domains_are_refused_where_the_server_may_be_a_real_one(run: Run) -> None:
    for targets in (["192.0.2.9"], ["127.0.0.1", "mail.hafen.example"], ["2001:db8::9"]):
        result = run(targets=targets)
        assert result["failed"]
        assert f"{SENDER}, {RECIPIENT}: domains that are reserved for examples" in result["msg"]
        assert f"that {targets[-1]} would look locked" in result["msg"]
        assert result["msg"].endswith("Nothing was sent.")
    known = {"mail.hafen.example": ["192.0.2.9"]}
    assert "192.0.2.9" in run(targets=list(known), target_addresses=known)["msg"]


def test_a_warning_says_that_reserved_domains_may_be_refused(street: Street, run: Run) -> None:
    result = run(port=street.server({"RCPT": "550 5.1.4 Recipient refused"}).port)
    assert result["verdict"] == "inconclusive"
    assert f"{SENDER}, {RECIPIENT}" in result["warnings"][0]


def test_the_documentation_is_the_argument_spec() -> None:
    facts = ("type", "elements", "required", "default", "choices")

    def spec(documented: dict[str, t.Any]) -> dict[str, t.Any]:
        return {
            name: {
                **{fact: option[fact] for fact in facts if fact in option},
                **({"options": spec(option["suboptions"])} if "suboptions" in option else {}),
            }
            for name, option in documented.items()
        }

    assert spec(documentation("mail_edge_probe")["options"]) == ARGUMENTS


def test_every_result_is_documented_and_every_documented_result_is_there(
    street: Street, run: Run
) -> None:
    result = run(port=street.server().port)
    documented = yaml.safe_load(mail_edge_probe.RETURN)
    assert set(documented) == {*result, "looks"} - OF_ANSIBLE
    assert set(documented["addresses"]["contains"]) == set(result["addresses"][0])


def test_the_examples_take_options_that_exist() -> None:
    tasks = [
        task
        for task in yaml.safe_load(mail_edge_probe.EXAMPLES)
        if "mailedge.lockdown.mail_edge_probe" in task
    ]
    assert len(tasks) == 6
    for task in tasks:
        checked = ArgumentSpecValidator(ARGUMENTS).validate(
            task["mailedge.lockdown.mail_edge_probe"]
        )
        assert checked.error_messages == []
