# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this machine has a Chromium, and what it is started with."""

from __future__ import annotations

import os
import shutil

NONE_HERE = "no Chromium here: Debian's package is `chromium`, or name another one in CHROMIUM"


def chromium() -> str:
    """The path of the browser, empty where there is none."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, (shutil.which(name) for name in names if name)), "")


def arguments() -> list[str]:
    """What the browser has to be told here: root has no sandbox of Chromium."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []
