# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks from the options of a task to their results, several hosts at once and each host one
connection after the other.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.known import (
    as_addresses,
    check_known,
    with_names,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import (
    Door,
    Egress,
    find_doors,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import (
    OptionError,
    check_control,
    check_question,
    check_targets,
    check_web_question,
    each_look,
    port_of,
    refuse_reserved,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import (
    Asked,
    cautions,
    whole_result,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import (
    Look,
    Question,
    look_at,
    nowhere,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.together import (
    Work,
    at_once,
    one_host_each,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web import (
    HTTPS,
    WebEgress,
    WebQuestion,
    look_at_web,
)

Taken = tuple[dict[str, t.Any], list[str]]
"""A result, and what should be heard whatever was expected."""


@dataclass
class _Doors:
    """What there is to look at in one look, and what was found there, in the same order."""

    doors: list[Door] = field(default_factory=list)
    unresolved: list[tuple[str, str]] = field(default_factory=list)
    looks: dict[int, Look] = field(default_factory=dict)


class LookTask:
    """One look, with options that were checked."""

    def __init__(self, name: str, params: t.Mapping[str, t.Any]) -> None:
        """Check the options, and send nothing. Raises OptionError."""
        self.name, self._params = name, params
        self.expect: str = params["expect"]
        self.protocol: str = params["protocol"]
        self._web: WebQuestion | None = None
        self.question: Question | None = None
        if self.protocol == HTTPS:
            self._web = check_web_question(params)
        else:
            self.question = check_question(params)
        self.asked = self._web or t.cast(Question, self.question)
        self._targets = check_targets(params)
        self._known = check_known(params)
        if self.question is not None:
            refuse_reserved(self.question, as_addresses(self._targets, self._known))
        self._control = check_control(params)
        self._port, control_port = port_of(params), port_of(params, "control_port")
        about = (
            self._control,
            control_port,
            self.asked.source,
            self.asked.connect_seconds,
            self.asked.reply_seconds,
        )
        self._web_egress = WebEgress(*about)
        self._egress = Egress(*about, self.question.helo_name if self.question else None)
        self.doors_found = _Doors()

    def share(self, locks: dict[str, t.Any]) -> None:
        """Ask the control host when no other look does."""
        if self._control is not None:
            lock = locks.setdefault(self._control.lower(), self._egress.lock)
            self._egress.lock = self._web_egress.lock = lock

    def find(self) -> list[Door]:
        """The doors behind the targets; of a web, one for each name that leads to it."""
        doors, unresolved = find_doors(
            as_addresses(self._targets, self._known),
            self._port,
            self._params["address_family"],
            self.asked.reply_seconds,
        )
        doors = with_names(doors, self._targets, self._known)
        if self.protocol == HTTPS:
            # A web site is chosen by the name that is asked for.
            doors = [replace(door, names=(name,)) for door in doors for name in door.names]
        self.doors_found = _Doors(doors, unresolved)
        return doors

    def look(self, index: int) -> None:
        """Look at one of the doors."""
        door = self.doors_found.doors[index]
        self.doors_found.looks[index] = (
            self._at_web(door, self._web)
            if self._web is not None
            else look_at(door, t.cast(Question, self.question), self._egress)
        )

    def _at_web(self, door: Door, question: WebQuestion) -> Look:
        """Who is silent to one name takes no connection for the next one: it is waited for once."""
        for seen in self.doors_found.looks.values():
            if seen.door.sockaddr == door.sockaddr and not seen.reachable and seen.decisions:
                return replace(seen, door=door)
        return look_at_web(door, question, self._web_egress)

    def result(self) -> Taken:
        """What was found, when all doors were looked at."""
        doors_found = self.doors_found
        looks = [doors_found.looks[index] for index in range(len(doors_found.doors))]
        for target, what in doors_found.unresolved:
            look = nowhere(target, self._port, self.asked, what, self.protocol)
            look.expects = self._web.paths if self._web is not None else {}
            looks.append(look)
        egress: Asked = self._web_egress if self.protocol == HTTPS else self._egress
        return whole_result(looks, egress), cautions(looks)

    def take(self) -> Taken:
        """Look, and give what was found."""
        return take_all([self])[0]

    def said(self, sentence: str) -> str:
        """A sentence about this look, with who looked."""
        return f"{self.name}: {sentence}" if self.name else sentence


def take_all(tasks: t.Sequence[LookTask]) -> list[Taken]:
    """The results of all looks, in their order.

    Hosts are looked at side by side, and never two connections at once go to one of them. Names and
    addresses that lead to each other are one host.
    """
    locks: dict[str, t.Any] = {}
    for task in tasks:
        task.share(locks)
    at_once([task.find for task in tasks])
    visits: list[tuple[set[str], Work]] = [
        (
            {door.address, *(name.lower() for name in door.names)},
            functools.partial(task.look, index),
        )
        for task in tasks
        for index, door in enumerate(task.doors_found.doors)
    ]
    at_once([functools.partial(_one_by_one, chain) for chain in one_host_each(visits)])
    return [task.result() for task in tasks]


def _one_by_one(visits: t.Iterable[Work]) -> None:
    for visit in visits:
        visit()


def prepare(params: t.Mapping[str, t.Any]) -> list[LookTask]:
    """All looks of a task. Raises OptionError with everything that is wrong with any of them."""
    tasks: list[LookTask] = []
    problems: list[str] = []
    for name, options in each_look(params):
        try:
            tasks.append(LookTask(name, options))
        except OptionError as error:
            problems.append(f"{name}: {error}" if name else str(error))
    if problems:
        raise OptionError(" ".join(problems))
    return tasks
