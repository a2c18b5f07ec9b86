# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the layers of a site registered, as the stages of the whole edge of each of its servers."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.fold import (
    EXCHANGE,
    FIREWALL,
    IIS,
    RELAYS,
    TAKEN,
    TENANT,
    WEB_STAGES,
    WINDOWS_FIREWALL,
    Answer,
    Seen,
    answers,
    tenant_answers,
    web_answers,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.proof import (
    MAIL,
    Looked,
    contradicted,
    forgotten,
    perhaps_open,
    sentences,
    standing_for,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.proof import (
    parts as parts_of_door,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    PROVIDER,
    STRANGERS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import (
    EXPECTED,
    VANTAGE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import HTTPS
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import CLOSED, OPEN
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    MANAGED,
    NOT_MANAGED,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import UNKNOWN

WAY_IN, CLOUD = "fortigate way in", "exchange online"
_STAGES = {FIREWALL: WAY_IN, WINDOWS_FIREWALL: "windows firewall", EXCHANGE: "exchange"}
_LAYERS = {**_STAGES, IIS: "iis"}

Plain = t.Mapping[str, t.Any]
Parts = t.Mapping[str, t.Mapping[str, t.Any]]


@dataclass(frozen=True)
class Edge:
    """The whole edge of one server."""

    answers: tuple[Answer, ...] = ()
    # Whether the way in at the firewall in front was read, which is read where it is locked.
    locked_in_front: bool = False
    # Whether the addresses of the server are known.
    own: bool = False
    # The looks of strangers that the hosts of its site took, whichever of them.
    looks: tuple[Looked, ...] = ()
    # A sentence where what is in front of the server has more doors than it tells.
    left_out: str = ""

    @property
    def lines(self) -> list[str]:
        """One sentence for each published door, each path of a web and each domain of the tenant;
        of the provider at the doors of mail alone.
        """
        return sentences(self._told)

    @property
    def doors(self) -> list[dict[str, t.Any]]:
        """The same, each in its parts, for who draws them."""
        return [parts_of_door(answer) for answer in self._told]

    @property
    def _told(self) -> list[Answer]:
        return [
            answer
            for answer in self.answers
            if answer.group == STRANGERS or answer.place.port_inside == MAIL
        ]

    def judged(
        self, named: t.Collection[str], *, looked: bool, elsewhere: bool = False
    ) -> tuple[str, list[str]]:
        """A state, empty where no stranger gets in, and the sentences of the doors that are why.

        `named`: the virtual IPs that the site locks. `looked`: whether looks from outside judge
        the doors of which the layers do not know enough; `elsewhere`: those of another host of the
        site, which does not know of these doors.
        """
        certain = [
            answer
            for answer in self.answers
            if answer.group == STRANGERS and answer.answer in (RELAYS, TAKEN) and answer.of_mail
        ]
        if certain:
            return OPEN, sentences(certain)
        if elsewhere and self.looks:
            unseen = [*self._forgotten(self.looks), *self._untold]
            return UNKNOWN if unseen else "", unseen
        if looked or not self.locked_in_front:
            return "", []
        perhaps = [
            *sentences(perhaps_open(self.answers, named, own=self.own)),
            *self._untold,
        ]
        return UNKNOWN if perhaps else "", perhaps

    @property
    def _untold(self) -> list[str]:
        return [self.left_out] if self.left_out else []

    def held_against(self, registered: t.Any, looks: t.Sequence[t.Any]) -> tuple[str, list[str]]:
        """A state, empty where nothing is wrong, and sentences: known doors that no look of a
        stranger was at, or that are not told, and what a look found that cannot be.
        """
        if not self.left_out and all(answer.place.tenant for answer in self.answers):
            return "", []
        seen = list(looked_at(registered, looks))
        against = contradicted(self.answers, seen)
        unseen = [*self._forgotten([*seen, *self.looks]), *self._untold]
        return OPEN if against else UNKNOWN if unseen else "", [*against, *unseen]

    def _forgotten(self, looks: t.Collection[Looked]) -> list[str]:
        return [
            f"A known door was not looked at from outside: {answer.sentence()}, by what the layers "
            "say."
            for answer in forgotten(self.answers, looks)
        ]


def seen_of(layer: str, stage: str, parts: Parts, result: Plain | None) -> Seen:
    """A layer as a stage."""
    told = (result or {}).get("edge")
    if isinstance(told, dict):
        return Seen(stage, told)
    how = (parts.get(layer) or {}).get("how")
    if how == MANAGED:
        return Seen(stage, None, "is not known")
    return Seen(
        stage, None, "is not managed" if how in (None, NOT_MANAGED) else "was not looked at"
    )


def doors_of(
    parts: Parts, result_of: t.Callable[[str], t.Any], front: Seen | None, when: str
) -> list[dict[str, t.Any]]:
    """The doors of a server as they are `described`, or were `before` a run that has written; empty
    where no layer tells of that.
    """
    told = [(result_of(layer) or {}).get("edge") for layer in (*_LAYERS.values(), CLOUD)]
    told.append(front.told if front else None)
    if not any(isinstance(stage, dict) and when in stage for stage in told):
        return []
    return edge_of(parts, result_of, front, when=when).doors


def _as_of(seen: Seen, when: str) -> Seen:
    """A stage at another time; one that tells of none is the same then as now."""
    return replace(seen, told=seen.told[when]) if seen.told and when in seen.told else seen


def edge_of(
    parts: Parts,
    result_of: t.Callable[[str], t.Any],
    front: Seen | None,
    looks: t.Iterable[Looked] = (),
    when: str = "",
) -> Edge:
    """The edge of a server; `front` is the firewall of its site, which one of its hosts reads, and
    `looks` those that its hosts took. `when` as in doors_of(), empty for now.
    """
    seen = {
        stage: _as_of(seen_of(layer, stage, parts, result_of(layer)), when)
        for stage, layer in _LAYERS.items()
    }
    if seen[FIREWALL].told is None and front is not None:
        seen[FIREWALL] = _as_of(front, when)
    stages = [seen[stage] for stage in _STAGES]
    web = web_answers([seen[stage] for stage in WEB_STAGES])
    tenant = tenant_answers(_as_of(seen_of(CLOUD, TENANT, parts, result_of(CLOUD)), when))
    if all(stage.told is None for stage in stages):
        return Edge((*web, *tenant))
    return Edge(
        (*answers(stages, (STRANGERS, PROVIDER)), *web, *tenant),
        locked_in_front=stages[0].told is not None,
        own=bool((stages[-1].told or {}).get("addresses")),
        looks=tuple(looks),
        left_out=str((stages[0].told or {}).get("left_out") or ""),
    )


def looked_at(registered: t.Any, looks: t.Sequence[t.Any]) -> t.Iterator[Looked]:
    """Every address that a look of a stranger was at."""
    asked = [
        look
        for item in (registered or {}).get("results") or []
        for look in (item.get(VANTAGE) or {}).get("looks") or [{}]
    ]
    for options, look in zip(asked, looks):
        of_web = options.get("protocol") == HTTPS
        if look.expect != EXPECTED and not (of_web and look.expect != OPEN):
            continue
        for address in look.result.get("addresses") or ():
            where = standing_for(
                str(options.get("stands_for") or ""),
                str(address.get("address") or ""),
                int(address.get("port") or 0),
            )
            verdicts = (address.get("paths") or {}) if of_web else {"": address.get("verdict")}
            for path, verdict in verdicts.items():
                known = str(verdict) if verdict in (OPEN, CLOSED) else "inconclusive"
                yield Looked(look.name, *where, known, path)
