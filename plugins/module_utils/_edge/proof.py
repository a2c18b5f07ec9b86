# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks from outside, held against what the layers say: which doors nobody looked at, and where the
one contradicts the other.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.fold import (
    REFUSED,
    RELAYS,
    TAKEN,
    TENANT,
    UNKNOWN,
    WHO,
    Answer,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    ALL,
    STRANGERS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Address,
    RangeError,
    parse_address,
    parse_endpoint,
)

MAIL = 25
MAIL_DOOR, WEB_DOOR = "mail", "web"
"""What a door is about; that of a tenant is about TENANT."""
_SAID = {RELAYS: "taken, and relayed", TAKEN: "taken", REFUSED: "refused"}


@dataclass(frozen=True)
class Looked:
    """What a stranger's look found at one address and port: `open`, `closed`, or neither."""

    name: str
    address: str
    port: int
    verdict: str
    # What was asked for at a web; empty for mail.
    path: str = ""

    @property
    def at(self) -> tuple[str, int]:
        """Where it looked."""
        return self.address, self.port


def standing_for(text: str, address: str, port: int) -> tuple[str, int]:
    """The published address and port that a look is about: those that it names, such as
    `203.0.113.25:25`, else those that it looked at.
    """
    try:
        named = parse_endpoint(text)
    except RangeError:
        return _plain(address), port
    return str(Address(named.version, named.address)), named.port


def _plain(address: str) -> str:
    try:
        return str(parse_address(address))
    except RangeError:
        return address


def forgotten(answers: t.Iterable[Answer], looks: t.Collection[Looked]) -> list[Answer]:
    """The doors for strangers that are known and that no look was at: those of mail, and any other
    one that is not certainly shut. Without anything in front of a server that was read, nobody
    knows at which addresses its doors are. Nor does an address of the server itself have to be
    looked at that it certainly shuts: whether the internet has a way to it nobody has said.
    """
    places = {look.at for look in looks if not look.path}
    return [
        answer
        for answer in answers
        if answer.group == STRANGERS
        and answer.of_mail
        and answer.place.address
        and (answer.place.address, answer.place.port) not in places
        and (
            answer.answer != REFUSED
            or (answer.place.port_inside == MAIL and not answer.place.direct)
        )
    ]


def perhaps_open(
    answers: t.Iterable[Answer], named: t.Collection[str], *, own: bool
) -> list[Answer]:
    """The doors of mail at which a stranger perhaps gets in, and which lead to the server.

    `own`: whether its addresses are known, so that all doors are its own; else it is where those
    lead to that are `named`. Of a door of which nobody knows where it leads the firewall tells.
    """
    mail = [
        answer
        for answer in answers
        if answer.group == STRANGERS and answer.of_mail and answer.place.port_inside == MAIL
    ]
    servers = {
        answer.place.inside
        for answer in mail
        if not answer.place.name or answer.place.name in named
    }
    return [
        answer
        for answer in mail
        if answer.answer == UNKNOWN
        and answer.place.inside
        and (own or answer.place.inside in servers)
    ]


def contradicted(answers: t.Iterable[Answer], looks: t.Collection[Looked]) -> list[str]:
    """Where a look found what cannot be, by what the layers say, in sentences."""
    sentences = []
    for answer in answers:
        if answer.group != STRANGERS or not answer.place.address:
            continue
        for look in looks:
            at = (answer.place.address, answer.place.port)
            same = look.path.casefold() == answer.path.casefold()
            if look.at == at and same and _differ(answer, look):
                looked = TAKEN if look.verdict == "open" else REFUSED
                by = f" by {answer.by}" if answer.by else ""
                where = f"{answer.place}{answer.path and ', ' + answer.path}"
                sentences.append(
                    f"{look.name} at {where}: the layers say {_SAID[answer.answer]}{by}, the "
                    f"look says {looked}. There is a way in, or something on the way, that "
                    "nobody has described."
                )
    return sentences


def _differ(answer: Answer, look: Looked) -> bool:
    if answer.answer == UNKNOWN:
        return False
    if look.verdict == "open":
        return answer.answer == REFUSED
    if answer.path:
        # What gets through IIS, Exchange may refuse by itself.
        return False
    # Of those who look, nobody knows whether they are among some who certainly get in.
    return look.verdict == "closed" and answer.answer != REFUSED and answer.certain == ALL


def parts(answer: Answer) -> dict[str, t.Any]:
    """The sentence of a door in its parts: {about, who, place, name, port, path, answer, by,
    unseen, passed, words}; `by` and `unseen` are stages. What is empty is left out.
    """
    place = answer.place
    named = place.at([place.port]).rstrip(",") if place.tenant else place.address
    told = {
        "about": TENANT if place.tenant else WEB_DOOR if answer.path else MAIL_DOOR,
        "who": WHO[answer.group],
        "place": named or "the server itself",
        "name": "" if place.tenant else place.name,
        "port": 0 if place.tenant else place.port,
        "path": answer.path,
        "answer": answer.answer,
        "by": answer.by,
        "unseen": [phrase.partition(" (which ")[0] for phrase in answer.unseen],
        "passed": answer.passed,
        "words": answer.words(),
    }
    return {part: value for part, value in told.items() if value}


def sentences(answers: t.Iterable[Answer]) -> list[str]:
    """One sentence for each door; ports of one address that answer alike share one, and so do paths
    of one web.
    """
    ports: dict[tuple[t.Any, ...], list[int]] = {}
    paths: dict[tuple[t.Any, ...], list[str]] = {}
    said: dict[tuple[t.Any, ...], Answer] = {}
    for answer in answers:
        place, text = answer.place, answer.words()
        web = place.port if answer.path else 0
        key = (answer.group, place.address, place.name, place.tenant, place.family, web, text)
        for held, value in ((ports, place.port), (paths, answer.path)):
            known = t.cast("dict[tuple[t.Any, ...], list[t.Any]]", held).setdefault(key, [])
            if value not in known:
                known.append(value)
        said.setdefault(key, answer)
    return [answer.sentence(sorted(ports[key]), paths[key]) for key, answer in said.items()]
