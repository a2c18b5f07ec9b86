# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log folders of a lab host's transport services, as real files, and who tells where they are.

Shapes: recorded samples of 2010 and 15.x (BOM, CRLF, five lines of header, quoting as CSV). Which
cmdlet knows which folder is in get-frontendtransportservice.md, get-transportservice.md and
get-transportserver.md; that Get-TransportServer still answers on 2013 and later is unverified, as
is the folder of 2007. The form of an IPv6 endpoint is unverified.
"""

from __future__ import annotations

import csv
import datetime
import io
import pathlib
import threading
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import Edition, Generation

Row = dict[str, t.Any]

NOUNS = ("FrontendTransportService", "TransportService", "TransportServer")
PROTOCOL_FIELDS = (
    "date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,"
    "context"
)
# 2010's columns; later ones have more, and in between.
TRACKING_FIELDS_2010 = (
    "date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,connector-id,"
    "source,event-id,internal-message-id,message-id,recipient-address,recipient-status,total-bytes,"
    "recipient-count,related-recipient-address,reference,message-subject,sender-address,"
    "return-path,message-info,directionality,tenant-id,original-client-ip,original-server-ip,"
    "custom-data"
)
TRACKING_FIELDS_2016 = TRACKING_FIELDS_2010.replace(
    "internal-message-id,message-id,", "internal-message-id,message-id,network-message-id,"
)
_PROTOCOL = "SMTP Receive Protocol Log"
_TRACKING = "Message Tracking Log"


def stamp(moment: datetime.datetime) -> str:
    """A time as the logs have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def endpoint(address: str, port: int) -> str:
    """An address and a port as the logs have them."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class TransportLogs:
    """The logs of one server. `denied` are paths that nobody may open, `now` its clock.

    `frontend`, `hub` and `tracking` are the folders as the server tells them; None: that log is
    off.
    """

    def __init__(
        self,
        edition: Edition,
        server: str,
        folder: t.Callable[[], pathlib.Path],
        now: t.Callable[[], float],
    ) -> None:
        self.edition, self.server, self._folder, self._now = edition, server, folder, now
        self.denied: set[str] = set()
        self.off: set[str] = set()
        self._numbers = 0
        self._lock = threading.Lock()

    # --- Where they are ---------------------------------------------------------------------------

    @property
    def frontend(self) -> pathlib.Path:
        """The protocol log of whoever answers port 25 from the internet."""
        root = self._folder() / "TransportRoles" / "Logs"
        if self.edition.frontend:
            return root / "FrontEnd" / "ProtocolLog" / "SmtpReceive"
        if self.edition.edge and self.edition.generation >= Generation.E2013:
            return root / "Edge" / "ProtocolLog" / "SmtpReceive"
        return root / "ProtocolLog" / "SmtpReceive"

    @property
    def hub(self) -> pathlib.Path:
        """The protocol log of the transport service behind it, where that is another one."""
        if not self.edition.frontend:
            return self.frontend
        return self._folder() / "TransportRoles" / "Logs" / "Hub" / "ProtocolLog" / "SmtpReceive"

    @property
    def tracking(self) -> pathlib.Path:
        """The message tracking log."""
        return self._folder() / "TransportRoles" / "Logs" / "MessageTracking"

    def commands(self) -> dict[str, tuple[str, ...]]:
        """The cmdlets that tell of transport services, and their parameters."""
        nouns = ["TransportServer"]
        if self.edition.generation >= Generation.E2013:
            nouns.append("TransportService")
        if self.edition.frontend:
            nouns.append("FrontendTransportService")
        return {f"Get-{noun}": ("Identity", "DomainController") for noun in nouns}

    def row(self, noun: str) -> Row:
        """What one of these cmdlets tells of this server."""
        front = noun == "FrontendTransportService"
        protocol = self.frontend if front else self.hub
        row: Row = {
            "Name": self.server,
            "Identity": self.server,
            "ReceiveProtocolLogPath": None if "protocol" in self.off else str(protocol),
            "ReceiveProtocolLogMaxAge": "30.00:00:00",
            "ReceiveProtocolLogMaxDirectorySize": "250 MB (262,144,000 bytes)",
        }
        if front:
            return row
        return {
            **row,
            "MessageTrackingLogEnabled": "tracking" not in self.off,
            "MessageTrackingLogPath": str(self.tracking),
            "MessageTrackingLogMaxAge": "30.00:00:00",
            "MessageTrackingLogMaxDirectorySize": "1000 MB (1,048,576,000 bytes)",
        }

    def is_denied(self, path: str) -> bool:
        """Whether nobody may open a file, or look into a folder."""
        return path in self.denied

    # --- What the services write ------------------------------------------------------------------

    def now(self) -> datetime.datetime:
        """The server's clock."""
        return datetime.datetime.fromtimestamp(self._now(), datetime.timezone.utc)

    def session_id(self) -> str:
        """The id of a new session."""
        with self._lock:
            self._numbers += 1
            return f"08D{self._numbers:013X}"

    def write(self, fields: t.Sequence[str]) -> None:
        """One line of the front end's protocol log, at this moment."""
        moment = self.now()
        with self._lock:
            self.append(
                self.frontend / f"RECV{moment:%Y%m%d%H}-1.LOG",
                [[stamp(moment), *fields]],
                moment,
                _PROTOCOL,
                PROTOCOL_FIELDS,
            )

    def track(self, fields: t.Mapping[str, str]) -> None:
        """One line of the message tracking log, at this moment."""
        moment = self.now()
        names = self.tracking_fields
        line = [stamp(moment), *(fields.get(name, "") for name in names.split(",")[1:])]
        with self._lock:
            path = self.tracking / f"MSGTRK{moment:%Y%m%d%H}-1.LOG"
            self.append(path, [line], moment, _TRACKING, names)

    @property
    def tracking_fields(self) -> str:
        """The columns of this version."""
        old = self.edition.generation < Generation.E2016
        return TRACKING_FIELDS_2010 if old else TRACKING_FIELDS_2016

    @staticmethod
    def append(
        path: pathlib.Path,
        lines: t.Iterable[t.Sequence[str]],
        moment: datetime.datetime,
        kind: str = _PROTOCOL,
        fields: str = PROTOCOL_FIELDS,
    ) -> None:
        """Write lines at the end of a file, which begins with a header."""
        text = io.StringIO(newline="")
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            text.write(
                "\ufeff#Software: Microsoft Exchange Server\r\n#Version: 15.0.0.0\r\n"
                f"#Log-type: {kind}\r\n#Date: {stamp(moment)}\r\n#Fields: {fields}\r\n"
            )
        csv.writer(text, lineterminator="\r\n").writerows(lines)
        with path.open("ab") as file:
            file.write(text.getvalue().encode("utf-8"))
