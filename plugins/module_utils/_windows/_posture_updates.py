# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When Windows was last updated, and who looks after it."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.catalogue import FINDINGS
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.dates import last_update
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.finding import (
    OK,
    UNKNOWN,
    WARNING,
    PostureFinding,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.reading import (
    ARC,
    AUTOMATIC_KEY,
    CONFIGURATION_MANAGER,
    RESTART_KEYS,
    UPDATE_KEY,
    Facts,
)

# AUOptions: what automatic updates do (learn.microsoft.com, "Configure Automatic Updates").
_INSTALLS_BY_ITSELF = 4


def findings(facts: Facts, today: datetime.date, most_days: int) -> t.Iterator[PostureFinding]:
    """What is found about updates of Windows; of Exchange's own the build tells."""
    yield _last(facts, today, most_days)
    yield _restart(facts)
    yield _service(facts)


def _last(facts: Facts, today: datetime.date, most_days: int) -> PostureFinding:
    last = last_update(facts.fixes, facts.history, today)
    look = "Look at the history of Windows Update on the server."
    if last.day is None:
        return FINDINGS.make(
            "last_update",
            UNKNOWN,
            f"When Windows was last updated is not known. {last.doubt}".strip(),
            look,
        )
    days = max(0, (today - last.day).days)
    told = f"Windows was updated on {last.day}, {days} days ago"
    if days <= most_days:
        return FINDINGS.make("last_update", OK, f"{told}{', or later' if last.doubt else ''}.")
    if last.doubt:
        return FINDINGS.make(
            "last_update", UNKNOWN, f"{told}, and perhaps later. {last.doubt}", look
        )
    return FINDINGS.make(
        "last_update",
        WARNING,
        f"{told}, and the site asks for {most_days} days at most.",
        "Install the updates of Windows, and look why they were not.",
    )


def _restart(facts: Facts) -> PostureFinding:
    """Whether updates wait for a restart: until then they are installed, and not in effect."""
    keys = [facts.keys.get(path) for path in RESTART_KEYS]
    if any(key and key.exists for key in keys):
        return FINDINGS.make(
            "restart_pending",
            WARNING,
            "Updates of Windows are installed and wait for a restart, "
            "before which they protect nothing.",
            "Restart the server in its maintenance window.",
        )
    if None in keys:
        return FINDINGS.make(
            "restart_pending", UNKNOWN, "Whether updates wait for a restart could not be read."
        )
    return FINDINGS.make("restart_pending", OK, "No update of Windows waits for a restart.")


def _service(facts: Facts) -> PostureFinding:
    """Who looks after updates. That an agent is there is no schedule: it is told, and not called
    good.
    """
    policy, automatic = facts.keys.get(UPDATE_KEY), facts.keys.get(AUTOMATIC_KEY)
    agents = [
        name
        for name in (*ARC, CONFIGURATION_MANAGER)
        if (service := facts.services.get(name)) and service.runs
    ]
    unread = [name for name in (*ARC, CONFIGURATION_MANAGER) if name not in facts.services]
    arc, manager = [name for name in agents if name in ARC], CONFIGURATION_MANAGER in agents
    # An address alone is not used.
    if policy and automatic and automatic.number("UseWUServer") == 1 and policy.text("WUServer"):
        return FINDINGS.make(
            "update_service", OK, f"Updates come from the WSUS server {policy.text('WUServer')}."
        )
    if (
        automatic
        and automatic.number("AUOptions") == _INSTALLS_BY_ITSELF
        and automatic.number("NoAutoUpdate") != 1
    ):
        return FINDINGS.make(
            "update_service", OK, "A policy lets Windows install updates by itself."
        )
    if arc or manager:
        who = "Azure Arc" if arc else "Configuration Manager"
        return FINDINGS.make(
            "update_schedule",
            UNKNOWN,
            f"The agent of {who} runs ({', '.join(agents)}). "
            "Whether it has a schedule for updates is not known from here.",
            f"Look in {'Azure Update Manager' if arc else who} whether the server has one, "
            "and accept this finding.",
        )
    if policy is None or automatic is None or unread:
        return FINDINGS.make(
            "update_service", UNKNOWN, "Who looks after updates could not be read."
        )
    address = policy.text("WUServer")
    unused = (
        f" The address {address} of a WSUS server is set, and UseWUServer is not 1."
        if address
        else ""
    )
    return FINDINGS.make(
        "update_service",
        WARNING,
        "Nobody is seen to look after updates: no WSUS server, no policy, "
        f"no agent of Azure Arc.{unused}",
        "Give the server to WSUS or Azure Update Manager, or accept this finding if somebody "
        "installs them by hand.",
    )
