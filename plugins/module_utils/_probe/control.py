# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks of one run held against each other: the allowed sender is what a refusal is measured by.

Some refusals are the lock or a fault, and nothing in them says which. Where an allowed sender is
accepted at the same address in the same run, the server is up and takes mail for that recipient, so
that it is this host that is refused.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import (
    HTTPS,
    all_together,
    asked,
    summed_up,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.table import CONTROL
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import (
    CLOSED,
    DELIVERY,
    INCONCLUSIVE,
    OPEN,
)

Plain = t.Mapping[str, t.Any]
_SILENCE, _INTERCEPTOR = "no_connection", "interceptor"


class Sought(t.NamedTuple):
    """One look of a run: who looked, what it was to find, what mail_edge_probe found.

    `beside`: whether it is at further names of the site. What is found there is told and judged,
    and is no reason to undo a change: these doors may be those of another server. `derived`: nobody
    has named what it is at, see web_names.
    """

    name: str
    expect: str
    result: Plain
    beside: bool = False
    derived: bool = False


class _Allowed(t.NamedTuple):
    """An allowed sender that was accepted, and what was found where it was."""

    name: str
    address: Plain


def settled(looks: t.Iterable[Sought]) -> list[Plain]:
    """The result of each look, with what the looks from allowed senders prove of it."""
    looks = list(looks)
    allowed = _allowed(looks)
    return [
        look.result if look.expect == OPEN else _held_against(look.result, allowed)
        for look in looks
    ]


def silence_doubted(result: Plain, now: t.Iterable[Plain], before: t.Iterable[Plain]) -> Plain:
    """A result that was settled(), in which silence is no lock where nothing shows that somebody
    is there: no look of the run at another port or from another host, and none before its change.

    That the way out is proven tells this host from one that nothing gets out of. A server that is
    down, or an address that is not the site's, is as silent as a lock.
    """
    addresses = result.get("addresses") or ()
    if not any(_is_silent(address) for address in addresses):
        return result
    seen, earlier = (
        list(_answering(now)),
        {answering["address"] for answering in _answering(before)},
    )
    # One host that is taken once and refused once at the same door has met a limit, and no lock.
    there = [
        address["address"] in earlier
        or any(
            answering["address"] == address["address"]
            and (answering["peer"], answering["source"]) != (address["peer"], address["source"])
            for answering in seen
        )
        for address in addresses
    ]
    return all_together(
        {
            **result,
            "addresses": [
                address if known else _doubted(address) for address, known in zip(addresses, there)
            ],
        }
    )


def _answering(results: t.Iterable[Plain]) -> t.Iterator[Plain]:
    for result in results:
        for address in result.get("addresses") or ():
            # What stands on the way answers for every address.
            if address["reachable"] and asked(address)[0][1]["reason"] != _INTERCEPTOR:
                yield address


def _doubted(address: Plain) -> Plain:
    why = (
        f"But {address['peer']} answered nobody in this run: a server that is down, or an address "
        "that is not the site's, is as silent as a lock. To tell them apart, add a look at another "
        "port of that address which answers everybody, such as port: 443 with expect: any, or one "
        "from an address that is let in, with expect: open."
    )
    cases = {
        case: {**answer, "verdict": INCONCLUSIVE, "sentence": f"{answer['sentence']} {why}"}
        if _is_silence(answer)
        else answer
        for case, answer in asked(address)
    }
    return summed_up({**address, "cases": {**address["cases"], **cases}})


def _is_silent(address: Plain) -> bool:
    return any(_is_silence(answer) for _case, answer in asked(address))


def _is_silence(answer: Plain) -> bool:
    return bool(
        answer["verdict"] == CLOSED
        and answer["reason"] == _SILENCE
        and answer["needs_positive_control"]
    )


def without_control(looks: t.Iterable[Sought]) -> list[str]:
    """What no allowed sender was accepted at, of all that looks reach which expect `closed`.

    A lock that hears only some addresses could not be proven there: it answers a stranger as a
    server does that is down.
    """
    looks = list(looks)
    allowed = _allowed(looks)
    return [
        f"{look.name}: {address['peer']} will answer a stranger as a server does that is down, "
        "which proves a lock only beside an allowed sender. Add a look from an address that is let "
        "in, with expect: open."
        for look in looks
        if look.expect == CLOSED
        for address in look.result.get("addresses") or ()
        if address["reachable"]
        and not any(_beside(control.address, address) for control in allowed)
    ]


def _allowed(looks: t.Sequence[Sought]) -> list[_Allowed]:
    return [
        _Allowed(look.name, address)
        for look in looks
        if look.expect == OPEN
        for address in look.result.get("addresses") or ()
        if address["peer"] and address["verdict"] == OPEN
        if address.get("protocol") == HTTPS or address["cases"][DELIVERY]["verdict"] == OPEN
    ]


def _held_against(result: Plain, allowed: t.Sequence[_Allowed]) -> Plain:
    if not result.get("addresses") or not any(
        _half_proven(address) for address in result["addresses"]
    ):
        return result
    return all_together(
        {**result, "addresses": [_address(address, allowed) for address in result["addresses"]]}
    )


def _half_proven(address: Plain) -> bool:
    return any(_is_open_question(answer) for _case, answer in asked(address))


def _is_open_question(answer: Plain) -> bool:
    undecided = answer["verdict"] == INCONCLUSIVE and answer["needs_positive_control"]
    return bool(undecided or _is_silence(answer))


def _address(address: Plain, allowed: t.Sequence[_Allowed]) -> Plain:
    if not _half_proven(address):
        return address
    cases = dict(address["cases"])
    for case, answer in asked(address):
        control = next(
            (candidate for candidate in allowed if _counts(candidate.address, address, case)), None
        )
        if control is None:
            continue
        named = f"An allowed sender ({control.name})" if control.name else "An allowed sender"
        shown = (
            f"{named} is accepted at the same address in this run, so that it is this host that is "
            "refused."
        )
        if _is_silence(answer):
            cases[case] = {
                **answer,
                "needs_positive_control": False,
                "sentence": f"{answer['sentence']} {shown}",
            }
        elif _is_open_question(answer):
            cases[case] = {
                **answer,
                "verdict": CLOSED,
                "sentence": answer["sentence"].replace(CONTROL, shown),
            }
    return summed_up({**address, "cases": cases})


def _beside(control: Plain, address: Plain) -> bool:
    """Whether two hosts looked at the same door.

    Where one host is taken once and refused once, it has met a limit, and no lock.
    """
    return bool(control["peer"] == address["peer"] and control["source"] != address["source"])


def _counts(control: Plain, address: Plain, case: str) -> bool:
    """Whether what an allowed sender found says something of a refusal found at the same door."""
    if not _beside(control, address):
        return False
    if address.get("protocol") == HTTPS:
        return _counts_at_web(control, address, case)
    # After a greeting, it may be something on the way that refuses.
    stage = address["cases"][DELIVERY]["stage"]
    return bool(stage in ("connect", "banner") or address["compared_with_control"])


def _counts_at_web(control: Plain, address: Plain, path: str) -> bool:
    """The same of a web: silence is measured by any path that answers; a refusal, by the same path
    of the same name, and by the same certificate, which something on the way would not show.
    """
    answer = address["cases"][path]
    if answer["stage"] == "connect":
        return True
    there = control["cases"].get(path)
    return bool(
        there
        and there["verdict"] == OPEN
        and control["targets"] == address["targets"]
        and control["tls"]
        and address["tls"]
        and control["tls"]["sha256"] == address["tls"]["sha256"]
    )
