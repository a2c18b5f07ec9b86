# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import pathlib
import stat
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.files import (
    write_whole,
)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_has_its_text_and_its_mode(mode: int, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    for text in ("one\n", "größer\n"):
        write_whole(path, text, mode)
        assert path.read_text(encoding="utf-8") == text
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_what_was_there(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_whole(path, "before")

    def full(_file: t.Any) -> t.NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "after")
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]
