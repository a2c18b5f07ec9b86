# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found, as plain data for a module's result, held against what was expected."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import Egress, place
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import (
    CASE_WORDS,
    ENVELOPE_STAGES,
    Look,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import (
    CASES,
    CLOSED,
    DELIVERY,
    OPEN,
    RELAY,
    together,
)

Plain = dict[str, t.Any]


def address_result(look: Look) -> Plain:
    """One address."""
    return summed_up(
        {
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
            "cases": {
                case: look.decisions[case].result() if case in look.decisions else None
                for case in CASES
            },
            "connect_seconds": look.connect_seconds,
            "banner": look.banner,
            "extensions": list(look.extensions),
            "tls": _tls_result(look),
            "tls_error": look.tls_error,
            "transcript": list(look.transcript),
        }
    )


def summed_up(address: t.Mapping[str, t.Any]) -> Plain:
    """What was found at one address, with all that follows from its `cases`."""
    answers = dict(asked(address))
    return {
        **address,
        "verdict": together(answer["verdict"] for answer in answers.values()),
        **{case: answers[case]["verdict"] if case in answers else None for case in CASES},
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
    first = answers[DELIVERY]
    if first["stage"] not in ENVELOPE_STAGES:
        lines = [f"{where} is {first['verdict']}. {first['sentence']}"]
    else:
        lines = [
            f"{where} is {answer['verdict']} {CASE_WORDS[case]}. {answer['sentence']}"
            for case, answer in answers.items()
        ]
    if address["sender_address_hidden"]:
        lines.append(_hidden(where, address["seen_as"]))
    return lines


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


def whole_result(looks: t.Sequence[Look], egress: Egress) -> Plain:
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
_ANSWER_IN_BRIEF = ("verdict", "reason", "needs_positive_control", "stage", "sentence")


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
                    case: {key: answer[key] for key in _ANSWER_IN_BRIEF} if answer else None
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
        f"{CASE_WORDS[case]}: "
        f"{answer['sentence']}"
        for address in result["addresses"]
        for case, answer in asked(address)
        if wanted(case, answer["verdict"])
    ]


def asked(address: t.Mapping[str, t.Any]) -> list[tuple[str, t.Mapping[str, t.Any]]]:
    """The questions that were asked at an address of a result, with their answers."""
    return [(case, address["cases"][case]) for case in CASES if address["cases"].get(case)]


def cautions(looks: t.Sequence[Look]) -> list[str]:
    """What an administrator should hear whatever was expected."""
    lines = []
    for look in looks:
        if look.source_allowed:
            lines.append(
                f"{look.door.words}: {look.decisions[DELIVERY].judgement.sentence} Look from "
                "somewhere else."
            )
        if look.verdict_of(RELAY) == OPEN:
            lines.append(f"{look.door.words}: {look.decisions[RELAY].judgement.sentence}")
        if look.address_hidden:
            lines.append(_hidden(look.door.words, look.seen_as))
    return lines
