# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for PowerShell and agent.ps1: answers the agent's protocol in Python, over the lab's
Exchange.

For machines without PowerShell. It checks what the agent and the endpoint behind it would check,
and a request that one of them would refuse is refused here in the same class;
tests/integration/test_standin_agrees.py holds the two against each other.
"""

from __future__ import annotations

import concurrent.futures
import datetime
import functools
import hashlib
import json
import os
import re
import socket
import threading
import time
import typing as t
from json.encoder import encode_basestring, encode_basestring_ascii

# The codec is the wire that agent and action share, and the stand-in is the agent's end of it. It
# decides nothing; tests/unit/test_house.py says what else of the collection the lab may know.
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import (
    CodecError,
    Credential,
    HostFact,
    decode_request,
    encode_answer,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.shapes import Shown
from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError
from ansible_collections.mailedge.lockdown.tests.lab.windows.log_reading import summary
from ansible_collections.mailedge.lockdown.tests.lab.windows.standin import OPERATIONS

Row = dict[str, t.Any]

_SNAPSHOT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_CMDLET = re.compile(r"[A-Za-z]+-[A-Za-z0-9]+")
_LONGEST_FILE = 8 << 20


class Killed(Exception):
    """The process that is played was killed: it answers nothing, does nothing more, and leaves its
    session open.
    """


def answer(host: ExchangeHost, stdin: bytes, killed: threading.Event | None = None) -> bytes:
    """What the agent, given `stdin`, would put on standard output.

    Raises Killed once `killed` is set.
    """
    return encode_answer(_Run(host, killed or threading.Event()).run(stdin))


class _Stop(Exception):
    """An error of the agent itself."""

    def __init__(self, name: str, message: str, error_id: str = "") -> None:
        super().__init__(message)
        full = f"Mailedge.{name}"
        self.failure = {
            "class": full,
            "id": error_id or full,
            "message": message,
            "category": "NotSpecified",
        }


class _Run:
    """One run of the agent."""

    def __init__(self, host: ExchangeHost, killed: threading.Event) -> None:
        self.host = host
        self.killed = killed
        self.facts = host.facts()
        self.way: str | None = None
        self.session: int | None = None
        self.done: dict[str, list[Row]] = {}
        self.results: dict[str, t.Any] = {}
        self.secrets: list[str] = []
        self.stopped: str | None = None
        self.error: dict[str, t.Any] | None = None
        self.holder = object()
        self.deadline: float | None = None

    def run(self, stdin: bytes) -> dict[str, t.Any]:
        """The answer to a request."""
        try:
            request = self._value(_read(stdin))
            self.deadline = request.get("deadline")
            self._lock(request.get("mutex"))
            self._open(request["shell"])
            for step in request["steps"]:
                if self.error is None or step.get("always"):
                    self._step(step)
        except (_Stop, ExchangeError) as error:
            self.error = {**self._failure(error), "step": None}
        finally:
            if self.session is not None and not self.killed.is_set():
                self.host.sessions.close(self.session)
            self.host.mutexes.abandon(self.holder)
        self._alive()
        return {
            "protocol": 1,
            "ok": self.error is None,
            "way": self.way,
            "host": {**self.facts, "time_utc": self.host.time_utc()},
            "steps": self.results,
            "stopped": self.stopped,
            "error": self.error,
        }

    def _alive(self) -> None:
        if self.killed.is_set():
            raise Killed

    def _failure(self, error: _Stop | ExchangeError | ComError) -> dict[str, t.Any]:
        if isinstance(error, _Stop):
            failure = dict(error.failure)
        elif isinstance(error, ComError):
            failure = {
                "class": error.class_name,
                "id": error.error_id,
                "message": error.message,
                "category": "NotSpecified",
            }
        else:
            failure = {
                "class": error.class_name,
                "id": error.fully_qualified_error_id,
                "message": error.message,
                "category": error.category,
            }
        for secret in self.secrets:
            for part in ("message", "id"):
                failure[part] = failure[part].replace(secret, "********")
        return failure

    def _value(self, value: t.Any) -> t.Any:
        """A value of the request as a cmdlet gets it."""
        if isinstance(value, dict):
            return {key: self._value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item) for item in value]
        if isinstance(value, HostFact):
            if value.name not in self.facts:
                raise _Stop("BadRequest", f"The agent knows no host fact named '{value.name}'.")
            return self.facts[value.name]
        if isinstance(value, Credential):
            if value.password:
                self.secrets.append(value.password)
            return value.username, value.password
        return value

    def _lock(self, mutex: t.Mapping[str, t.Any] | None) -> None:
        if mutex and not self.host.mutexes.wait(mutex["name"], self.holder, mutex["seconds"]):
            raise _Stop(
                "Busy",
                f"Another run is working on this server, and did not end within {mutex['seconds']} "
                "seconds. Nothing was changed. Run the task again later.",
            )

    def _open(self, shell: t.Mapping[str, t.Any]) -> None:
        way = shell.get("way")
        if way == "none":
            self.way = way
            return
        if way == "auto":
            local = "edge" if self.facts["edge"] else "snapin"
            way = local if self.host.edition.local_shell else "remote_session"
        if way not in ("remote_session", "snapin", "edge"):
            raise _Stop(
                "BadRequest", f"The agent knows no way into the Exchange shell named '{way}'."
            )
        try:
            if way == "remote_session":
                fqdn = shell.get("fqdn") or self.facts["fqdn"]
                self.session = self.host.sessions.open(
                    "Microsoft.Exchange",
                    f"http://{fqdn}/PowerShell/",
                    shell.get("authentication") or "Kerberos",
                    shell.get("credential"),
                    shell.get("seconds"),
                )
            else:
                self.host.sessions.add_snapin(self._snapin())
        except ExchangeError as error:
            failure = self._failure(error)
            raise _Stop(
                "ShellFailed",
                f"The Exchange shell could not be opened (way: {way}). Nothing was changed. "
                f"The server said: {failure['message']}",
                failure["id"],
            ) from None
        self.way = way

    def _snapin(self) -> str:
        major = self.facts["exchange"]["major"]
        name = "E2010" if major == 14 else "Admin" if major < 14 else "SnapIn"
        return f"Microsoft.Exchange.Management.PowerShell.{name}"

    def _step(self, step: t.Mapping[str, t.Any]) -> None:
        self._alive()
        started = time.monotonic()
        result: dict[str, t.Any] = {"ok": True}
        operations: dict[t.Any, t.Callable[[t.Mapping[str, t.Any]], list[Row]]] = {
            "call": self._call,
            "digest": self._digest,
            "write_file": self._write_file,
            "read_files": self._read_files,
            "reach": _reach,
            "log_summary": lambda asked: summary(self.host.logs, asked, self._finished),
        }
        try:
            if self.deadline and not step.get("always") and self.host.now() > self.deadline:
                raise _Stop(
                    "TooLate",
                    "The time limit of the task was over before this step, "
                    "so that it was left out, and all that follow.",
                )
            operation = operations.get(step.get("op")) or self._of_windows(step.get("op"))
            if operation is None:
                raise _Stop("BadRequest", "The request has a step that the agent does not know.")
            result["objects"] = self.done[step["id"]] = operation(step)
        except (_Stop, ExchangeError, ComError) as error:
            result.update(ok=False, error=self._failure(error))
            if step.get("optional"):
                self.done[step["id"]] = []
            elif self.error is None:
                self.stopped = step["id"]
                self.error = {**result["error"], "step": step["id"]}
        result["seconds"] = round(time.monotonic() - started, 3)
        self.results[step["id"]] = result

    def _of_windows(self, name: t.Any) -> t.Callable[[t.Mapping[str, t.Any]], list[Row]] | None:
        """The operation of an area, on this host's Windows."""
        operation = OPERATIONS.get(name)
        return None if operation is None else lambda step: operation(self.host.windows, step)

    def _finished(self, step_id: str) -> list[Row]:
        if step_id not in self.done:
            raise _Stop("BadRequest", f"A step refers to the step '{step_id}', which has not run.")
        return self.done[step_id]

    # --- Steps ------------------------------------------------------------------------------------

    def _call(self, step: t.Mapping[str, t.Any]) -> list[Row]:
        cmdlet = str(step.get("cmdlet") or "")
        if not _CMDLET.fullmatch(cmdlet):
            raise _Stop("BadRequest", "A step names no cmdlet.")
        each = step.get("each")
        targets: list[t.Any] = [None]
        if each:
            targets = [_property(row, each["property"]) for row in self._finished(each["step"])]
        rows: list[Row] = []
        for target in targets:
            self._alive()
            parameters = dict(step.get("parameters") or {})
            if each:
                parameters[each["parameter"]] = target
            objects = self._invoke(cmdlet, parameters, float(step.get("seconds") or 60))
            for item in objects if step.get("select") else []:
                row = {path: _plain(_path(item, path)) for path in step["select"]}
                if each:
                    row["_each"] = target
                rows.append(row)
        return rows

    def _invoke(self, cmdlet: str, parameters: dict[str, t.Any], seconds: float) -> list[Row]:
        if self.session is None:
            return self.host.invoke(cmdlet, parameters, remote=False)
        outcome: list[list[Row]] = []
        failure: list[ExchangeError] = []

        def work() -> None:
            try:
                outcome.append(self.host.invoke(cmdlet, parameters, remote=True))
            except ExchangeError as error:
                failure.append(error)

        thread = threading.Thread(target=work, name=f"standin-{cmdlet}", daemon=True)
        thread.start()
        thread.join(seconds)
        if failure:
            raise failure[0]
        if not outcome:
            raise _Stop(
                "TimedOut",
                f"{cmdlet} did not end within {seconds:g} seconds and was stopped. "
                "It may have taken effect.",
            )
        return outcome[0]

    def _digest(self, step: t.Mapping[str, t.Any]) -> list[Row]:
        ignored = set(step.get("ignore") or ())
        texts = []
        for step_id in step["steps"]:
            rows = [
                {name: value for name, value in row.items() if name not in ignored}
                for row in self._finished(step_id)
            ]
            texts.append(step_id + _canonical(rows))
        digest = hashlib.sha1("\n".join(texts).encode("utf-8"), usedforsecurity=False).hexdigest()
        if step.get("expect") and step["expect"] != digest:
            raise _Stop(
                "StateChanged",
                "The server is no longer as it was when the change was planned: "
                "somebody else is working on it. Nothing was written. Run the task again.",
            )
        return [{"digest": digest}]

    def _expand(self, folder: str) -> str:
        known = {name.casefold(): value for name, value in self.host.environment.items()}
        return re.sub(
            "%([^%]+)%", lambda match: known.get(match.group(1).casefold(), match.group()), folder
        )

    def _write_file(self, step: t.Mapping[str, t.Any]) -> list[Row]:
        folder = self._expand(step["folder"])
        path = os.path.join(folder, _safe(step["name"]))
        try:
            os.makedirs(folder, exist_ok=True)
            if os.path.islink(folder):
                raise OSError(f"{folder} is a link.")
            administrators = "*S-1-5-32-544"
            for change in (
                ["/setowner", administrators],
                ["/reset", "/q"],
                [
                    "/inheritance:r",
                    "/grant:r",
                    f"{administrators}:(OI)(CI)F",
                    "*S-1-5-18:(OI)(CI)F",
                ],
            ):
                code = self.host.run_icacls([folder, *change])
                if code:
                    raise OSError(f"icacls {change[0]} ended with code {code}.")
            if os.path.isfile(path) and step.get("over") != _text(path):
                raise OSError(f"{path} exists already.")
            if os.path.isdir(path):
                raise PermissionError(f"Access to the path '{path}' is denied.")
            with open(f"{path}.tmp", "w", encoding="utf-8", newline="") as file:
                file.write(step["text"])
            os.replace(f"{path}.tmp", path)
            self.host.run_icacls([path, "/setowner", administrators])
        except OSError as error:
            raise _Stop(
                "SnapshotFailed",
                f"The file {path} could not be written. Nothing was changed. "
                f"The server said: {error}",
                "UnauthorizedAccessException" if isinstance(error, PermissionError) else str(error),
            ) from None
        return [{"path": path}]

    def _read_files(self, step: t.Mapping[str, t.Any]) -> list[Row]:
        folder = self._expand(step["folder"])
        if step.get("names") is not None:
            names = [
                name for name in step["names"] if os.path.isfile(os.path.join(folder, _safe(name)))
            ]
        elif os.path.isdir(folder):
            names = sorted(name for name in os.listdir(folder) if not name.endswith(".tmp"))
        else:
            names = []
        if step.get("last"):
            names = names[-step["last"] :]
        objects = []
        for name in names:
            path = os.path.join(folder, name)
            text = "" if step.get("unread") else _text(path)
            objects.append({"name": name, "text": text, "sddl": self.host.sddl(path)})
        return objects


