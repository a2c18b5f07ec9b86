# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site says of a report without a connection."""

from __future__ import annotations

import os
import typing as t


def complete(values: dict[str, t.Any], *, offline: bool) -> None:
    """Where the firewall's backup is, and that it is read on the controller. A run over a
    connection has none.
    """
    named = values["fortigate_backup"] if offline else None
    values["fortigate_backup"] = None
    if named:
        folder = os.path.expanduser(values["offline_folder"] or "")
        values["fortigate_backup"] = os.path.join(folder, named)
        values.update(fortigate_from=None, fortigate_ca_path=None)
        # Nobody connects to it, so that it may be known by its backup alone.
        values["fortigate_host"] = values["fortigate_host"] or "backup"


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
