# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's lease of a server: who respects it, when it is over, and what is none."""

from __future__ import annotations

import datetime
import json
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease as leases
from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _agent_lease
from ansible_collections.mailedge.lockdown.tests.machine import judge
from ansible_collections.mailedge.lockdown.tests.machine.server import ExchangeServer, Result

LOCK: dict[str, t.Any] = {
    "own_networks": ["10.20.0.0/16"],
    "provider_ranges": ["198.51.100.0/24"],
    "inbound_lock": {},
}
MORE_RANGES = {**LOCK, "provider_ranges": ["198.51.100.0/24", "203.0.113.0/25"]}
OURS: dict[str, t.Any] = {"lease": {"run_id": "night42"}}
FILE = "0-lease.json"
HOUR = 3600


@pytest.fixture
def server(tmp_path: pathlib.Path) -> ExchangeServer:
    return ExchangeServer("2007", tmp_path)


def lease_file(server: ExchangeServer) -> pathlib.Path:
    folder = server.snapshot_folder
    assert folder is not None
    return folder / FILE


def undo(server: ExchangeServer, done: Result) -> Result:
    name = done["snapshot"]["name"]
    return server.run(
        snapshot=name, keep_later_changes=True, own_networks=LOCK["own_networks"], **OURS
    )


def leased(result: Result) -> list[dict[str, t.Any]]:
    return [guard for guard in result["guards"] if guard["id"] == "leased"]


def test_a_second_run_is_refused_and_told_whose_the_server_is_and_until_when(
    server: ExchangeServer,
) -> None:
    done = server.done(**LOCK, **OURS)
    before = judge.configuration(server.host)
    for arguments in (
        LOCK,
        MORE_RANGES,
        {"snapshot": "latest"},
        {**LOCK, "lease": {"run_id": "other"}},
    ):
        for check in (True, False):
            refused = server.run(check=check, **arguments)
            assert refused["failed"]
            assert not refused["changed"]
            assert refused.get("state", "unknown") == "unknown", (
                "what is not proven is not in order"
            )
            sentence = refused["msg"]
            until = done["lease"]["until"]
            assert "night42" in sentence
            assert f"until {until[:10]} {until[11:19]} UTC" in sentence
            assert sentence.count("accept_risks") == 1
            assert "Run it again when that run has ended" in sentence
            assert "description" not in sentence, "nothing in it would help"
    assert judge.configuration(server.host) == before


def test_a_reader_tells_a_lease(server: ExchangeServer) -> None:
    assert server.done("exchange_mail_flow_info")["lease"] is None
    server.done(**LOCK, **OURS)
    told = server.done("exchange_mail_flow_info")
    assert (told["lease"]["run_id"], told["lease"]["held"]) == ("night42", True)
    assert any("night42" in warning for warning in told["warnings"])
    assert all(
        row["state"] == "usable" for row in server.done("exchange_snapshots_info")["snapshots"]
    )


def test_a_lease_that_was_ended_is_nobodys_business(server: ExchangeServer) -> None:
    done = server.done(**LOCK, **OURS)
    assert server.done("exchange_lease_end", lease=done["lease"]) == {
        **server.done("exchange_lease_end", lease=done["lease"]),
        "ended": True,
        "warnings": [],
    }
    again = server.done(**LOCK)
    assert (again["state"], again["guards"], again["cost"]["powershell_starts"]) == (
        "in order",
        [],
        1,
    )


def test_a_run_that_has_nothing_more_to_do_ends_its_lease_in_the_same_call(
    server: ExchangeServer,
) -> None:
    done = server.done(**LOCK, lease={"run_id": "night42", "goes_on": False})
    assert (done["lease"]["held"], done["cost"]["powershell_starts"]) == (False, 2)
    assert server.done(check=True, **LOCK)["state"] == "in order"


def test_nothing_to_do_costs_one_start_and_writes_no_lease(server: ExchangeServer) -> None:
    server.done(**LOCK)
    before = lease_file(server).read_text(encoding="utf-8")
    again = server.done(**LOCK, **OURS)
    assert again["cost"]["powershell_starts"] == 1
    assert "lease" not in again
    assert lease_file(server).read_text(encoding="utf-8") == before