def _text(path: str) -> str:
    if os.path.getsize(path) > _LONGEST_FILE:
        return ""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        return file.read()


def _read(stdin: bytes) -> dict[str, t.Any]:
    try:
        return decode_request(stdin)
    except CodecError:
        raise _Stop(
            "BadRequest",
            "The request was cut or damaged on its way to the agent. Nothing was changed.",
        ) from None


def _safe(name: str) -> str:
    if not _SNAPSHOT_NAME.fullmatch(name):
        raise _Stop(
            "BadRequest",
            "A file name in the request may hold only letters, digits, '.', '_' and '-', and must"
            " not begin with '.' or '-'. No file was read or written.",
        )
    return name


def _reach(step: t.Mapping[str, t.Any]) -> list[Row]:
    targets = step["targets"]
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, len(targets))) as pool:
        return list(
            pool.map(lambda target: _reached(target[0], target[1], step["seconds"]), targets)
        )


def _reached(host: str, port: int, seconds: float) -> Row:
    error = None
    try:
        with socket.create_connection((host, port), timeout=seconds):
            pass
    except socket.gaierror:
        error = "HostNotFound"
    except ConnectionRefusedError:
        error = "ConnectionRefused"
    except TimeoutError:
        error = "TimedOut"
    except OSError:
        error = "NetworkUnreachable"
    return {"host": host, "port": port, "reachable": error is None, "error": error}


