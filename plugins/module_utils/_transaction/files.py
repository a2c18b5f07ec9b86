# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets

PRIVATE = 0o600


def write_whole(path: pathlib.Path, text: str, mode: int = PRIVATE) -> None:
    """Write a file, readable by its owner only unless `mode` says otherwise. Raises OSError, and
    then leaves nothing behind.

    It is written beside its place and moved there, so that nobody ever reads a half, and what was
    there stays if the disk is full.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8"
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
