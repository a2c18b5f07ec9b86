# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that a colleague runs at an Exchange server: the agent, with the questions that a run
of the playbooks asks about connectors, and a file for the answer.
"""

from __future__ import annotations

import functools
import hashlib
import json
import pathlib
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.layer import ExchangeLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _codec
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_port import (
    AgentPort,
    Options,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._layer_action import (
    WITHOUT_EXCHANGE,
)

FORMAT = 1
NAME = "mailedge-dump.ps1"
_TEXT = pathlib.Path(__file__).with_name("dump.ps1")
_ASKED, _AGENT, _SCRIPT = "# ASKED", "# AGENT\n", "# SCRIPT"
# Takes the place of the way into the Exchange shell, which is known over there.
_WAY = "WAY"
# As the server's own objects say it: which controller was asked is no matter of a dump.
_NOT_ASKED_FOR = "DomainController"

Step = dict[str, t.Any]


def _nowhere(_stdin: bytes) -> tuple[int, bytes, bytes]:
    raise NotImplementedError("A script has no connection.")


@functools.lru_cache(maxsize=1)
def asked_steps() -> tuple[Step, ...]:
    """What the script asks: what every run asks about connectors, whatever the site describes."""
    layer = ExchangeLayer(SiteNetworks(), lambda _state: ())
    port = AgentPort(Agent(_nowhere, 1), layer, Options(WITHOUT_EXCHANGE))
    # What a step meets does not hide the others.
    return tuple({**step, "always": True} for step in port.reading_steps())


def question(step: t.Mapping[str, t.Any]) -> t.Any:
    """What a step asks, to be compared."""
    asked = {
        name: value for name, value in step.items() if name not in ("always", "optional", "seconds")
    }
    asked["parameters"] = {
        name: value
        for name, value in (step.get("parameters") or {}).items()
        if name != _NOT_ASKED_FOR
    }
    return json.loads(json.dumps(asked, default=repr))


@functools.lru_cache(maxsize=1)
def questions() -> t.Mapping[str, t.Any]:
    """What the script asks, by the ids of the steps."""
    return {str(step["id"]): question(step) for step in asked_steps()}


@functools.lru_cache(maxsize=1)
def version() -> str:
    """What tells a script from one that asks something else."""
    text = json.dumps([FORMAT, questions()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.lru_cache(maxsize=1)
def text() -> str:
    """The script, in ASCII, with the line ends of Windows."""
    request = {
        "protocol": _codec.PROTOCOL,
        "shell": {"way": _WAY, "authentication": "Kerberos", "seconds": 60},
        "mutex": None,
        "steps": list(asked_steps()),
    }
    whole = _TEXT.read_text(encoding="ascii")
    whole = whole.replace(_ASKED, _codec.request_text(request), 1)
    whole = whole.replace(_AGENT, _codec.agent_text(_codec.areas_of(request)), 1)
    return whole.replace(_SCRIPT, version(), 1).replace("\n", "\r\n")
