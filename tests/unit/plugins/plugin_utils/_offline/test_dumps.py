# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that other people send: which is of which server, how old it is, and what is none."""

from __future__ import annotations

import datetime
import json
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._action import Failure
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._offline import dumps, script
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._offline.host import OfflineHost
from ansible_collections.mailedge.lockdown.tests.support.dumps import sealed, whole

NOW = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=datetime.timezone.utc)


def answer(name: str = "EX1", domain: str = "birke.example", **more: t.Any) -> dict[str, t.Any]:
    host = {"name": name, "fqdn": f"{name}.{domain}", "time_utc": "2026-11-29T12:00:00.000Z"}
    return {
        "protocol": 1,
        "ok": True,
        "way": "none",
        "host": {**host, **more},
        "steps": {"receive": {"ok": True, "objects": [{"Name": "Default", "Bindings": ["a"]}]}},
    }


def put(folder: pathlib.Path, name: str, *arguments: str, **more: t.Any) -> None:
    (folder / name).write_text(whole(answer(*arguments, **more)), encoding="utf-8")


def refusal(folder: pathlib.Path, *names: str, days: int = 30) -> str:
    with pytest.raises(dumps.DumpError) as caught:
        dumps.of_server(folder, names or ("EX1",), days, NOW)
    return str(caught.value)


@pytest.mark.parametrize(
    ("names", "file"),
    [
        (["ex1"], "any.json"),
        (["EX1.birke.example"], "any.json"),
        (["birke", "ex1.Birke.example"], "any.json"),
        (["ex2"], "other.JSON"),
    ],
)
def test_a_dump_is_known_by_what_is_in_it(
    names: list[str], file: str, tmp_path: pathlib.Path
) -> None:
    put(tmp_path, "any.json")
    put(tmp_path, "other.JSON", "EX2")
    (tmp_path / script.NAME).write_text("", encoding="ascii")
    assert dumps.of_server(tmp_path, names, 30, NOW).file == file


@pytest.mark.parametrize("name", ["ex", "ex1.hafen.example", "192.0.2.25", "EX1."])
def test_a_dump_of_another_server_is_refused(name: str, tmp_path: pathlib.Path) -> None:
    put(tmp_path, "any.json")
    told = refusal(tmp_path, name)
    assert f"No dump of the server {name} is in" in told
    assert "there are dumps of EX1.birke.example" in told


def test_two_servers_of_one_name_have_to_be_told_apart(tmp_path: pathlib.Path) -> None:
    put(tmp_path, "first.json")
    put(tmp_path, "two.json", "EX1", "hafen.example")
    assert "ex1.birke.example, ex1.hafen.example" in refusal(tmp_path)
    assert dumps.of_server(tmp_path, ["ex1.hafen.example"], 30, NOW).file == "two.json"


def test_the_newest_dump_of_a_server_counts(tmp_path: pathlib.Path) -> None:
    put(tmp_path, "a.json", time_utc="2026-11-30T08:00:00.0Z")
    put(tmp_path, "b.json")
    assert dumps.of_server(tmp_path, ["ex1"], 30, NOW).file == "a.json"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "", "is cut"),
        ("[", "[ ", "somebody has edited it"),
        ('"script": "', '"script": "0', "another version"),
    ],
)
def test_an_older_dump_takes_not_the_place_of_a_newer_one_that_cannot_be_used(
    old: str, new: str, told: str, encoding: str, tmp_path: pathlib.Path
) -> None:
    put(tmp_path, "old.json", time_utc="2026-11-20T08:00:00.0Z")
    put(tmp_path, "other.json", "EX2", time_utc="2026-11-20T08:00:00.0Z")
    for time, refused in (("2026-11-29T08:00:00.0Z", True), ("2026-11-19T08:00:00.0Z", False)):
        text = whole(answer(time_utc=time)).replace(old, new)
        (tmp_path / "bad.json").write_text(text if old else text[:-1], encoding=encoding)
        if refused:
            assert told in refusal(tmp_path)
            assert "may be newer than old.json" in refusal(tmp_path)
        else:
            assert dumps.of_server(tmp_path, ["ex1"], 30, NOW).file == "old.json"
        assert dumps.of_server(tmp_path, ["ex2"], 30, NOW).file == "other.json"
    (tmp_path / "bad.json").write_text(text[: text.index("2026")], encoding=encoding)
    assert "is cut" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("time", "days", "told"),
    [
        ("2026-10-31T12:00:00.0Z", 30, ""),
        ("2026-10-31T11:59:59.0Z", 30, "as of 2026-10-31 11:59 UTC, 30 days ago"),
        ("2026-11-29T11:00:00.0Z", 1, "none that is older than 1 days"),
        ("2026-12-01T11:59:00.0Z", 1, ""),
        ("2026-12-01T12:00:01.0Z", 1, "yet to come by this controller's clock"),
    ],
)
def test_an_old_dump_is_refused_and_so_is_one_of_the_future(
    time: str, days: int, told: str, tmp_path: pathlib.Path
) -> None:
    put(tmp_path, "any.json", time_utc=time)
    if told:
        assert told in refusal(tmp_path, days=days)
    else:
        assert dumps.of_server(tmp_path, ["ex1"], days, NOW).server == "EX1"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_an_editor_has_made_of_a_dump_is_read(encoding: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "dump.json"
    path.write_text(whole(answer("ÜX1")), encoding=encoding)
    assert dumps.read(path).server == "ÜX1"


TEXT = whole(answer())


def otherwise(old: str, new: str) -> str:
    """A dump of what no agent answers."""
    body = json.dumps(answer())
    assert old in body
    return sealed(body.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"a"', '"b"'),
        ('{"Name": "Default", "Bindings": ["a"]}', ""),
        (', "Bindings": ["a"]', ""),
        ('"steps": {', '"steps":  {'),
        ('"EX1"', '"EX2"'),
        ("2026-11-29", "2026-11-30"),
        ('"answer":', '"answer": {}, "answer":'),
        ('"sha1": "', '"sha1": "0'),
        ('"sha1"', '"sum"'),
    ],
)
def test_a_dump_that_somebody_has_edited_is_not_believed(
    old: str, new: str, tmp_path: pathlib.Path
) -> None:
    assert old in TEXT
    (tmp_path / "dump.json").write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(dumps.DumpError, match="somebody has edited it"):
        dumps.read(tmp_path / "dump.json")


