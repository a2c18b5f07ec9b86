# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stranger asks of a lab host, and what must never have arrived there."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.control import (
    Sought,
    settled,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import ARGUMENTS
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.task import (
    prepare,
    take_all,
)
from ansible_collections.mailedge.lockdown.tests.lab.lab import LabHost
from ansible_collections.mailedge.lockdown.tests.support.smtp_server import HARMLESS

Result = t.Mapping[str, t.Any]

# Which headers a look has. Any other, such as one with a login, is too much.
HARMLESS_HEADERS = {"host", "user-agent", "accept"}


def parameters(looks: t.Iterable[t.Mapping[str, t.Any]] = (), **options: t.Any) -> dict[str, t.Any]:
    """The parameters of a task of mail_edge_probe, as Ansible fills them."""
    own = dict.fromkeys(ARGUMENTS["looks"]["options"])
    return {
        **{name: option.get("default") for name, option in ARGUMENTS.items()},
        "timeout": 5,
        "connect_timeout": 2,
        **options,
        "looks": [{**own, **look} for look in looks],
    }


def looked(*looks: t.Mapping[str, t.Any], **options: t.Any) -> list[Result]:
    """What a task with these looks finds, held against those from allowed senders."""
    tasks = prepare(parameters(looks, **options))
    taken = take_all(tasks)
    return settled(
        Sought(task.name, task.expect, result) for task, (result, _heard) in zip(tasks, taken)
    )


def assert_harmless(host: LabHost) -> None:
    """Nothing has arrived that could do anything: no message, no login, no search for mailboxes."""
    verbs = {
        command.split(" ")[0].upper()
        for conversation in host.mailbox.conversations
        for command in conversation.commands
    }
    assert verbs <= HARMLESS, f"The probe sent {sorted(verbs - HARMLESS)}."
    for request in host.web.requests if host.web else ():
        assert request.method in ("GET", "HEAD"), f"The probe sent {request.method}."
        extra = set(request.headers) - HARMLESS_HEADERS
        assert not extra, f"The probe sent {sorted(extra)} to {request.target}."
