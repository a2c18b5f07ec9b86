# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's FortiGate on loopback: REST API over TLS, with tokens, profiles, envelopes, and faults
that tests arm.

Known from: envelopes, error numbers and HTTP statuses of public clients and of the vendor's
collection (424 where older versions answer 500, HTML bodies for 401 and 429, lists of envelopes for
several vdoms, 301 seen in an issue of 2026, an access token in the URL refused since 7.4.5). The
rows of `entry-list` are tables with `entry`: unverified.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import pathlib
import socket
import ssl
import tempfile
import threading
import time
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.tests.lab.fortigate import schema
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.answers import passes, shown
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import (
    FEED,
    POLICY,
    PUSH_SINCE,
    Config,
    Device,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.packets import Packet, decide
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.schema import Refused
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.system import device_table
from ansible_collections.mailedge.lockdown.tests.lab.wsman.certificate import make_certificate

TOKEN_IN_URL_UNTIL = (7, 4, 5)
OTHER_STATUS_SINCE = (7, 0, 0)
LOGIN_FAILURES = 3
# What is of the network among the tables of the system (which group of an accprofile a table is of
# is unverified).
NETWORK = ("system/interface", "system/zone", "system/sdwan", "system/virtual-wan-link")
_HTML = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"

Query = dict[str, list[str]]


@dataclass(frozen=True)
class Profile:
    """What a token may do. `network`: whether it reads network settings and routes (`netgrp`)."""

    writes: bool = True
    network: bool = True
    vdoms: tuple[str, ...] = ("root",)
    refused: int = 0
    """The status for one that comes from none of its trusted hosts; 0: it does. Unverified
    which.
    """


@dataclass
class Faults:
    """What goes wrong, until it is cleared. Counted in requests from the moment of arming."""

    cut_before: int = 0
    """The request with this number never reaches the device: its connection ends."""
    cut_after: int = 0
    """The request with this number is carried out; its answer never comes."""
    reboot_after: int = 0
    """After so many requests the device answers nobody any more."""
    html: int = 0
    """Every request is answered by a page with this status."""
    redirect: int = 0
    """So many requests are sent elsewhere."""
    slow: float = 0.0
    fail: dict[str, int] = field(default_factory=dict)
    """`METHOD path` → the error number that the device gives for it."""
    instead: dict[str, tuple[int, str]] = field(default_factory=dict)
    """A part of a path, '' for all → status and body that something else than the device
    answers.
    """
    gone: tuple[str, ...] = ()
    """Tables that the device says it does not have."""
    seen: int = 0


class FortiGateServer:
    """One device on a free port of loopback, for as long as the context lasts."""

    def __init__(self, device: Device | None = None, *, folder: pathlib.Path | None = None) -> None:
        self.device = device or Device()
        self.token = "lab-token-of-an-api-user"
        self.tokens = {"lab-token-read-only": Profile(writes=False)}
        self.requests = 0
        self.log: list[tuple[str, str, int]] = []
        self.faults = Faults()
        self.licensed = True
        self.changed: t.Callable[[], None] = lambda: None
        self.failures = 0
        self._temporary = (
            tempfile.TemporaryDirectory(prefix="mailedge-fortigate-") if folder is None else None
        )
        self._folder = folder or pathlib.Path(t.cast("t.Any", self._temporary).name)
        self._lock = threading.Lock()
        certificate = make_certificate("firewall.lab.example", self._folder)
        self.ca_path = certificate.path
        self._server = _Server(("127.0.0.1", 0), _Handler, self, certificate.context)
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> FortiGateServer:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def reset_counters(self) -> None:
        """Count from here."""
        self.requests, self.log = 0, []

    def arm(self, **faults: t.Any) -> None:
        """Let something go wrong from now on; without arguments: nothing any more."""
        self.faults = Faults(**faults)
        self.failures = 0

    # ------------------------------------------------------------ one request

    def answer(
        self, method: str, target: str, headers: t.Mapping[str, str], body: bytes
    ) -> tuple[int, str, str, dict[str, str]] | None:
        """Status, type of content, body and more headers; None: the connection ends without an
        answer.
        """
        with self._lock:
            faults = self.faults
            faults.seen += 1
            self.requests += 1
            if faults.cut_before == faults.seen or 0 < faults.reboot_after < faults.seen:
                return None
            if faults.slow:
                time.sleep(faults.slow)
            url = urllib.parse.urlsplit(target)
            query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
            given = self._answer(method, url.path, query, headers, body)
            if method != "GET":
                self.changed()
            self.log.append((method, url.path, given[0]))
            return None if faults.cut_after == faults.seen else given

    def _answer(
        self, method: str, path: str, query: Query, headers: t.Mapping[str, str], body: bytes
    ) -> tuple[int, str, str, dict[str, str]]:
        if self.faults.html:
            return self._page(self.faults.html)
        for part, (status, text) in self.faults.instead.items():
            if part in path:
                return (
                    status,
                    "application/json" if text.startswith(("{", "[")) else "text/html",
                    text,
                    {},
                )
        if self.faults.redirect:
            self.faults.redirect -= 1
            return (
                301,
                "text/html",
                _HTML.format("Moved"),
                {"Location": f"https://elsewhere.example{path}"},
            )
        profile = self._profile(query, headers)
        if isinstance(profile, int):
            return self._page(profile)
        parts = path.removeprefix("/api/v2/").split("/")
        # Without vdoms there is the one, whatever is asked for.
        names = query.get("vdom", ["root"])[0] if self.device.has_vdoms else "root"
        vdoms = list(self.device.configs) if names == "*" else [names]
        if not path.startswith("/api/v2/") or len(parts) < 1:
            return self._page(404)
        envelopes = [
            self._envelope(method, parts, query, headers, body, vdom, profile) for vdom in vdoms
        ]
        status = max(int(envelope["http_status"]) for envelope in envelopes)
        return (
            status,
            "application/json",
            json.dumps(envelopes if names == "*" else envelopes[0]),
            {},
        )

    def _page(self, status: int) -> tuple[int, str, str, dict[str, str]]:
        return (
            status,
            "text/html",
            _HTML.format({401: "Unauthorized", 429: "Too Many Requests"}.get(status, status)),
            {},
        )

    def _profile(self, query: Query, headers: t.Mapping[str, str]) -> Profile | int:
        """What the token may do, or the status that refuses it."""
        if self.failures >= LOGIN_FAILURES:
            return 429
        scheme, _blank, token = headers.get("authorization", "").partition(" ")
        if "access_token" in query and self.device.version < TOKEN_IN_URL_UNTIL:
            scheme, token = "Bearer", query["access_token"][0]
        everything = Profile(vdoms=tuple(self.device.configs))
        profile = {**self.tokens, self.token: everything}.get(token) if scheme == "Bearer" else None
        if profile is None and token:
            # A request without a token is refused as well, but is no attempt to log in.
            self.failures += 1
        if profile is not None and profile.refused:
            return profile.refused
        return 401 if profile is None or not self.licensed else profile

    def _envelope(
        self,
        method: str,
        parts: list[str],
        query: Query,
        headers: t.Mapping[str, str],
        body: bytes,
        vdom: str,
        profile: Profile,
    ) -> dict[str, t.Any]:
        device = self.device
        kind, table = parts[0], "/".join(parts[1:3])
        envelope: dict[str, t.Any] = {"http_method": method}
        config = device.configs.get(vdom)
        before = config.revision if config else 0
        try:
            if config is None or vdom not in profile.vdoms:
                raise Refused(schema.NOT_FOUND if config is None else -37, status=403)
            if method != "GET" and not profile.writes:
                raise Refused(-37, status=403)
            if (parts[1:2] == ["router"] or table in NETWORK) and not profile.network:
                raise Refused(-37, status=403)
            wrong = self.faults.fail.get(f"{method} {table}")
            if wrong is not None:
                raise Refused(wrong)
            if table in self.faults.gone:
                raise Refused(schema.NOT_FOUND, status=404)
            # The vendor's collection sends null with a move.
            sent = (json.loads(body) if body else None) or {}
            key = urllib.parse.unquote(parts[3]) if len(parts) > 3 else None
            if kind == "cmdb" and not table:
                envelope.update(self._transaction(method, query, sent, vdom))
            elif (
                kind == "cmdb"
                and method == "GET"
                and (known := device_table(device, table)) is not None
            ):
                envelope["results"] = known
            elif kind == "cmdb":
                envelope.update(self._cmdb(method, table, key, query, headers, sent, vdom, config))
            elif kind == "monitor":
                envelope.update(
                    self._monitor(method, "/".join(parts[1:]), query, sent, vdom, config)
                )
            else:
                raise Refused(schema.NOT_FOUND, status=404)
            envelope.update(status="success", http_status=200)
        except Refused as error:
            usual = 424 if device.version >= OTHER_STATUS_SINCE else 500
            envelope.update(status="error", http_status=error.status or usual, error=error.code)
            if error.text:
                envelope["cli_error"] = error.text
        except ValueError:
            envelope.update(status="error", http_status=400, error=schema.UNEXPECTED)
        if method != "GET" and kind == "cmdb":
            after = device.configs[vdom].revision if vdom in device.configs else 0
            envelope.update(
                revision=_revision(vdom, after),
                old_revision=_revision(vdom, before),
                revision_changed=after != before,
            )
        elif kind == "cmdb":
            envelope["revision"] = _revision(vdom, before)
        if kind == "cmdb" and len(parts) > 2:
            envelope.update(path=parts[1], name=parts[2])
        return {
            **envelope,
            "vdom": vdom,
            "serial": device.serial,
            "version": device.version_text,
            "build": 2000 + device.version[2],
        }

    def _transaction(self, method: str, query: Query, sent: t.Any, vdom: str) -> dict[str, t.Any]:
        action = query.get("action", [""])[0]
        if method != "POST" or not action.startswith("transaction-"):
            raise Refused(schema.NOT_FOUND, status=405)
        return self.device.asked(action, sent, vdom)

    def _cmdb(
        self,
        method: str,
        table: str,
        key: str | None,
        query: Query,
        headers: t.Mapping[str, str],
        sent: t.Any,
        vdom: str,
        config: Config,
    ) -> dict[str, t.Any]:
        device, number = self.device, headers.get("x-transaction-id", "")
        if method == "GET":
            return self._get(table, key, query, config)
        if not isinstance(sent, dict):
            raise Refused(schema.UNEXPECTED)
        if method == "POST" and key is None:
            return {"mkey": device.write(vdom, number, "create", table, sent)}
        if method == "PUT" and key is not None:
            action = query.get("action", [""])[0]
            if action == "move":
                before, after = query.get("before", [""])[0], query.get("after", [""])[0]
                device.write(vdom, number, "move", table, key, before=before, after=after)
            elif action:
                raise Refused(-10000)
            else:
                device.write(vdom, number, "update", table, key, sent)
            return {"mkey": key}
        if method == "DELETE" and key is not None:
            return {"mkey": device.write(vdom, number, "delete", table, key)}
        config.table(table)
        raise Refused(schema.UNEXPECTED, status=405)

    def _get(self, table: str, key: str | None, query: Query, config: Config) -> dict[str, t.Any]:
        described = config.table(table)
        if query.get("action", [""])[0] == "schema":
            return {
                "results": {
                    "name": table,
                    "children": {
                        name: {"type": field.kind} for name, field in described.fields.items()
                    },
                }
            }
        if key is not None:
            known, row = config.entry(table, key)
            return {"results": [shown(described, row)], "size": 1, "mkey": known}
        rows = list(config.all(table).values())
        held = len(rows)
        matched = [
            row
            for row in rows
            if all(passes(row, condition) for condition in query.get("filter", ()))
        ]
        start, count = (
            int(query.get("start", ["0"])[0]),
            int(query.get("count", ["0"])[0]) or len(matched),
        )
        if self.device.page:
            count = min(count, self.device.page)
        rows = [shown(described, row) for row in matched[start : start + count]]
        if self.device.modes.central_nat and not self.device.modes.shows_match_vip:
            rows = [{name: row[name] for name in row if name != "match-vip"} for row in rows]
        wanted = [name for name in query.get("format", [""])[0].split("|") if name]
        if wanted:
            kept = {*wanted, "q_origin_key"}
            rows = [{name: value for name, value in row.items() if name in kept} for row in rows]
        if query.get("with_meta"):
            for row in rows:
                row["q_ref"] = len(config.users(table, row[described.key]))
        return {
            "results": rows,
            "size": held,
            "matched_count": len(matched),
            "next_idx": max(0, start + len(rows) - 1),
        }

    # ------------------------------------------------------------ monitors

    def _monitor(
        self, method: str, path: str, query: Query, sent: t.Any, vdom: str, config: Config
    ) -> dict[str, t.Any]:
        first_values = {name: values[0] for name, values in query.items()}
        device = self.device
        if path == "system/status" and method == "GET":
            return {"results": {"model_name": "FortiGate", "hostname": "firewall.lab.example"}}
        if path == f"{FEED}/dynamic" and method == "POST" and device.version >= PUSH_SINCE:
            config.push(sent.get("commands", []))
            return {"results": {}}
        if path == f"{FEED}/entry-list" and method == "GET":
            config.entry(FEED, first_values.get("mkey", ""))
            held = device.feed_entries(vdom, first_values["mkey"]) or []
            return {"results": [{"entry": text, "valid": True} for text in held]}
        if path == "firewall/policy-lookup" and method == "GET":
            packet = Packet(
                first_values.get("sourceip", ""),
                first_values.get("dest", ""),
                int(first_values.get("destport", "0")),
                first_values.get("srcintf", ""),
            )
            through, policy = decide(device, packet, vdom)
            return {"results": {"success": through, "policy_id": policy, "match": policy > 0}}
        if path == "firewall/policy" and method == "GET":
            return {
                "results": device.hits.told(
                    map(int, config.all(POLICY)), int(first_values.get("ip_version", "ipv4")[-1])
                )
            }
        if path == "router/lookup" and method == "GET":
            return {"results": device.routing.looked_up(first_values["destination"])}
        if path in ("router/ipv4", "router/ipv6") and method == "GET":
            return {"results": device.routing.listed(int(path[-1]))}
        if path == "system/config-revision/save" and method == "POST":
            return {"results": {}}
        raise Refused(schema.NOT_FOUND, status=404)


def _revision(vdom: str, number: int) -> str:
    return hashlib.md5(f"{vdom}{number}".encode(), usedforsecurity=False).hexdigest()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[http.server.BaseHTTPRequestHandler],
        lab: FortiGateServer,
        context: ssl.SSLContext,
    ) -> None:
        self.lab, self._context = lab, context
        super().__init__(address, handler)

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request.settimeout(60)
        try:
            wrapped = self._context.wrap_socket(request, server_side=True)
        except OSError:
            return  # A client that does not trust the certificate goes away here.
        try:
            super().finish_request(wrapped, client_address)
        finally:
            wrapped.close()

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A client that went away is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    wbufsize = -1

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        given = self.server.lab.answer(self.command, self.path, headers, body)
        if given is None:
            self.close_connection = True
            return
        status, kind, text, more = given
        data = text.encode()
        self.send_response_only(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the base class looks for these names

    def log_message(self, format: str, *args: t.Any) -> None:
        """The log is the server's; nothing goes to the terminal."""
