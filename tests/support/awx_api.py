# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller's API on loopback, as it described itself to OPTIONS: it takes no field, type or
choice that is not in that, which is stricter than the real one, and names no object that is not
there. What runs is over at the second look.
"""

from __future__ import annotations

import http.server
import itertools
import json
import pathlib
import re
import threading
import typing as t
import urllib.parse

Object = dict[str, t.Any]

TOKEN = "canary-token-of-a-controller"
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "id": (int,),
    "json": (dict, str),
}
_LIST = re.compile(r"(\w+)/(\d+)/(\w+)/")
_ONE = re.compile(r"(\w+)/(\d+)/")
_UNIFIED = ("job_templates", "workflow_job_templates")


class Refused(Exception):
    """A status and what the controller says."""


class FakeController:
    """The objects of a controller, by kind and id, and the server in front of them."""

    def __init__(self, options: pathlib.Path) -> None:
        self.options = {
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in options.glob("*.json")
        }
        self._ids = itertools.count(1)
        self.objects: dict[str, dict[int, Object]] = {name: {} for name in (*self.options, "jobs")}
        self.objects["credential_types"][next(self._ids)] = {"name": "Machine"}
        self.lists: dict[tuple[str, int, str], list[int]] = {}
        self.documents: dict[tuple[str, int, str], Object] = {}
        self.log: list[tuple[str, str]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: t.Any) -> None:
                """Nothing."""

            def _any(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size) or b"{}")
                try:
                    if self.headers["Authorization"] != f"Bearer {TOKEN}":
                        raise Refused(401, "Authentication credentials were not provided.")
                    status, answer = 200, outer.answer(self.command, self.path, body)
                except Refused as refused:
                    status, answer = refused.args[0], {"detail": refused.args[1]}
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_GET(self) -> None:
                self._any()

            def do_POST(self) -> None:
                self._any()

            def do_PATCH(self) -> None:
                self._any()

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FakeController:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, url: str, body: Object) -> Object:
        """What is answered to one request."""
        parts = urllib.parse.urlsplit(url)
        path = parts.path.removeprefix("/api/v2/")
        self.log.append((method, path))
        inner = _LIST.fullmatch(path)
        if inner:
            return self._inside(method, inner[1], int(inner[2]), inner[3], body)
        single = _ONE.fullmatch(path)
        if single:
            thing = self._of(single[1], int(single[2]))
            if method == "PATCH":
                self._check(single[1], body)
                thing.update(body)
            elif thing.get("status") == "running":
                thing["status"] = "successful"
                return {**thing, "id": int(single[2]), "status": "running"}
            return {**thing, "id": int(single[2])}
        endpoint = path.rstrip("/")
        if method == "POST":
            return self._make(endpoint, body)
        wanted = dict(urllib.parse.parse_qsl(parts.query))
        kinds = _UNIFIED if endpoint == "unified_job_templates" else (endpoint,)
        things = [
            {**thing, "id": number}
            for kind in kinds
            for number, thing in self.objects[kind].items()
            if all(str(thing.get(name)) == value for name, value in wanted.items())
        ]
        return {"count": len(things), "results": things}

    def _of(self, endpoint: str, number: int) -> Object:
        if number not in self.objects.get(endpoint, {}):
            raise Refused(404, "Not found.")
        return self.objects[endpoint][number]

    def _make(self, endpoint: str, body: Object) -> Object:
        self._check(endpoint, body)
        lacking = [
            name
            for name, spec in self.options[endpoint].items()
            if spec["required"] and name not in body
        ]
        if lacking:
            raise Refused(400, f"{lacking} are required.")
        number = next(self._ids)
        status = {"status": "running"} if endpoint == "projects" else {}
        self.objects[endpoint][number] = {**body, **status}
        return {**body, "id": number}

    def _check(self, endpoint: str, body: Object) -> None:
        for name, value in body.items():
            spec = self.options[endpoint].get(name)
            if spec is None:
                raise Refused(400, f"{endpoint} has no {name}.")
            if spec["type"] == "choice":
                if value not in [choice for choice, _label in spec["choices"]]:
                    raise Refused(400, f"{name} is no valid choice.")
            elif not isinstance(value, _TYPES[spec["type"]]):
                raise Refused(400, f"{name} is no {spec['type']}.")
            elif spec["type"] == "id" and not any(value in kind for kind in self.objects.values()):
                raise Refused(400, f"{name}: there is no {value}.")

    def _inside(self, method: str, endpoint: str, number: int, name: str, body: Object) -> Object:
        self._of(endpoint, number)
        place = (endpoint, number, name)
        if name == "launch":
            asks = self.objects[endpoint][number]
            if body.get("limit") and not asks.get("ask_limit_on_launch"):
                raise Refused(400, "The limit is not asked for.")
            self.objects["jobs"][job := next(self._ids)] = {"status": "running", **body}
            return {"id": job}
        if name in ("survey_spec", "create_approval_template"):
            if method == "POST":
                self.documents[place] = body
            return self.documents.get(place, {})
        numbers = self.lists.setdefault(place, [])
        if method == "POST" and body.get("disassociate"):
            numbers.remove(body["id"])
        elif method == "POST":
            numbers.append(body["id"])
        return {"results": [{"id": other} for other in numbers]}
