# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a backup, line by line."""

from __future__ import annotations

import time

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import backup

HEAD = "#config-version=FGT60F-7.4.4-FW-build2662-240514:opmode=0:vdom=0:user=admin\n"


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ('set a "b c" d', {"a": ["b c", "d"]}),
        ('set a ""', {"a": [""]}),
        (r'set a "b \"c\" \\"', {"a": ['b "c" \\']}),
        ('set a "b\nend\nnext" c', {"a": ["b\nend\nnext", "c"]}),
        ('set a "b\n# c\n\nd"', {"a": ["b\n# c\n\nd"]}),
        ("set password ENC abc/def==", {"password": []}),
        ('set member "ENC" "other"', {"member": ["ENC", "other"]}),
        ("set a b\nunset a", {}),
        ("set a b\nset a c", {"a": ["c"]}),
        ("set a b\nappend a c", {"a": ["b", "c"]}),
        ("   \tset a   b  \n\n# set a c", {"a": ["b"]}),
        ("set a b\\ c", {"a": ["b c"]}),
    ],
)
def test_a_value_is_read(line: str, values: dict[str, list[str]]) -> None:
    text = f'{HEAD}config x y\n edit "k"\n{line}\n next\nend\n'
    whole = backup.understand(text)
    assert whole.version == (7, 4, 4)
    assert whole.vdoms["root"].at("x y").inside["k"].values == values


@pytest.mark.parametrize("text", ["", "config x\nend\n", "#FGBK|4|FGT60F", "#config-version=x:"])
def test_what_is_no_backup_is_refused(text: str) -> None:
    with pytest.raises(backup.BackupError, match="does not begin as the backup"):
        backup.understand(text)


@pytest.mark.parametrize(
    "text",
    [
        "config x\n",
        "config x\nedit 1\nend\n",
        "config x\nedit 1\nnext\n",
        "end\n",
        "next\n",
        "set a b\n",
        "config x\nnext\nend\n",
        "config x\nedit 1 2\nnext\nend\n",
        "config\nend\n",
        'config x\nset a "b\nend\n',
        "config x\nset\nend\n",
        "exec factoryreset\n",
    ],
)
def test_what_is_cut_or_something_else_is_refused(text: str) -> None:
    with pytest.raises(backup.BackupError):
        backup.understand(HEAD + text)


def test_a_hostile_text_takes_no_time() -> None:
    began = time.process_time()
    for text in ('config x\nset a "' + "b\n" * 400_000, "config x\n" * 100, 'set a "\\"' * 50_000):
        with pytest.raises(backup.BackupError):
            backup.understand(HEAD + text)
    assert time.process_time() - began < 5


def test_vdoms_have_what_is_theirs_and_share_the_rest() -> None:
    text = (
        f"{HEAD}\nconfig vdom\nedit a\nnext\nedit root\nnext\nend\n"
        "config global\nconfig system global\nset hostname fw1\nend\nend\n"
        "config vdom\nedit a\nconfig x\nset y 1\nend\nend\n"
        "config vdom\nedit root\nconfig x\nset y 2\nend\nend\n"
    )
    whole = backup.understand(text)
    assert whole.hostname == "fw1"
    assert {name: vdom.at("x").values["y"] for name, vdom in whole.vdoms.items()} == {
        "a": ["1"],
        "root": ["2"],
    }