def test_the_lease_of_a_run_that_died_ends_by_itself_and_the_next_run_takes_the_server(
    server: ExchangeServer,
) -> None:
    done = server.done(**LOCK, **OURS)
    server.host.clock_ahead += HOUR + 1
    checked = server.done(check=True, **LOCK)
    # It was cut or is late; as long as nobody has taken it over, it may still take back the lock.
    assert (checked["state"], checked["plan"], leased(checked)[0]["severity"]) == (
        "unknown",
        [],
        "warn",
    )
    taken = server.done(**LOCK)
    assert (taken["state"], taken["changed"], leased(taken)[0]["severity"]) == (
        "in order",
        False,
        "warn",
    )
    assert taken["cost"]["powershell_starts"] == 2
    assert server.done(**LOCK)["cost"]["powershell_starts"] == 1
    # It was not dead, only late.
    locked = judge.configuration(server.host)
    late = undo(server, done)
    assert late["failed"]
    assert leased(late)[0]["severity"] == "stop"
    assert judge.configuration(server.host) == locked


def test_a_late_run_undoes_what_nobody_has_relied_on(server: ExchangeServer) -> None:
    first = judge.configuration(server.host)
    done = server.done(**LOCK, **OURS)
    server.host.clock_ahead += HOUR + 1
    # The deadline of a write ends that write, and not the run. So no drift may call this in order.
    assert server.done(check=True, **LOCK)["state"] == "unknown"
    back = undo(server, done)
    assert not back["failed"], back["msg"]
    assert judge.configuration(server.host) == first


def test_a_lock_that_is_undone_while_a_drift_reads_is_not_in_order(server: ExchangeServer) -> None:
    """It reads the connectors as they were, and then a lease that has ended."""
    done = server.done(**LOCK, **OURS)

    def meanwhile(moment: str, cmdlet: str, _parameters: t.Mapping[str, t.Any]) -> None:
        if (moment, cmdlet) == ("before", "Get-SendConnector"):
            server.host.hooks.clear()
            back = undo(server, done)
            assert server.done("exchange_lease_end", lease=back["lease"])["ended"]

    server.host.hooks.append(meanwhile)
    told = server.run(check=True, **LOCK)
    assert server.host.hooks == []
    assert (told["failed"], told["state"], told["plan"]) == (True, "unknown", [])
    assert "While the server was read" in told["msg"]
    assert server.run(check=True, **LOCK)["state"] == "open"


def test_a_lease_that_comes_or_goes_while_a_drift_reads_or_cannot_be_read_settles_nothing(
    server: ExchangeServer,
) -> None:
    """A file is put in the place of another one in two moves, and between them there is none."""
    server.done(**LOCK, **OURS)

    def meanwhile(moment: str, cmdlet: str, _parameters: t.Mapping[str, t.Any]) -> None:
        if (moment, cmdlet) == ("before", "Get-SendConnector"):
            server.host.hooks.clear()
            lease_file(server).unlink()

    server.host.hooks.append(meanwhile)
    result = server.run(check=True, **LOCK)
    assert (result["failed"], result["state"]) == (True, "unknown")
    assert "Run it again, or" in result["msg"]
    assert server.done(check=True, **LOCK)["state"] == "in order"
    unreadable = {"ok": False, "error": {"message": "The network path was not found."}}
    now = datetime.datetime(2026, 1, 14, tzinfo=datetime.timezone.utc)
    unread = _agent_lease.understand(
        {"host": {"name": "EX1"}, "steps": {"lease": unreadable, "lease-again": unreadable}}, now
    )
    told = leases.finding(
        None, now, "night42", undoes=False, meanwhile=unread.meanwhile, unknown=unread.unknown
    )
    assert told is not None
    assert told.severity == "stop"
    assert "The network path was not found." in told.sentence
    assert "remove it" in told.remedy


def test_a_lease_that_is_overridden_is_taken_over(server: ExchangeServer) -> None:
    done = server.done(**LOCK, **OURS)
    assert server.done(check=True, accept_risks=["leased"], **LOCK)["state"] == "unknown"
    over = server.done(accept_risks=["leased"], **LOCK)
    assert (over["state"], leased(over)[0]["severity"]) == ("in order", "warn")
    assert undo(server, done)["failed"]
    assert server.done(check=True, **LOCK)["state"] == "in order"
    ended = server.done("exchange_lease_end", lease=done["lease"])
    assert not ended["ended"]
    assert "taken by" in ended["warnings"][0]


def test_a_lease_outlives_a_lost_answer_and_is_ended_by_what_the_run_knows(
    server: ExchangeServer,
) -> None:
    server.faults.add(kind="cut", at="end", nth=2)
    cut = server.run(**LOCK, **OURS)
    assert cut["unreachable"]
    assert server.run(**LOCK)["failed"]
    held = json.loads(lease_file(server).read_text(encoding="utf-8"))
    # Only the run and the server are sure; its times are those of another write.
    known = {**held, "until": held["since"], "held": True}
    assert server.done("exchange_lease_end", lease=known)["ended"]
    assert not server.run(**LOCK)["failed"]


