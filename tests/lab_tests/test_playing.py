# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible warns of by itself fails a test; what a task says does not."""

from __future__ import annotations

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, TaskResult

TASKS = [
    TaskResult("a", "Lock", "ok", {"warnings": ["The internet could still send, re-check it."]}),
    TaskResult("b", "Lock", "ok", {}),
]


@pytest.mark.parametrize(
    ("output", "warned"),
    [
        ("TASK [x] ***\n[WARNING]: The internet could still send, re-check it.\nok: [a]\n", []),
        # As the oldest cores wrap it.
        ("[WARNING]: The internet could still send, re-\ncheck it.\nok: [a]\n", []),
        (
            (
                "[WARNING]: Type 'set' is unsupported in variable storage.\nOrigin: "
                "<unknown>\n\nok: [a]\n"
            ),
            ["[WARNING]: Type 'set' is unsupported in variable storage. Origin: <unknown>"],
        ),
        (
            "[DEPRECATION WARNING]: Gone in 2.23.\nok: [a]\n",
            ["[DEPRECATION WARNING]: Gone in 2.23."],
        ),
        ("ok: [a] => {\n    'msg': '[WARNING]: not one'\n}\n", []),
    ],
)
def test_only_what_no_task_said_is_a_warning_of_ansible(output: str, warned: list[str]) -> None:
    assert Run(0, output, TASKS).warned() == warned
