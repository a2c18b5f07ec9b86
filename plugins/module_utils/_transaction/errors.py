# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stops a transaction before anything is written."""

from __future__ import annotations


class PlanError(ValueError):
    """What is described cannot be planned. The message is one sentence or more for the operator;
    nothing was written.
    """


class NoSafeOrder(PlanError):
    """There is no order that keeps every promise at every step."""


class SnapshotError(PlanError):
    """A snapshot cannot be written or read."""


class NoSnapshot(SnapshotError):
    """There is no snapshot of a change."""


class NoSuchSnapshot(SnapshotError):
    """There is no snapshot of the name that is asked for."""


class OtherLayer(SnapshotError):
    """A snapshot is one of another layer of the same server or device."""