def test_a_lease_that_comes_between_read_and_write_is_respected(server: ExchangeServer) -> None:
    """The way out is locked while the way in is planned: no digest of the plan shows that."""
    way_out: dict[str, t.Any] = {
        "outbound_lock": {"smart_hosts": ["127.0.0.1"], "port": 9},
        "accept_risks": ["smart_host_unreachable"],
    }
    calls: list[Result | None] = []

    def meanwhile() -> None:
        calls.append(None)
        if len(calls) == 2:
            calls.append(server.done(**way_out, **OURS))

    refused = server.run(before_call=meanwhile, **LOCK)
    assert refused["failed"]
    assert not refused["changed"]
    assert "another run may have taken it" in refused["msg"]
    assert "snapshot" not in refused


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda held: "{", "damaged"),
        (lambda held: "", "damaged"),
        (
            lambda held: json.dumps({**held, "until": "2099-01-01T00:00:00.000Z"}),
            "longer than 720 minutes",
        ),
        (lambda held: json.dumps({**held, "by": "x\nopen: everything"}), "damaged"),
        (lambda held: json.dumps({**held, "server": "EX9"}), "another server"),
        (lambda held: json.dumps({**held, "format": 7}), "another format"),
        (lambda held: "[" * 20_000, "damaged"),
    ],
    ids=["cut", "empty", "edited", "made up", "copied", "too new", "nested"],
)
def test_a_file_that_is_no_lease_is_named_and_passed_over(
    server: ExchangeServer, edit: t.Callable[[dict[str, t.Any]], str], why: str
) -> None:
    server.done(**LOCK, **OURS)
    file = lease_file(server)
    file.write_text(edit(json.loads(file.read_text(encoding="utf-8"))), encoding="utf-8")
    told = server.done(check=True, **LOCK)
    assert any(FILE in warning and why in warning for warning in told["warnings"]), told["warnings"]
    assert "everything" not in str(told)
    # The next writer puts its own in its place.
    assert server.done(**MORE_RANGES)["warnings"]
    assert server.done(check=True, **MORE_RANGES)["warnings"] == []


def test_a_lease_that_a_user_planted_is_named_and_passed_over(server: ExchangeServer) -> None:
    server.done(**LOCK, **OURS)
    text = lease_file(server).read_text(encoding="utf-8")
    lease_file(server).unlink()
    # The lab remembers the owner of a file by its place.
    planted = ExchangeServer("2007", lease_file(server).parent.parent / "other")
    folder = pathlib.Path(f"{planted.host.environment['ProgramData']}\\mailedge")
    folder.mkdir(parents=True)
    (folder / FILE).write_text(text, encoding="utf-8")
    told = planted.done(check=True, **LOCK)
    assert any(FILE in warning and "belongs to S-1-5-21" in warning for warning in told["warnings"])
    assert planted.done(**LOCK)["changed"]


def planted_server(
    tmp_path: pathlib.Path, make: t.Callable[[pathlib.Path], object]
) -> ExchangeServer:
    """A server on which a user has made the folder first, with something in the lease's place."""
    server = ExchangeServer("2007", tmp_path)
    folder = pathlib.Path(f"{server.host.environment['ProgramData']}\\mailedge")
    folder.mkdir(parents=True)
    make(folder / FILE)
    return server


def test_a_planted_file_that_is_too_long_to_be_read_does_not_lock_us_out(
    tmp_path: pathlib.Path,
) -> None:
    server = planted_server(tmp_path, lambda path: path.write_bytes(b"x" * (9 << 20)))
    told = server.done(check=True, **LOCK)
    assert any(FILE in warning and "belongs to S-1-5-21" in warning for warning in told["warnings"])
    assert server.done(**LOCK, **OURS)["lease"]["held"]
    assert lease_file(server).stat().st_size < 1000


def test_what_cannot_be_put_away_is_named_with_what_to_do(tmp_path: pathlib.Path) -> None:
    server = planted_server(tmp_path, lambda path: path.mkdir())
    before = judge.configuration(server.host)
    refused = server.run(**LOCK)
    assert (refused["failed"], refused["changed"]) == (True, False)
    for part in (FILE, "Nothing was changed", "remove that file or folder on the server"):
        assert part in refused["msg"]
    assert judge.configuration(server.host) == before


@pytest.mark.parametrize(("seconds", "counts"), [(-HOUR, True), (-24 * HOUR, False)])
def test_a_clock_that_was_put_back_does_not_lease_a_server_for_ever(
    server: ExchangeServer, seconds: int, counts: bool
) -> None:
    server.done(**LOCK, **OURS)
    server.host.clock_ahead += seconds
    told = server.run(check=True, **LOCK)
    assert told["failed"] is counts
    assert counts or any("set back" in warning for warning in told["warnings"])
