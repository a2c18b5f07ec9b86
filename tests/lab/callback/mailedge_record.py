# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that writes what every task gave, one JSON document a line, into the file
MAILEDGE_RECORD.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: mailedge_record
type: aggregate
short_description: Records task results for the tests
description:
  - Writes one JSON document a line.
"""


class CallbackModule(CallbackBase):
    """Records ok, failed, unreachable and skipped results."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "mailedge_record"
    CALLBACK_NEEDS_ENABLED = True

    def _record(self, status: str, result: t.Any) -> None:
        # ansible-core 2.19 gave the result public names; 2.16 has only the old ones.
        host = getattr(result, "host", None) or result._host
        task = getattr(result, "task", None) or result._task
        outcome = getattr(result, "result", None) or result._result
        if status == "failed":
            # 2.19 keeps it apart from the result.
            outcome = {**outcome, "failed": True}
        line = {
            "host": str(host),
            "task": str(task.get_name()),
            "status": status,
            "result": outcome,
        }
        with open(os.environ["MAILEDGE_RECORD"], "a", encoding="utf-8") as record:
            record.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._record("ok", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._record("failed", result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._record("unreachable", result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._record("skipped", result)

    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        self._record("item_ok", result)

    def v2_runner_item_on_failed(self, result: t.Any) -> None:
        self._record("item_failed", result)