def test_a_line_end_behind_a_dump_is_no_edit(tmp_path: pathlib.Path) -> None:
    (tmp_path / "dump.json").write_bytes(f"\n{TEXT}\r\n".encode())
    assert dumps.read(tmp_path / "dump.json").server == "EX1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is cut"),
        (TEXT[:-1], "is cut"),
        (TEXT[: len(TEXT) // 2], "is cut"),
        (TEXT.encode("utf-16-le"), "is cut"),
        (b"\xff\xfe" + TEXT.encode("utf-16-le")[:-3], "is cut"),
        ("[" * 100_000, "is cut"),
        (TEXT.replace('"a"', "NaN"), "is cut"),
        ('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "is cut"),
        ("[]", "is not what mailedge-dump.ps1 writes"),
        ('{"mailedge_dump": 2}', "is not what mailedge-dump.ps1 writes"),
        (TEXT.replace(script.version(), "0" * 16), "another version of the collection"),
        (otherwise('"host"', '"hosts"'), "something else than"),
        (otherwise('"EX1"', "1"), "something else than"),
        (otherwise('"EX1"', '""'), "something else than"),
        (otherwise("2026-11-29T", "yesterday, "), "something else than"),
        (otherwise('"steps": {', '"steps": {"send": [], '), "something else than"),
        (otherwise('"steps": {', '"steps": {"send": {"ok": true}, '), "something else than"),
        (otherwise('"steps": {', '"steps": {"send": {"ok": 1}, '), "something else than"),
        (otherwise('["a"]', '[{"a": 1}]'), "something else than"),
        (otherwise('["a"]', '{"a": {"b": "c"}}'), "something else than"),
        (otherwise('["a"]', "1.5"), "something else than"),
    ],
)
def test_what_is_no_dump_is_told_and_never_read_as_an_empty_server(
    text: str | bytes, told: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "dump.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(dumps.DumpError, match=told):
        dumps.read(tmp_path / "dump.json")
    whole_sentence = refusal(tmp_path)
    assert "there are dumps of no server" in whole_sentence
    assert told in whole_sentence


def test_a_file_that_is_larger_than_any_dump_is_not_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "dump.json")
    monkeypatch.setattr(dumps, "_LONGEST", 100)
    with pytest.raises(dumps.DumpError, match="larger than any dump"):
        dumps.read(tmp_path / "dump.json")


def test_a_folder_that_is_not_there_is_told(tmp_path: pathlib.Path) -> None:
    told = refusal(tmp_path / "none")
    assert "cannot be read: No such file or directory" in told
    assert "mailedge_offline_folder" in told


def test_the_script_is_put_where_the_dumps_are_missing(tmp_path: pathlib.Path) -> None:
    described = {"offline_folder": str(tmp_path), "offline_days": 30}
    host = OfflineHost(described, {"inventory_hostname": "birke-ex1", "ansible_host": "{{ x }}"})
    with pytest.raises(Failure, match="No dump of the server birke-ex1 is in") as caught:
        host.agent()
    assert f"Let {script.NAME}, which is in that folder" in str(caught.value)
    assert (tmp_path / script.NAME).read_bytes().decode("ascii") == script.text()
    assert [path.name for path in tmp_path.iterdir()] == [script.NAME]
    assert host.dated({"exchange": {"failed": True}}) == {"exchange": {"failed": True}}


def test_a_file_that_is_no_dump_is_told_beside_one_that_is(tmp_path: pathlib.Path) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    put(tmp_path, "dump.json", time_utc=f"{now:%Y-%m-%dT%H:%M:%S}.0Z")
    (tmp_path / "newer.json").write_text(TEXT[:-1], encoding="utf-8")
    host = OfflineHost(
        {"offline_folder": str(tmp_path), "offline_days": 30}, {"inventory_hostname": "ex1"}
    )
    host.agent()
    (result,) = host.dated({"exchange": {}}).values()
    assert "of EX1.birke.example. newer.json is cut, or was changed" in result["as_of"]
    assert not result["as_of"].endswith(".")


def test_every_result_says_as_of_when_it_is(tmp_path: pathlib.Path) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    put(tmp_path, "dump.json", time_utc=f"{now - datetime.timedelta(days=3):%Y-%m-%dT%H:%M:%S}.0Z")
    described = {"offline_folder": str(tmp_path), "offline_days": 30, "offline_server": "EX1"}
    host = OfflineHost(described, {"inventory_hostname": "birke-ex1"})
    host.agent()
    (result,) = host.dated({"exchange": {"state": "in order"}}).values()
    assert result["state"] == "in order"
    assert result["as_of"].endswith("UTC, 3 days ago, by the dump dump.json of EX1.birke.example")
    assert json.loads(json.dumps(result)) == result
