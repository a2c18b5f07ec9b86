# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client of the FortiOS REST API: one connection, one GET a table, success read from the
body.

The TLS context is made as ansible.module_utils.urls makes it. The requests go through http.client,
because urllib closes its connection after every request, and a new TLS handshake for each of 10,000
objects takes hours (fortinet.fortios issue 343). The token travels in a header only: in an URL it
would end in logs, and FortiOS refuses it there from 7.4.5.
"""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import http.client
import json
import re
import socket
import ssl
import typing as t
import urllib.parse

from ansible.module_utils.urls import make_context

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import (
    DeviceError,
    DeviceUnreachable,
    FortiOSError,
    UnreadableAnswer,
)

Row = dict[str, t.Any]
Key = t.Union[str, int]
Version = tuple[int, int, int]

TRANSACTIONS_SINCE: Version = (6, 4, 0)
TRANSACTION_SECONDS = 60
_PAGE_LIMIT = 1000
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_TAGS = re.compile(r"<[^>]*>|\s+")


def quote(text: object) -> str:
    """A text as one part of a URL's path or query; a slash in a name is no separator."""
    return urllib.parse.quote(str(text), safe="")


class FortiOS:
    """One vdom of one device. `requests` counts what was sent; `version`, `serial` and `clock` are
    known after the first answer.

    `clock` is what the device's own clock said with its last answer; None where it does not tell.
    """

    def __init__(
        self,
        host: str,
        token: str,
        *,
        port: int = 443,
        vdom: str = "root",
        validate_certs: bool = True,
        ca_path: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.host, self.port, self.vdom, self.timeout = host, port, vdom, timeout
        self.requests = 0
        self.version: Version | None = None
        self.serial = ""
        self.clock: datetime.datetime | None = None
        self._token = token
        self._tls = {"cafile": ca_path, "validate_certs": validate_certs}
        self._connection: http.client.HTTPSConnection | None = None
        self._transaction = ""
        self._is_admitted = False
        self._own_address = ""

    def __repr__(self) -> str:
        return f"FortiOS({self.where}, vdom {self.vdom})"

    @property
    def where(self) -> str:
        """The device, for sentences."""
        return f"{self.host}:{self.port}"

    @property
    def as_of(self) -> str:
        """When what is read was so, as a phrase; empty: now."""
        return ""

    @property
    def takes_transactions(self) -> bool:
        """Whether several writes can take effect together; known after the first answer."""
        return self.version is not None and self.version >= TRANSACTIONS_SINCE

    def __enter__(self) -> FortiOS:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # ------------------------------------------------------------ the configuration database

    def table(
        self, path: str, *, filters: t.Sequence[str] = (), fields: t.Sequence[str] = ()
    ) -> list[Row]:
        """All rows of a table, in the device's order; one request, and one more for each further
        page. Raises FortiOSError.
        """
        query: list[tuple[str, str]] = [("filter", condition) for condition in filters]
        if fields:
            query.append(("format", "|".join(fields)))
        rows: list[Row] = []
        for _page in range(_PAGE_LIMIT):
            page = [*query, ("start", str(len(rows)))] if rows else query
            answer = self._ask("GET", f"cmdb/{path}", query=page)
            page_rows = answer.get("results")
            if not isinstance(page_rows, list):
                raise self._nonsense("GET", path, "a table that is not a list")
            if not all(isinstance(row, dict) for row in page_rows):
                raise self._nonsense("GET", path, "a table with a row that is no object")
            rows.extend(page_rows)
            total = answer.get("matched_count")
            if not isinstance(total, int) or len(rows) >= total:
                return rows
            if not page_rows:
                raise self._nonsense("GET", path, f"{len(rows)} rows of a table of {total}")
        raise self._nonsense("GET", path, "no end of the table")

    def single(self, path: str) -> Row:
        """What is one object and no table, such as the settings of SD-WAN. Raises FortiOSError."""
        settings = self._ask("GET", f"cmdb/{path}").get("results")
        if not isinstance(settings, dict):
            raise self._nonsense("GET", path, "no object")
        return settings

    def create(self, path: str, row: t.Mapping[str, t.Any]) -> str:
        """Make an entry; give its key. Raises FortiOSError."""
        return str(self._ask("POST", f"cmdb/{path}", body=row).get("mkey") or "")

    def update(self, path: str, key: Key, row: t.Mapping[str, t.Any]) -> None:
        """Change the named fields of an entry. Raises FortiOSError."""
        self._ask("PUT", f"cmdb/{path}/{quote(key)}", body=row)

    def delete(self, path: str, key: Key) -> None:
        """Remove an entry. Raises FortiOSError; one that is not there is an error too."""
        self._ask("DELETE", f"cmdb/{path}/{quote(key)}")

    def move(self, path: str, key: Key, *, before: Key) -> None:
        """Put an entry right before another one. Raises FortiOSError."""
        self._ask(
            "PUT", f"cmdb/{path}/{quote(key)}", query=[("action", "move"), ("before", str(before))]
        )

    # ------------------------------------------------------------ what the device is doing

    def monitor(self, path: str, **query: t.Any) -> t.Any:
        """What a monitor gives. Raises FortiOSError."""
        asked = [(name, str(value)) for name, value in query.items() if value is not None]
        return self._ask("GET", f"monitor/{path}", query=asked).get("results")

    def post_monitor(self, path: str, body: t.Mapping[str, t.Any]) -> t.Any:
        """Ask a monitor to do something. Raises FortiOSError."""
        return self._ask("POST", f"monitor/{path}", body=body).get("results")

    @contextlib.contextmanager
    def transaction(self) -> t.Iterator[bool]:
        """All writes within take effect together, or none of them; gives False on a FortiOS before
        6.4, where each takes effect by itself. Raises FortiOSError; then none of them has.
        """
        if not self.takes_transactions or self._transaction:
            yield False
            return
        begun = self._ask(
            "POST",
            "cmdb",
            query=[("action", "transaction-start")],
            body={"timeout": TRANSACTION_SECONDS},
        )
        number = _transaction_of(begun)
        if number is None:
            raise self._nonsense("POST", "cmdb", "no number for a transaction")
        self._transaction = str(number)
        # Fortinet's text on batch transactions has the number in the body of both; the tables stay
        # locked for everybody until it is taken, or its time is over.
        which = {"transaction-id": number}
        try:
            yield True
            self._ask("POST", "cmdb", query=[("action", "transaction-commit")], body=which)
        except BaseException:
            # After a commit that was taken it does nothing. A broken connection must not hide the
            # first error.
            with contextlib.suppress(DeviceError, DeviceUnreachable):
                self._ask("POST", "cmdb", query=[("action", "transaction-abort")], body=which)
            raise
        finally:
            self._transaction = ""

    # ------------------------------------------------------------ one request

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: t.Sequence[tuple[str, str]] = (),
        body: t.Mapping[str, t.Any] | None = None,
        everywhere: bool = False,
    ) -> dict[str, t.Any]:
        """One request, and the envelope of its answer where that says success. `everywhere`: of no
        vdom.
        """
        asked = [*query, *([] if everywhere else [("vdom", self.vdom)])]
        url = f"/api/v2/{path}?{'&'.join(f'{name}={quote(value)}' for name, value in asked)}"
        status, headers, text = self._exchange(method, url, body)
        envelope = self._envelope(text)
        if envelope is not None:
            self._remember(envelope)
        if 300 <= status < 400:
            raise DeviceError(
                method,
                path,
                status=status,
                text=f"Location: {headers.get('Location', 'not given')}",
                where=self.where,
            )
        if envelope is None:
            # HTML where a login, a lockout or a proxy answers.
            plain = _TAGS.sub(" ", text).strip()
            refused = DeviceError(
                method,
                path,
                status=status,
                text=plain or "an empty answer",
                where=self.where,
                enveloped=False,
            )
            raise refused.explain(self._asked_from()) if refused.status in (401, 403) else refused
        if (
            envelope.get("status") != "success"
            or status >= 400
            or envelope.get("error") not in (None, 0)
        ):
            code = envelope.get("error")
            refused = DeviceError(
                method,
                path,
                status=_status(envelope.get("http_status"), status),
                code=code if isinstance(code, int) else None,
                text=str(envelope.get("cli_error") or ""),
                where=self.where,
            )
            first = not self._is_admitted and not everywhere
            raise (
                refused.explain(self._why_forbidden())
                if first and refused.status == 403
                else refused
            )
        told = envelope.get("vdom")
        if path.startswith("cmdb/firewall") and isinstance(told, str) and told != self.vdom:
            raise self._nonsense(
                method,
                path,
                f"what is in the vdom '{told}', and '{self.vdom}' was asked for (does the device "
                "have vdoms?)",
            )
        self._is_admitted = self._is_admitted or not everywhere
        return envelope

    def _why_forbidden(self) -> str:
        """Whether it is the vdom that is refused; one more request. A token that is refused is not
        tried again, because the device locks out who fails.
        """
        vdom = f"vdom '{self.vdom}'"
        try:
            rows = self._ask(
                "GET", "cmdb/system/vdom", query=[("format", "name")], everywhere=True
            ).get("results")
            names = [str(row["name"]) for row in rows or ()]
        except (FortiOSError, KeyError, TypeError):
            return (
                f"It may be that there is no {vdom}, that the API user is not of it, that its "
                "accprofile does not allow this, or that it asks from none of its trusthosts. "
                f"{self._asked_from()}"
            )
        if self.vdom not in names:
            return f"There is no {vdom}; the device has: {', '.join(sorted(names))}."
        return (
            f"There is a {vdom}; is it among the vdoms of the API user, and does its accprofile "
            "allow this?"
        )

    def _asked_from(self) -> str:
        return (
            f"This host asks from the address {self._own_address}, if nothing in between "
            "translates it."
        )

    def _envelope(self, text: str) -> dict[str, t.Any] | None:
        """The envelope of our vdom; an answer for several vdoms is a list of them. None for what no
        FortiGate answers.
        """
        try:
            answer = json.loads(text)
        except ValueError:
            return None
        if isinstance(answer, list):
            envelopes = [
                envelope
                for envelope in answer
                if isinstance(envelope, dict) and envelope.get("vdom") == self.vdom
            ]
            answer = envelopes[0] if len(envelopes) == 1 else None
        # Every envelope says how it went and by which version, that of an error too.
        told = (
            isinstance(answer, dict)
            and _VERSION.match(str(answer.get("version")))
            and "status" in answer
        )
        return answer if told else None

    def _remember(self, envelope: t.Mapping[str, t.Any]) -> None:
        version = _VERSION.match(str(envelope.get("version") or ""))
        if version and self.version is None:
            self.version = (int(version[1]), int(version[2]), int(version[3]))
        if not self.serial:
            self.serial = str(envelope.get("serial") or "")

    def _exchange(
        self, method: str, url: str, body: t.Mapping[str, t.Any] | None
    ) -> tuple[int, t.Mapping[str, str], str]:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if self._transaction:
            headers["X-TRANSACTION-ID"] = self._transaction
        kept = self._connection is not None
        try:
            return self._once(method, url, data, headers)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            # A kept connection may have been closed by the device while it was idle. Reading again
            # is harmless; a write is not repeated, since nobody knows whether it arrived.
            if kept and method == "GET" and not isinstance(error, (TimeoutError, socket.timeout)):
                try:
                    return self._once(method, url, data, headers)
                except (http.client.HTTPException, OSError) as second_error:
                    self.close()
                    raise self._unreachable(second_error, method) from None
            raise self._unreachable(error, method) from None

    def _once(
        self, method: str, url: str, data: bytes | None, headers: t.Mapping[str, str]
    ) -> tuple[int, t.Mapping[str, str], str]:
        if self._connection is None:
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=self.timeout, context=make_context(**self._tls)
            )
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connection = connection
            self._own_address = str(connection.sock.getsockname()[0])
        self.requests += 1
        self._connection.request(method, url, body=data, headers=dict(headers))
        response = self._connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        self.clock = _date(response.headers.get("Date")) or self.clock
        if response.will_close:
            self.close()
        return response.status, dict(response.headers), text

    def _unreachable(self, error: Exception, method: str) -> DeviceUnreachable:
        if isinstance(error, ssl.SSLCertVerificationError):
            return DeviceUnreachable(
                f"The certificate of the FortiGate {self.where} cannot be trusted: "
                f"{error.verify_message}. Nothing was sent to it. Name the authority that signed "
                "it in ca_path."
            )
        sent = method != "GET" and self._connected_once
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        more = " The last write may have arrived; run it again, or roll back." if sent else ""
        return DeviceUnreachable(
            f"The FortiGate {self.where} cannot be reached ({reason}).{more}", sent=sent
        )

    @property
    def _connected_once(self) -> bool:
        return self.requests > 0

    def unreadable(self, path: str, what: str) -> DeviceError:
        """The error for what was read there and cannot be understood; `what` is a phrase."""
        return self._nonsense("GET", path, what)

    def _nonsense(self, method: str, path: str, what: str) -> DeviceError:
        return UnreadableAnswer(method, path, what, self.where)


def _transaction_of(envelope: t.Mapping[str, t.Any]) -> int | str | None:
    """The number of a transaction that was started, as the device gave it: in the results, by
    Fortinet's text of 7.4.1; elsewhere is read as well.
    """
    results = envelope.get("results")
    inner = results if isinstance(results, dict) else {}
    places = (
        inner.get("transaction-id"),
        envelope.get("transaction-id"),
        envelope.get("transaction_id"),
    )
    return next((number for number in places if number not in (None, "")), None)


def _status(told: t.Any, sent: int) -> int:
    """The status that an envelope tells, or that of HTTP where it tells none."""
    number = isinstance(told, int) and not isinstance(told, bool)
    return told if number and told else sent


def _date(header: str | None) -> datetime.datetime | None:
    """The time of an HTTP date, whole seconds in UTC; None for what is none."""
    try:
        moment = email.utils.parsedate_to_datetime(header or "")
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)
