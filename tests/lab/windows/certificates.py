# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of the computer on a lab host.

NotAfter comes in the server's own time (learn.microsoft.com, X509Certificate2).
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Certificate:
    """One certificate of a store; `not_after` in UTC."""

    subject: str
    not_after: datetime.datetime
    thumbprint: str
    issuer: str = ""
    private_key: bool = True

    def shown(self) -> dict[str, t.Any]:
        """As the bridge tells it, the time as seconds since 1970."""
        return {
            "Subject": self.subject,
            "Issuer": self.issuer or self.subject,
            "Thumbprint": self.thumbprint,
            "HasPrivateKey": self.private_key,
            "NotAfter": int(self.not_after.timestamp()),
        }
