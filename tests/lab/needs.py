# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab needs, for somebody who has the installed collection and nothing of its tests."""

from __future__ import annotations

import typing as t

PACKAGES: t.Mapping[str, str] = {
    "aiosmtpd": "aiosmtpd",
    "cryptography": "cryptography",
    "dns": "dnspython",
    "psrpcore": "psrpcore",
    "spnego": "pyspnego",
    "yaml": "PyYAML",
}
"""Module → the package that brings it. The playbooks need pywinrm and netaddr beside them."""


def missing(error: ModuleNotFoundError) -> str:
    """What is not installed, and how it is."""
    module = (error.name or "").partition(".")[0]
    if module not in PACKAGES:
        raise error
    return (
        f"The lab needs {PACKAGES[module]}, which is not installed here. Nothing was started. "
        f"Install all that it needs: pip install {' '.join(sorted(PACKAGES.values()))} pywinrm "
        "netaddr"
    )