def _property(row: t.Mapping[str, t.Any], name: str) -> t.Any:
    if name in row:
        return row[name]
    key = _spelled(tuple(row)).get(name.casefold())
    return None if key is None else row[key]


@functools.lru_cache(maxsize=1024)
def _spelled(names: tuple[str, ...]) -> t.Mapping[str, str]:
    """Casefolded name → the name as it is spelled; rows of one kind all have the same."""
    return {name.casefold(): name for name in reversed(names)}


def _path(row: t.Any, path: str) -> t.Any:
    """``Parameters.Keys`` and the like: a property of a property; one that is not there is null."""
    value = row
    for name in path.split("."):
        if isinstance(value, Shown):
            value = _property(value.fields, name)
        elif isinstance(value, dict):
            keys = list(value) if value is not row and name.casefold() == "keys" else None
            value = keys if keys is not None else _property(value, name)
        else:
            value = None
    return value


def _plain(value: t.Any) -> t.Any:
    """A property as the agent hands it on: by its text only."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond:06}0Z"
    if isinstance(value, dict):
        return {key: str(item) for key, item in value.items()}
    if isinstance(value, list):
        return [str(item) for item in value]
    return str(value)


def _canonical(value: t.Any) -> str:
    """The text of a digest: keys and lists in order."""
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(
                sorted(
                    f"{encode_basestring_ascii(key)}:{_canonical(item)}"
                    for key, item in value.items()
                )
            )
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(sorted(_canonical(item) for item in value)) + "]"
    # What json.dumps does with a text, without its preparations.
    return (
        encode_basestring(value)
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False)
    )
