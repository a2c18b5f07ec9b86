# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of the inventory that nobody connects to: which dump is its own, and as of when."""

from __future__ import annotations

import datetime
import pathlib
import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._host_results import Result
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._offline import dumps
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._offline.agent import DumpAgent


class OfflineHost:
    """One server for one task. `described` is the description of its site, `variables` those of
    the task.
    """

    def __init__(self, described: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> None:
        self._folder = pathlib.Path(described["offline_folder"]).expanduser()
        self._days = int(described["offline_days"])
        named = described.get("offline_server")
        host = str(variables["inventory_hostname"])
        self._names = [named] if named else list(dict.fromkeys([host, _address(variables, host)]))
        self._now = datetime.datetime.now(datetime.timezone.utc)
        self._dump: dumps.Dump | None = None

    def agent(self) -> DumpAgent:
        """What answers in the place of the server. Raises Failure."""
        dumps.put_script(self._folder)
        try:
            self._dump = dumps.of_server(self._folder, self._names, self._days, self._now)
        except dumps.DumpError as error:
            raise Failure(str(error)) from None
        return DumpAgent(self._dump)

    def dated(self, results: dict[str, Result]) -> dict[str, Result]:
        """Results with the moment as of which they are."""
        dump = self._dump
        if dump is None:
            return results
        when = f"{dumps.as_of(dump.at, self._now)}, by the dump {dump.file} of {dump.name}"
        when = ". ".join([when, *dump.beside]).rstrip(".")
        return {name: {**result, "as_of": when} for name, result in results.items()}


def _address(variables: t.Mapping[str, t.Any], host: str) -> str:
    """How the inventory would reach the host; its name there where that would have to be worked
    out first.
    """
    address = variables.get("ansible_host")
    return address if isinstance(address, str) and "{{" not in address else host
