# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site says of a report without a connection."""

from __future__ import annotations

import typing as t


def wrong(values: t.Mapping[str, t.Any]) -> list[str]:
    """What is wrong with it, one sentence each."""
    errors = []
    if not values["offline_folder"]:
        errors.append(
            "mailedge_offline_folder is not set: name the folder on the controller that has the "
            "dumps."
        )
    if not 1 <= values["offline_days"] <= 3650:
        errors.append("mailedge_offline_days must be between 1 and 3650.")
    return errors
