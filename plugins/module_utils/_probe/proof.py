# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks before and after a change prove: in plain words, and as a state of a site.

A result is what mail_edge_probe has returned or failed with, as plain data. A look that could not
be made (a host that was not reached, a task that was skipped, an option that was refused) has no
verdict, and proves nothing.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import (
    FAMILY_WORDS,
    place,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import (
    HTTPS,
    asked,
    expected_of,
    shortfall,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import CASE_WORDS
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import (
    CLOSED,
    DELIVERY,
    INCONCLUSIVE,
    OPEN,
    RELAY,
)

IN_ORDER, UNKNOWN, DRIFT, NOT_JUDGED = "in order", "unknown", "drift", "not judged"
STATES = (OPEN, UNKNOWN, DRIFT, IN_ORDER, NOT_JUDGED)
NOT_LOOKED_AT = "not looked at"
EXPECTATIONS = (CLOSED, OPEN, "any")

Result = t.Mapping[str, t.Any]


def judge_look(result: Result | None, expect: str) -> tuple[str, list[str]]:
    """One of STATES, and why, for a look that expects `closed`, `open` or `any`.

    It is the rule that a task with `expect` fails by. A closed look whose `needs_positive_control`
    is true is `in order` here; whether it proves a lock is known only together with a look that
    found the server open. Raises ValueError for another expectation.
    """
    if expect not in EXPECTATIONS:
        raise ValueError(f"'{expect}' is not one of {', '.join(EXPECTATIONS)}.")
    if result is None or not _usable(result):
        return UNKNOWN, [_why_unusable(result)]
    wrong = shortfall(result, expect)
    if wrong is None:
        return IN_ORDER if _judged(result, expect) else NOT_JUDGED, list(result["sentences"])
    if wrong.verdict == INCONCLUSIVE:
        return UNKNOWN, wrong.reasons
    return OPEN if wrong.verdict == OPEN else DRIFT, wrong.reasons


def _judged(result: Result, expect: str) -> bool:
    """Whether anything of it was to be found closed or open."""
    return any(
        expected_of(answer, expect) != "any"
        for address in result["addresses"]
        for _case, answer in asked(address)
    )


def looks_as_lines(
    before: Result | None, after: Result | None, name: str, expect: str = "any"
) -> list[str]:
    """One line for each address: who looked (`name`), at what, what was found before and now.

    The reason stands there where the answer is another one than before, could not be told, or is
    not what is expected. `before` is None where nobody looked.
    """
    if after is None or not _usable(after):
        return [f"{name}: {UNKNOWN}. {_why_unusable(after)}"]
    old = None if before is None else _by_place(before) if _usable(before) else {}
    new = _by_place(after)
    wrong = shortfall(after, expect) is not None
    lines = []
    for where, address in new.items():
        wanted = expect if wrong and not _as_expected(address, expect) else "any"
        line = f"{name} at {where}: {_change(old, where, address, wanted)}"
        given = _given_away(address)
        lines.append(" ".join([line if line.endswith(".") or not given else f"{line}.", *given]))
    gone = [(where, address) for where, address in (old or {}).items() if where not in new]
    return lines + [
        f"{name} at {where}: {_word(address)} → {NOT_LOOKED_AT}" for where, address in gone
    ]


def proof_possible(before: Result | None) -> list[str]:
    """Why a look from the same place cannot prove afterwards that the site is closed.

    A lock that drops packets answers with silence. Silence is a proof only from where the way out
    is proven: by the look before, which reached the address, or by a control host.
    """
    if before is None or not _usable(before):
        return [
            f"{_why_unusable(before)} Silence afterwards would prove nothing. Name control_host."
        ]
    return [
        sentence
        for address in before["addresses"]
        for sentence in _no_proof(address, before["control"])
    ]


def _no_proof(address: Result, control: Result) -> t.Iterator[str]:
    first = asked(address)[0][1]
    reason, family = first["reason"], address["family"]
    if (
        address["address"] is None
        or address["source_allowed"]
        or reason in ("no_source_address", "source_inside", "interceptor")
    ):
        # No control host would help here: nothing is asked, or the answer counts for nothing.
        yield (f"{_place(address)} cannot be proven closed from there. {first['sentence']}")
    elif not address["reachable"] and not control[family]:
        remedy = (
            "Name control_host, a mail server elsewhere that greets everybody"
            if control[family] is None
            else (
                f"control_host does not greet over {FAMILY_WORDS[family]} either: name one that "
                "does"
            )
        )
        yield (
            f"{_place(address)} was not reached, so that silence afterwards would prove nothing. "
            f"{remedy}."
        )


def _usable(result: Result) -> bool:
    return bool(result.get("verdict") and result.get("addresses"))


def _why_unusable(result: Result | None) -> str:
    """What a task says for itself that has not looked, as a sentence."""
    if result and result.get("skipped"):
        return "The look was skipped."
    said = " ".join(str((result or {}).get("msg") or "Nobody has looked").split())
    return said if said.endswith((".", "!", "?")) else f"{said}."


def _place(address: Result) -> str:
    if address.get("protocol") == HTTPS:
        # Each name may lead to a web of its own.
        return place(address["address"], address["peer"], address["targets"])
    return address["peer"] or ", ".join(address["targets"])


def _given_away(address: Result) -> list[str]:
    """What a web tells everybody, for a line about it."""
    web, tls = address.get("web") or {}, address.get("tls") or {}
    told = []
    if web.get("build"):
        told.append(f"It gives away the build of Exchange, {web['build']}.")
    if tls.get("sha256") and address.get("protocol") == HTTPS and _is_open(address):
        named = ", ".join(tls["names"]) or tls["subject"] or "nobody that could be read"
        told.append(f"Its certificate is for {named}, valid until {tls['not_after']}.")
    return told


def _is_open(address: Result) -> bool:
    return any(answer["verdict"] == OPEN for _case, answer in asked(address))


def _by_place(result: Result) -> dict[str, Result]:
    return {_place(address): address for address in result["addresses"]}


def _change(old: t.Mapping[str, Result] | None, where: str, address: Result, expect: str) -> str:
    """What was found and is found; `expect` is `any` where this address is as it should be."""
    now = _word(address)
    was = now if old is None else _word(old[where]) if where in old else NOT_LOOKED_AT
    if old is None:
        words = now
    elif was == now:
        words = f"{now}, as before"
    else:
        words = f"{was} → {now}"
    told = expect != "any" or address["verdict"] == INCONCLUSIVE or was != now
    return f"{words}. {_reason(address, expect)}" if told else words


def _as_expected(address: Result, expect: str) -> bool:
    if address.get("protocol") == HTTPS:
        return not any(_off(answer, expect) for _path, answer in asked(address))
    return bool(address[DELIVERY] == OPEN if expect == OPEN else address["verdict"] == CLOSED)


def _off(answer: Result, expect: str) -> bool:
    wanted = expected_of(answer, expect)
    return wanted != "any" and bool(answer["verdict"] != wanted)


def _word(address: Result) -> str:
    """What was found at an address: the answer for mail, and what is worse than that."""
    if address.get("protocol") == HTTPS:
        return _word_of_web(address)
    mail, verdict = str(address[DELIVERY]), address["verdict"]
    if mail != verdict:
        worse = [
            CASE_WORDS[case] for case, answer in asked(address) if answer["verdict"] == verdict
        ]
        return f"{mail}, but {verdict} {' and '.join(worse)}"
    return f"{mail}, also as a relay" if verdict == address[RELAY] == OPEN else mail


def _word_of_web(address: Result) -> str:
    """What was found, path by path: `open at /owa, closed at /ecp and /EWS`."""
    paths: dict[str, list[str]] = {}
    for path, answer in asked(address):
        paths.setdefault(str(answer["verdict"]), []).append(path)
    if len(paths) == 1:
        return next(iter(paths))
    return "; ".join(
        f"{verdict} at {', '.join(paths[verdict])}"
        for verdict in (OPEN, INCONCLUSIVE, CLOSED)
        if verdict in paths
    )


def _reason(address: Result, expect: str) -> str:
    """The sentence of the question that decides."""
    answers = dict(asked(address))
    if address.get("protocol") == HTTPS:
        off = [answer for answer in answers.values() if _off(answer, expect)]
        return str((off or list(answers.values()))[0]["sentence"])
    if expect == OPEN:
        return str(answers[DELIVERY]["sentence"])
    if address[RELAY] == OPEN:
        return str(answers[RELAY]["sentence"])
    return str(
        next(
            answer["sentence"]
            for answer in answers.values()
            if answer["verdict"] == address["verdict"]
        )
    )
