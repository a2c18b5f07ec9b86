# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's server asked what the real one was asked, and where it answers otherwise."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import (
    HostFact,
    decode_answer,
    encode_request,
)
from ansible_collections.mailedge.lockdown.tests.lab import standin
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.compare import differences
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.file import HostReading, Row

_FACTS = "facts of the server"
# What the lab has its own of: where programs lie on this machine, and the clock.
_OWN_FACTS = frozenset({"time_utc", "powershell"})
# What is read twice, by other steps.
_AGAIN = ("names-receive", "names-send", "names-certificates-here")


def answers_otherwise(host: ExchangeHost, reading: HostReading) -> list[str]:
    """A sentence for everything in which the lab's server is another one than was read."""
    shell = {
        "way": "auto",
        "fqdn": None,
        "credential": None,
        "authentication": "Kerberos",
        "seconds": 60,
    }
    steps = [step for step in reading.steps if step.get("id") not in _AGAIN]
    request = {
        "protocol": 1,
        "shell": shell,
        "mutex": None,
        "steps": [_asked(step) for step in steps],
    }
    accounts, host.sessions.accounts = host.sessions.accounts, None
    try:
        answer = decode_answer(standin.answer(host, encode_request(request)))
    finally:
        host.sessions.accounts = accounts
        host.counters.clear()
    told = _of_facts(reading.facts, answer["host"])
    for step in steps:
        name = str(step["id"])
        result = (answer.get("steps") or {}).get(name) or {}
        if name not in reading.rows:
            told += _of_errors(name, reading.errors.get(name, ""), result)
        elif not result.get("ok"):
            why = (result.get("error") or {}).get("message") or "It was not answered."
            told.append(f"{name}: the lab does not answer it: {why}")
        else:
            told += differences(name, reading.rows[name], result.get("objects") or [])
    return told


def _of_facts(wanted: Row, held: t.Mapping[str, t.Any]) -> list[str]:
    return [
        f"{_FACTS}: {name} is {json.dumps(wanted[name])} there and {json.dumps(held.get(name))} "
        "in the lab."
        for name in wanted
        if name not in _OWN_FACTS and wanted[name] != held.get(name)
    ]


def _of_errors(name: str, why: str, result: t.Mapping[str, t.Any]) -> list[str]:
    """What the site refused, and the lab does not."""
    if not result.get("ok"):
        return []
    return [f"{name}: it could not be read on the site ({why}), and can in the lab."]


def _asked(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        if set(value) == {"host_fact"}:
            return HostFact(str(value["host_fact"]))
        return {name: _asked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_asked(inner) for inner in value]
    return value
