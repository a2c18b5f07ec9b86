# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that every module shares which locks: the plan that somebody has approved."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment C(mailedge.lockdown._approval)."""

    DOCUMENTATION = r"""
options:
  approved_plan:
    description:
      - The plan that somebody has approved. Another one is not carried out; the task fails before
        it writes anything, and says what is different.
      - What changes nothing needs no approval. In check mode another plan fails the task as well.
    type: dict
    suboptions:
      digest:
        description: RV(plan_digest) of the task in check mode. Where it is empty, nothing may be
          changed.
        type: str
        default: ""
      plan:
        description: RV(plan) of that task, for the words on what is different.
        type: list
        elements: str
"""
