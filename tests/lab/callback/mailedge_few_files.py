# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the controller's open files away once a play has begun, so that workers cannot start and
their hosts are lost.
"""

from __future__ import annotations

import os
import resource
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: mailedge_few_files
type: notification
short_description: Lose hosts as a controller does that has too many forks
description: For tests.
"""


class CallbackModule(CallbackBase):
    """Lowers the limit of open files from one task to the end of its play."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "mailedge_few_files"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        files, _blank, name = os.environ["MAILEDGE_FEW_FILES"].partition(" ")
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if name in task.get_name():
            resource.setrlimit(resource.RLIMIT_NOFILE, (int(files), hard))

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
