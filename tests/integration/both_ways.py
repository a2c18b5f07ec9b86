# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request, run by the agent in a real engine and by the stand-in: the answers must agree."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _codec as codec
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import Credential
from ansible_collections.mailedge.lockdown.tests.lab import standin
from ansible_collections.mailedge.lockdown.tests.lab.exchange import bridge
from ansible_collections.mailedge.lockdown.tests.lab.exchange.defaults import site
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.parameters import COMMON
from ansible_collections.mailedge.lockdown.tests.support.engine import CANARY, in_a_runspace

LOGIN = Credential("SITE\\admin", CANARY)
SHELL = {
    "way": "auto",
    "fqdn": None,
    "credential": LOGIN,
    "authentication": "Kerberos",
    "seconds": 20,
}
QUIET = {"Confirm": False}

Answer = dict[str, t.Any]


def by_engine(host: ExchangeHost, request: t.Mapping[str, t.Any]) -> Answer:
    """The answer of agent.ps1 itself, also where it is an error."""
    with bridge.Bridge(host) as served:
        stdout = in_a_runspace(bridge.prelude(), codec.encode_request(request), served.environment)
    assert b"canary" not in stdout
    return codec.decode_answer(stdout)


def by_standin(host: ExchangeHost, request: t.Mapping[str, t.Any]) -> Answer:
    return codec.decode_answer(standin.answer(host, codec.encode_request(request)))


def plain(answer: Answer, folder: pathlib.Path) -> Answer:
    """An answer without what differs from run to run, lists in order."""
    host = {key: value for key, value in answer["host"].items() if key not in _ENGINE_S_OWN}
    return t.cast("Answer", _plain({**answer, "host": host}, str(folder)))


# The engine's own version and culture, and what only Windows knows.
_ENGINE_S_OWN = ("powershell", "culture", "admin", "time_utc", "language_mode")
_KEYS = ("seconds", "OriginatingServer", "digest")
_COMMON = [
    *COMMON,
    "InformationAction",
    "InformationVariable",
    "ProgressAction",
    "PipelineVariable",
]
# Windows PowerShell and PowerShell 7 have different words for it.
_UNKNOWN_COMMAND = re.compile(r"(The term '[^']+' is not recognized).*", re.DOTALL)
_MOMENT = re.compile(r"RequestId=[^,]+,TimeStamp=[^\]]+")


def _plain(value: t.Any, folder: str) -> t.Any:
    if isinstance(value, dict):
        return {key: _plain(item, folder) for key, item in value.items() if key not in _KEYS}
    if isinstance(value, list):
        items = [_plain(item, folder) for item in value if item not in _COMMON]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, str):
        value = _UNKNOWN_COMMAND.sub(r"\1", _MOMENT.sub("RequestId=,TimeStamp=", value))
        return value.replace(folder, "FOLDER")
    return value


Prepare = t.Callable[[ExchangeHost], None]


def agree(
    edition: str,
    request: t.Mapping[str, t.Any],
    tmp_path: pathlib.Path,
    prepare: Prepare | None = None,
) -> tuple[Answer, ExchangeHost, ExchangeHost]:
    """Both ways on two equal hosts; the answer they agree on, and the hosts."""
    hosts, answers = [], []
    for name, ask in (("engine", by_engine), ("standin", by_standin)):
        host = site(edition, folder=tmp_path / name)
        (tmp_path / name).mkdir()
        if prepare:
            prepare(host)
        hosts.append(host)
        answers.append(plain(ask(host, request), tmp_path / name))
    assert answers[1] == answers[0]
    assert hosts[1].counters == hosts[0].counters
    assert [call_[1:] for call_ in hosts[1].icacls] == [call_[1:] for call_ in hosts[0].icacls]
    assert hosts[1].sessions.opened == hosts[0].sessions.opened == set()
    return answers[0], hosts[0], hosts[1]
