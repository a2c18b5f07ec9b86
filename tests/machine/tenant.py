# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs on one tenant of the lab, one between two requests of the other."""

from __future__ import annotations

import copy
import functools
import pathlib
import tempfile
import threading
import typing as t
import unittest.mock
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import web
from ansible_collections.mailedge.lockdown.plugins.modules import exchange_online_lock
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.attribution import (
    ACCEPTED,
    Hop,
    answer,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.connectors import INBOUND
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import ExchangeOnline
from ansible_collections.mailedge.lockdown.tests.machine.turns import Turns
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    BY_ADDRESS,
    LOCK,
    Tenant,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Result

Options = dict[str, t.Any]

STRANGER = Hop("192.0.2.77", tls=True)
PROVIDER = Hop("198.51.100.7", tls=True, subject="mx1.filter.example")
BY_CERTIFICATE, GIVE_BACK = LOCK, {"snapshot": "original"}


@dataclass
class End:
    """What two runs have told and left. `let_in`: at the moment at which each run ended, whether
    the stranger and the provider are let in; `back`: what there is after the last change was given
    back, and after all of them were; `events`: whose requests came in which order.
    """

    told: dict[str, Result]
    let_in: dict[str, tuple[bool, bool]]
    left: dict[str, t.Any]
    back: list[dict[str, t.Any]]
    events: str


def held(online: ExchangeOnline) -> dict[str, t.Any]:
    """What decides who gets in; ids are others each time."""
    return {
        "direct send": online.tenant.organization["RejectDirectSend"],
        "connectors": {
            row["Name"]: {name: row[name] for name in INBOUND if name in row}
            for row in online.tenant.rows("InboundConnector")
        },
    }


def lets_in(online: ExchangeOnline, hop: Hop, sender: str = "a@elsewhere.example") -> bool:
    """Whether mail of that server is taken by the lab's mail servers."""
    return answer([online.tenant], hop, sender, "postmaster@hafen.example") == ACCEPTED


def story(
    online: ExchangeOnline,
    tasks: t.Mapping[str, Options],
    schedule: str,
    *,
    before: Options | None = None,
    undo: bool = False,
    back: bool = False,
) -> End:
    """The runs on a tenant that is open, or as the run `before` left it. `undo`: each takes back
    what it did where it failed, as the playbook does. `back`: the end is taken back.
    """
    online.tenant.tables.update(InboundConnector=[], TransportRule=[])
    online.tenant.organization["RejectDirectSend"] = False
    online.tenant.changed()
    turns = Turns(schedule)
    let_in: dict[str, tuple[bool, bool]] = {}
    local = threading.local()
    local.name = ""
    send: t.Callable[..., t.Any] = web.Web.send

    def waiting(client: web.Web, method: str, url: str, **more: t.Any) -> t.Any:
        # What asks for a token touches nothing of the tenant.
        if url.startswith(online.api_url) and local.name:
            turns.at(local.name)
        return send(client, method, url, **more)

    with (
        tempfile.TemporaryDirectory() as folder,
        unittest.mock.patch.object(web.Web, "send", waiting),
        # Each run puts its own in its place, and takes it away out of turn.
        unittest.mock.patch.object(web.Web, "sleep"),
    ):
        tenant = Tenant(online, pathlib.Path(folder))

        def module(options: Options) -> Result:
            return tenant.run(exchange_online_lock, **options)

        def run(name: str, options: Options) -> Result:
            local.name = name
            told = module(options)
            let_in[name] = lets_in(online, STRANGER), lets_in(online, PROVIDER)
            if undo and told["failed"] and told["changed"] and "snapshot" in told:
                back = {"snapshot": told["snapshot"]["name"], "keep_later_changes": True}
                told["undone"] = module(back)
            return told

        if before is not None:
            done = module(before)
            assert not done["failed"], done["msg"]
        told = turns.play(
            {
                name: functools.partial(run, name, copy.deepcopy(task))
                for name, task in tasks.items()
            }
        )
        left, given_back = copy.deepcopy(held(online)), []
        local.name = ""
        for snapshot in ("latest", "original") if back else ():
            module({"snapshot": snapshot})
            given_back.append(copy.deepcopy(held(online)))
        return End(told, let_in, left, given_back, "".join(turns.events))


def check(end: End) -> None:
    """What holds however two runs mix: who says in order is right when it says so, the provider is
    never shut out, and whoever failed says why.
    """
    for name, told in end.told.items():
        stranger, provider = end.let_in[name]
        assert provider, f"{end.events}: the provider is shut out when {name} ends"
        if told.get("state") == "in order":
            assert not stranger, f"{end.events}: open behind the green run {name}"
        if told["failed"]:
            assert told["msg"].rstrip().endswith("."), told["msg"]


__all__ = ["BY_ADDRESS", "BY_CERTIFICATE", "GIVE_BACK", "End", "check", "lets_in", "story"]
