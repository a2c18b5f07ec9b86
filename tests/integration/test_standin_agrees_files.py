# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a managed server: the engine and the stand-in keep, replace and refuse them alike."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.both_ways import QUIET, SHELL, agree
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.support.engine import asking, call, needs_engine

pytestmark = [needs_engine, pytest.mark.long]


def test_a_file_that_cannot_be_kept_safe_stops_both(tmp_path: pathlib.Path) -> None:
    def refuse(host: ExchangeHost) -> None:
        host.icacls_code = 5

    step = {
        "op": "write_file",
        "id": "file",
        "folder": "%ProgramData%\\mailedge",
        "name": "s.json",
        "text": "x",
    }
    written = call("set", "Set-SendConnector", {"Identity": "Internet", "Enabled": False, **QUIET})
    answer, *hosts = agree("2019", asking([step, written], SHELL), tmp_path, refuse)
    assert answer["error"]["class"] == "Mailedge.SnapshotFailed"
    assert [host.counters["writes"] for host in hosts] == [0, 0]


def test_a_file_takes_the_place_of_another_only_where_that_one_is_as_it_was_read(
    tmp_path: pathlib.Path,
) -> None:
    def write(
        name: str, text: str, over: str | None, *, optional: bool = False
    ) -> dict[str, t.Any]:
        content = {
            "folder": "%ProgramData%\\mailedge",
            "name": "0-lease.json",
            "text": text,
            "over": over,
        }
        return {"op": "write_file", "id": name, "optional": optional, **content}

    def look(name: str) -> dict[str, t.Any]:
        folder = "%ProgramData%\\mailedge"
        return {
            "op": "read_files",
            "id": name,
            "folder": folder,
            "names": ["0-lease.json"],
            "optional": True,
        }

    steps = [
        look("nothing"),
        write("new", "first\n", None),
        write("exists", "second", None, optional=True),
        write("changed", "second", "another", optional=True),
        write("empty", "second", "", optional=True),
        write("over", "second", "first\n"),
        look("in the end"),
    ]
    answer, *_hosts = agree("2019", asking(steps, {"way": "none"}), tmp_path)
    told = answer["steps"]
    assert told["nothing"]["objects"] == []
    assert {name for name, step in told.items() if not step["ok"]} == {"exists", "changed", "empty"}
    assert told["in the end"]["objects"] == [
        {"name": "0-lease.json", "text": "second", "sddl": "O:BAG:SYD:AI"}
    ]


def planted(host: ExchangeHost, make: t.Callable[[pathlib.Path], object]) -> None:
    """Any user can make the folder before we do."""
    folder = pathlib.Path(f"{host.environment['ProgramData']}\\mailedge")
    folder.mkdir(parents=True)
    make(folder / "0-lease.json")


def test_a_file_that_is_too_long_has_no_text_and_is_put_away_by_the_next_write(
    tmp_path: pathlib.Path,
) -> None:
    folder = "%ProgramData%\\mailedge"
    content = {"folder": folder, "name": "0-lease.json"}
    steps: list[dict[str, t.Any]] = [
        {
            "op": "read_files",
            "id": "long",
            "folder": folder,
            "names": ["0-lease.json"],
            "optional": True,
        },
        {
            "op": "write_file",
            "id": "other",
            "optional": True,
            **content,
            "text": "ours",
            "over": "another",
        },
        {"op": "write_file", "id": "over", **content, "text": "ours", "over": ""},
        {"op": "read_files", "id": "in the end", "folder": folder, "names": ["0-lease.json"]},
    ]

    def prepare(host: ExchangeHost) -> None:
        planted(host, lambda path: path.write_bytes(b"x" * (9 << 20)))

    answer, *_hosts = agree("2019", asking(steps, {"way": "none"}), tmp_path, prepare)
    told = answer["steps"]
    assert told["long"]["objects"][0]["text"] == ""
    assert not told["other"]["ok"]
    assert told["in the end"]["objects"][0]["text"] == "ours"


def test_a_folder_in_the_place_of_a_file_stops_both_and_is_named(tmp_path: pathlib.Path) -> None:
    content = {"folder": "%ProgramData%\\mailedge", "name": "0-lease.json"}
    step = {"op": "write_file", "id": "lease-take", **content, "text": "ours", "over": None}
    answer, *_hosts = agree(
        "2019",
        asking([step], {"way": "none"}),
        tmp_path,
        lambda host: planted(host, lambda path: path.mkdir()),
    )
    assert answer["error"]["class"] == "Mailedge.SnapshotFailed"
    assert "0-lease.json" in answer["error"]["message"]
