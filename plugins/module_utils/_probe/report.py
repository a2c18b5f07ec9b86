# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found, as plain data for a module's result, held against what was expected."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import place
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import (
    CASE_WORDS,
    ENVELOPE_STAGES,
    Look,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import (
    CASES,
    CLOSED,
    DELIVERY,
    INCONCLUSIVE,
    OPEN,
    RELAY,
    together,
)

Plain = dict[str, t.Any]
HTTPS = "https"


def address_result(look: Look) -> Plain:
    """One address."""
    return summed_up(
        {
            "protocol": look.protocol,
            "targets": list(look.door.names),
            "address": look.door.address or None,
            "family": look.door.family or None,
            "port": look.door.port,
            "peer": look.door.peer or None,
            "source": look.source,
            "seen_as": look.seen_as,
            "source_allowed": look.source_allowed,
            "sender_address_hidden": look.address_hidden,
            "compared_with_control": look.compared,
            "reachable": look.reachable,
            "cases": _cases(look),
            "web": _web_result(look),
            "connect_seconds": look.connect_seconds,
            "banner": look.banner,
            "extensions": list(look.extensions),
            "tls": _tls_result(look),
            "tls_error": look.tls_error,
            "transcript": list(look.transcript),
        }
    )


def _cases(look: Look) -> dict[str, Plain | None]:
    """What was asked; of a web, each path with what it must be."""
    cases: dict[str, Plain | None] = dict.fromkeys(CASES)
    for case, decision in look.decisions.items():
        cases[case] = decision.result()
        if look.protocol == HTTPS:
            cases[case] = {**decision.result(), "expect": look.expects.get(case)}
    return cases


def _web_result(look: Look) -> Plain | None:
    if look.protocol != HTTPS:
        return None
    return {name: look.web.get(name) for name in ("build", "server", "front_end")}


def summed_up(address: t.Mapping[str, t.Any]) -> Plain:
    """What was found at one address, with all that follows from its `cases`."""
    answers = dict(asked(address))
    return {
        **address,
        "verdict": together(answer["verdict"] for answer in answers.values()),
        **{case: answers[case]["verdict"] if case in answers else None for case in CASES},
        "paths": {case: answers[case]["verdict"] for case in answers if case not in CASES},
        "needs_positive_control": any(
            answer["needs_positive_control"] for answer in answers.values()
        ),
        "sentences": _sentences(address, answers),
    }


def _sentences(
    address: t.Mapping[str, t.Any], answers: t.Mapping[str, t.Mapping[str, t.Any]]
) -> list[str]:
    """What was found at one address, in plain words."""
    where = place(address["address"], address["peer"], address["targets"])
    first = next(iter(answers.values()))
    if (
        address.get("protocol") == HTTPS
        and all(answer["sentence"] == first["sentence"] for answer in answers.values())
    ) or (address.get("protocol") != HTTPS and first["stage"] not in ENVELOPE_STAGES):
        lines = [f"{where} is {first['verdict']}. {first['sentence']}"]
    else:
        lines = [
            f"{where} is {answer['verdict']} {case_words(case)}. {answer['sentence']}"
            for case, answer in answers.items()
        ]
    lines += _given_away(where, address)
    if address["sender_address_hidden"]:
        lines.append(_hidden(where, address["seen_as"]))
    return lines


def _given_away(where: str, address: t.Mapping[str, t.Any]) -> list[str]:
    """What a web tells everybody: the build of Exchange, and its certificate."""
    if address.get("protocol") != HTTPS:
        return []
    lines = []
    if address["web"]["build"]:
        lines.append(f"{where} gives away the build of Exchange, {address['web']['build']}.")
    tls = address["tls"]
    if tls and tls["sha256"]:
        named = ", ".join(tls["names"]) or tls["subject"] or "nobody that could be read"
        dates = f"{tls['not_before']} to {tls['not_after']}"
        lines.append(
            f"{where} shows a certificate for {named}, valid from {dates}, of {tls['issuer']}. "
            "Whether anybody trusts it was not verified."
        )
    return lines


def case_words(case: str) -> str:
    """What is open or closed, for a sentence: a question of SMTP, or a path of a web."""
    return CASE_WORDS.get(case) or f"at {case}"


def _hidden(where: str, seen_as: str | None) -> str:
    return (
        f"{where} sees this host as {seen_as}, a private address. If a load balancer or firewall "
        "hides the senders like this, no remote IP range of a receive connector can tell them "
        "apart."
    )


def _tls_result(look: Look) -> Plain | None:
    if look.tls is None:
        return None
    shown = look.tls.certificate
    return {
        "version": look.tls.version,
        "cipher": look.tls.cipher,
        "subject": shown.subject if shown else None,
        "issuer": shown.issuer if shown else None,
        "names": list(shown.names) if shown else [],
        "not_before": shown.not_before if shown else None,
        "not_after": shown.not_after if shown else None,
        "sha256": shown.sha256 if shown else None,
    }


class Asked(t.Protocol):
    """A control host: whether it answered, by family, and what was said with it."""

    answers: dict[str, bool]
    transcript: list[str]


def whole_result(looks: t.Sequence[Look], egress: Asked) -> Plain:
    """All addresses together."""
    return all_together(
        {
            "control": {"ipv4": egress.answers.get("ipv4"), "ipv6": egress.answers.get("ipv6")},
            "control_transcript": list(egress.transcript),
            "addresses": [address_result(look) for look in looks],
        }
    )


def all_together(result: t.Mapping[str, t.Any]) -> Plain:
    """A result, with all that follows from its `addresses`."""
    addresses = result["addresses"]
    by_case = {case: [address[case] for address in addresses] for case in CASES}
    return {
        **result,
        "verdict": together(address["verdict"] for address in addresses),
        **{
            case: together(verdicts) if any(verdicts) else None
            for case, verdicts in by_case.items()
        },
        "needs_positive_control": any(address["needs_positive_control"] for address in addresses),
        "reachable_addresses": [
            address["address"] for address in addresses if address["reachable"]
        ],
        "sentences": [sentence for address in addresses for sentence in address["sentences"]],
    }


# What a rule reads of an answer, and a person wants to read when a task has failed.
_ANSWER_IN_BRIEF = ("verdict", "reason", "needs_positive_control", "stage", "sentence", "expect")


def in_brief(result: t.Mapping[str, t.Any]) -> Plain:
    """A result for the screen: all that is judged by, without transcripts and details.

    Ansible prints the whole result of a task that fails, and a dozen transcripts bury the sentence
    that it failed with.
    """
    return {
        **{key: value for key, value in result.items() if key != "control_transcript"},
        "addresses": [
            {
                **{key: value for key, value in address.items() if key != "transcript"},
                "cases": {
                    case: {key: answer[key] for key in _ANSWER_IN_BRIEF if key in answer}
                    if answer
                    else None
                    for case, answer in address["cases"].items()
                },
            }
            for address in result["addresses"]
        ],
    }


class Shortfall(t.NamedTuple):
    """What is not as expected: the verdict that was found, what is wrong, and the reasons.

    There is one reason for each question and address.
    """

    verdict: str
    sentence: str
    reasons: list[str]


def shortfall(result: t.Mapping[str, t.Any], expect: str) -> Shortfall | None:
    """Where a result is not as expected; None where it is.

    `closed` asks for every question at every address. `open` asks for delivery alone, and one
    address is enough: it is asked from an allowed sender, to see that mail still flows.
    """
    if _of_web(result):
        return _web_shortfall(result, expect)
    if expect == OPEN and result[DELIVERY] != OPEN:
        reasons = _reasons(result, lambda case, _verdict: case == DELIVERY)
        return Shortfall(
            result[DELIVERY], "Mail should be accepted, and no address accepts it.", reasons
        )
    if expect == CLOSED and result["verdict"] != CLOSED:
        worst = result["verdict"]
        wrong = "a door stands open" if worst == OPEN else "it could not be told whether it is"
        reasons = _reasons(result, lambda _case, verdict: verdict == worst)
        return Shortfall(worst, f"This should be closed, and {wrong}.", reasons)
    return None


def _of_web(result: t.Mapping[str, t.Any]) -> bool:
    return any(address.get("protocol") == HTTPS for address in result["addresses"])


def expected_of(answer: t.Mapping[str, t.Any], expect: str) -> str:
    """What an answer must be: what its path says for itself, else what the look expects."""
    return str(answer.get("expect") or expect)


def _web_shortfall(result: t.Mapping[str, t.Any], expect: str) -> Shortfall | None:
    """`closed` is asked of a path at every address; for `open`, one address is enough."""
    answers_by_path = [
        (address, path, answer, expected_of(answer, expect))
        for address in result["addresses"]
        for path, answer in asked(address)
    ]
    answering = {
        path for _address, path, answer, _wanted in answers_by_path if answer["verdict"] == OPEN
    }
    wrong = [
        each
        for each in answers_by_path
        if (each[3] == CLOSED and each[2]["verdict"] != CLOSED)
        or (each[3] == OPEN and each[1] not in answering)
    ]
    verdicts = {answer["verdict"] for _address, _path, answer, _wanted in wrong}
    worst = next(
        (
            verdict_of_path
            for verdict_of_path in (OPEN, INCONCLUSIVE, CLOSED)
            if verdict_of_path in verdicts
        ),
        None,
    )
    if worst is None:
        return None
    sentence = {
        OPEN: "A path should be closed to strangers, and stands open.",
        INCONCLUSIVE: "It could not be told of a path whether it is as it should be.",
        CLOSED: "A path should answer strangers, and is closed.",
    }[worst]
    reasons = [
        f"{place(address['address'], address['peer'], address['targets'])} is {answer['verdict']} "
        f"{case_words(path)}: {answer['sentence']}"
        for address, path, answer, _wanted in wrong
        if answer["verdict"] == worst
    ]
    return Shortfall(worst, sentence, reasons)


def unexpected(result: t.Mapping[str, t.Any], expect: str) -> str | None:
    """The sentence that a task fails with: the first reason, and how many more there are.

    None where everything is as expected.
    """
    wrong = shortfall(result, expect)
    if wrong is None:
        return None
    more = len(wrong.reasons) - 1
    return " ".join([wrong.sentence, *wrong.reasons[:1]]) + (
        f" ({more} more in sentences.)" if more > 0 else ""
    )


def _reasons(result: t.Mapping[str, t.Any], wanted: t.Callable[[str, str], bool]) -> list[str]:
    return [
        f"{place(address['address'], address['peer'], address['targets'])} is {answer['verdict']} "
        f"{case_words(case)}: "
        f"{answer['sentence']}"
        for address in result["addresses"]
        for case, answer in asked(address)
        if wanted(case, answer["verdict"])
    ]


def asked(address: t.Mapping[str, t.Any]) -> list[tuple[str, t.Mapping[str, t.Any]]]:
    """The questions that were asked at an address of a result, with their answers."""
    cases = address["cases"]
    paths = (case for case in cases if case not in CASES)
    return [(case, cases[case]) for case in (*CASES, *paths) if cases.get(case)]


def cautions(looks: t.Sequence[Look]) -> list[str]:
    """What an administrator should hear whatever was expected."""
    lines = []
    for look in looks:
        if look.source_allowed:
            lines.append(
                f"{look.door.words}: {next(iter(look.decisions.values())).judgement.sentence} Look "
                "from somewhere else."
            )
        if look.verdict_of(RELAY) == OPEN:
            lines.append(f"{look.door.words}: {look.decisions[RELAY].judgement.sentence}")
        if look.address_hidden:
            lines.append(_hidden(look.door.words, look.seen_as))
    return lines
