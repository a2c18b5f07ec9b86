# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a hybrid runs on the server: Hybrid Agent, application proxy connector, Entra Connect."""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.catalogue import FINDINGS
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.finding import (
    CRITICAL,
    OK,
    UNKNOWN,
    WARNING,
    PostureFinding,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.reading import (
    APP_PROXY,
    APP_PROXY_UPDATER,
    ENTRA_CONNECT,
    HYBRID_AGENT,
    Facts,
)

# learn.microsoft.com, "Hardening update to Microsoft Entra Connect Sync": below it all
# synchronization fails since that day.
_LEAST_CONNECT, _LEAST_SINCE = (2, 5, 79, 0), datetime.date(2026, 9, 30)


def findings(facts: Facts, today: datetime.date, hybrid: str) -> t.Iterator[PostureFinding]:
    """What is found about them; `hybrid` is which way Exchange Online comes in, by the site."""
    yield _service(facts, "hybrid_agent", "Hybrid Agent", HYBRID_AGENT, needed=hybrid == "agent")
    yield _service(
        facts,
        "app_proxy_connector",
        "connector of Entra application proxy",
        APP_PROXY,
        needed=hybrid == "app_proxy",
    )
    updater = facts.services.get(APP_PROXY_UPDATER)
    if facts.services.get(APP_PROXY) and not (updater and updater.runs):
        yield FINDINGS.make(
            "app_proxy_connector",
            WARNING if APP_PROXY_UPDATER in facts.services else UNKNOWN,
            "The updater of the application proxy connector is not seen running, "
            "so that the connector grows old.",
            f"Start the service {APP_PROXY_UPDATER}.",
        )
    yield _connect(facts, today)


def _service(facts: Facts, finding: str, noun: str, name: str, *, needed: bool) -> PostureFinding:
    if name not in facts.services:
        return FINDINGS.make(finding, UNKNOWN, f"Whether the {noun} is there could not be read.")
    service = facts.services[name]
    version = f" {facts.versions[name]}" if name in facts.versions else ""
    if service is None:
        if needed:
            return FINDINGS.make(
                finding,
                CRITICAL,
                f"The site says that it needs the {noun}, and it is not installed.",
                "Install it.",
            )
        return FINDINGS.make(finding, OK, f"There is no {noun}, and the site does not ask for one.")
    if service.runs:
        return FINDINGS.make(finding, OK, f"The {noun}{version} runs.")
    return FINDINGS.make(
        finding,
        CRITICAL if needed else WARNING,
        f"The {noun}{version} is installed and {service.status.lower()}.",
        f"Start the service {name}, or uninstall it where it is not needed.",
    )


def _connect(facts: Facts, today: datetime.date) -> PostureFinding:
    make = FINDINGS.make
    if ENTRA_CONNECT not in facts.services:
        return make("entra_connect", UNKNOWN, "Whether Entra Connect is there could not be read.")
    service = facts.services[ENTRA_CONNECT]
    if service is None:
        return make("entra_connect", OK, "There is no Entra Connect on this server.")
    text = facts.versions.get(ENTRA_CONNECT, "")
    version = tuple(map(int, re.findall(r"\d+", text)))
    upgrade = "Install a version of the Entra admin center."
    if len(version) != 4:
        return make(
            "entra_connect",
            UNKNOWN,
            f"Entra Connect is {service.status.lower()}; its version could not be read.",
        )
    if version < _LEAST_CONNECT:
        least = ".".join(map(str, _LEAST_CONNECT))
        when = "has failed since" if today > _LEAST_SINCE else "fails after"
        return make(
            "entra_connect",
            CRITICAL,
            f"Entra Connect {text} is older than {least}: "
            f"all synchronization {when} {_LEAST_SINCE}.",
            upgrade,
        )
    if not service.runs:
        return make(
            "entra_connect",
            WARNING,
            f"Entra Connect {text} is {service.status.lower()}.",
            "Start the service ADSync.",
        )
    return make(
        "entra_connect_retirement",
        UNKNOWN,
        f"Entra Connect {text} runs. A version is supported for twelve months after the next one; "
        "when that was is not known here.",
        "Look at the page, and accept this finding.",
    )
