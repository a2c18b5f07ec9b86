# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look from the options of a task to its result."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.known import (
    as_addresses,
    check_known,
    with_names,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import (
    Egress,
    find_doors,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import (
    OptionError,
    check_control,
    check_question,
    check_targets,
    each_look,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import (
    cautions,
    whole_result,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import (
    Question,
    look_at,
    nowhere,
)


class LookTask:
    """One look, with options that were checked."""

    def __init__(self, name: str, params: t.Mapping[str, t.Any]) -> None:
        """Check the options, and send nothing. Raises OptionError."""
        self.name, self._params = name, params
        self.expect: str = params["expect"]
        self.question: Question = check_question(params)
        self._targets = check_targets(params)
        self._known = check_known(params)
        self._control = check_control(params)

    def take(self) -> tuple[dict[str, t.Any], list[str]]:
        """Look: the result, and what should be heard whatever was expected."""
        question, port = self.question, self._params["port"]
        egress = Egress(
            self._control,
            self._params["control_port"],
            question.source,
            question.connect_seconds,
            question.reply_seconds,
            question.helo_name,
        )
        doors, without_address = find_doors(
            as_addresses(self._targets, self._known),
            port,
            self._params["address_family"],
            question.reply_seconds,
        )
        doors = with_names(doors, self._targets, self._known)
        looks = [look_at(door, question, egress) for door in doors]
        looks += [nowhere(target, port, question, what) for target, what in without_address]
        return whole_result(looks, egress), cautions(looks)

    def said(self, sentence: str) -> str:
        """A sentence about this look, with who looked."""
        return f"{self.name}: {sentence}" if self.name else sentence


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
