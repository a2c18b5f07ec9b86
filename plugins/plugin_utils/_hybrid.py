# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hybrid of a site at one of its servers: read with its layers, judged, never written; and what
keeps 443 from being closed before Exchange Online comes in another way.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import hybrid_path
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.publish import (
    PRESETS,
    services,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows import hybrid
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import (
    AgentError,
    AgentNoise,
    AgentTimeout,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_port import AgentPort
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._layer_action import (
    WITHOUT_EXCHANGE,
)

_HTTPS = 443
_WORST_FIRST = ("unknown", "drift", "in order")
_UNSAID = (
    "mailedge_hybrid_ranges are named, and which way Exchange Online comes in is not said. Say it "
    "in mailedge_hybrid.kind, or none."
)
_NOT_NEEDED = (
    "Nothing was changed. Where nothing of the hybrid needs 443, set mailedge_hybrid.https_needed "
    "to false."
)
_UNREAD = "Whether the receive connectors keep the hybrid path could not be read"
_CLASSIC = "A classic hybrid needs 443 from Exchange Online."

# What a read raises.
_FAILURES = (Failure, PlanError, AgentError, AgentNoise, AgentTimeout, AnsibleConnectionFailure)

Result = dict[str, t.Any]


def closing(described: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The layers that would keep Exchange Online from 443 as the site is described → with what.

    Ranges that are named for the ports of the firewall are the site's own word on who may come.
    """
    layers = {}
    if (
        _HTTPS in map(int, described["windows_firewall_ports"])
        and not (described["windows_firewall_remote_addresses"])
    ):
        layers["windows firewall"] = "mailedge_windows_firewall_ports has 443"
    needed = set(PRESETS["hybrid"])
    publish, blocks = described["exchange_publish"], described["iis_blocks"]
    if (publish or not blocks) and needed - services(publish):
        layers["iis"] = "mailedge_exchange_publish does not have hybrid"
    elif any(
        (block.get("path") or "").strip("/").casefold().partition("/")[0] in {"", *needed}
        for block in blocks
        if block.get("state") != "absent"
    ):
        layers["iis"] = "mailedge_iis_blocks has a path that a hybrid needs"
    return layers


class HybridReader:
    """Reads what a hybrid needs on a server. `described` is the description of the site.

    `told`: whether it is a part of the run; what it refuses is refused anyway.
    """

    shell: t.Mapping[str, t.Any] = WITHOUT_EXCHANGE

    def __init__(self, described: t.Mapping[str, t.Any], *, told: bool) -> None:
        self._described, self.told = described, told
        self._kind = described["hybrid"].get("kind")
        self._answer: t.Mapping[str, t.Any] | None = None

    @property
    def asks(self) -> bool:
        """Whether anything of the server is needed, beside its connectors."""
        return self._kind in hybrid.ON_THE_SERVER

    @property
    def looks_at_connectors(self) -> bool:
        """Whether it reads what their layer has read."""
        return self.told and bool(self._described["hybrid_ranges"])

    def reading_steps(self) -> list[dict[str, t.Any]]:
        """What a read asks for."""
        return hybrid.read_steps()

    def read_mutex(self) -> None:
        """What a read waits for: nothing."""

    def take(self, answer: t.Mapping[str, t.Any]) -> None:
        """What read_together() got."""
        self._answer = answer

    def _service(self) -> tuple[str, str]:
        if not self.asks:
            return "in order", ""
        return hybrid.trouble(self._kind, self._answer or {"steps": {}})

    def refused(self) -> dict[str, str]:
        """The layers that may not close 443 yet → why, in words. For what was read."""
        described = self._described
        if self._kind == hybrid.NONE or not described["hybrid"].get("https_needed", True):
            return {}
        if self._kind is None:
            why = _UNSAID if described["hybrid_ranges"] else ""
        elif self._kind == hybrid.CLASSIC:
            why = _CLASSIC
        else:
            why = self._service()[1]
        if not why:
            return {}
        return {
            layer: f"443 is not closed to the internet ({what}): {why} {_NOT_NEEDED}"
            for layer, what in closing(described).items()
        }

    def result(
        self, port: AgentPort[t.Any] | None, exchange: t.Mapping[str, t.Any], *, check_mode: bool
    ) -> Result:
        """{changed, state, findings}. `port` reads the connectors, None where they are not managed;
        `exchange` is the result of their layer.
        """
        state, sentence = self._service()
        states, told = {state}, [("hybrid_service", sentence)] if sentence else []
        if self._described["hybrid_ranges"]:
            if port and exchange.get("changed") and not check_mode:
                port.forget()
            state, path = self._path(port)
            states.add(state)
            told += [("hybrid_path", text) for text in path]
        if check_mode or not exchange.get("changed"):
            undone = [
                str(guard["sentence"])
                for guard in exchange.get("guards") or ()
                if guard.get("id") == "hybrid_wizard_undone"
            ]
            states.update({"drift"} if undone else set())
            told += [("hybrid_wizard_undone", text) for text in undone]
        return {
            "changed": False,
            "state": next(each for each in _WORST_FIRST if each in states),
            "findings": [
                {"id": name, "sentence": text, "remedy": "", "accepted": False}
                for name, text in told
            ],
        }

    def _path(self, port: AgentPort[t.Any] | None) -> tuple[str, list[str]]:
        """Whether the connectors keep the hybrid path: a state, and sentences."""
        if port is None:
            return "unknown", ["Whether the receive connectors keep the hybrid path was not asked."]
        try:
            ranges = RangeSet.parse(self._described["hybrid_ranges"])
            path = hybrid_path.broken(port.read().state, ranges)
        except _FAILURES as error:
            return "unknown", [f"{_UNREAD}: {error}"]
        return "drift" if path else "in order", path
