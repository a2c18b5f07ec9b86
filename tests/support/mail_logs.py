# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of Exchange's transport made at random, and their own count of who delivered how much."""

from __future__ import annotations

import collections
import csv
import datetime
import io
import pathlib
import random
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.tests.lab.windows.transport_logs import (
    PROTOCOL_FIELDS,
    TransportLogs,
    endpoint,
    stamp,
)

SECOND = datetime.timedelta(seconds=1)
LOCAL = "192.0.2.25"


@dataclass
class Written:
    """What a writer has put into its files: messages by (connector, sender), and how many lines."""

    messages: collections.Counter[tuple[str, str]] = field(default_factory=collections.Counter)
    sessions: collections.Counter[tuple[str, str]] = field(default_factory=collections.Counter)
    first: dict[tuple[str, str], str] = field(default_factory=dict)
    last: dict[tuple[str, str], str] = field(default_factory=dict)
    lines: int = 0
    size: int = 0


class Writer:
    """Writes sessions as a front end does: interleaved, over files of one hour each."""

    def __init__(self, folder: pathlib.Path, server: str = "EX1", seed: int = 7) -> None:
        self.folder, self.server = folder, server
        self.written = Written()
        self._random = random.Random(seed)
        self._lines: list[tuple[datetime.datetime, list[str]]] = []
        self._numbers = 0

    def session(
        self,
        begins: datetime.datetime,
        sender: str,
        connector: str = "Default Frontend EX1",
        *,
        messages: int = 1,
        helo: str = "mx.sender.example",
        login: str = "",
        refused: str = "",
        spread: float = 1.0,
    ) -> None:
        """One session: greeting, so many messages, the end; `refused` is the answer to MAIL FROM.

        A line comes every `spread` seconds.
        """
        self._numbers += 1
        number = f"08D{self._numbers:013X}"
        remote = endpoint(sender, self._random.randint(1025, 65535))
        said: list[tuple[str, str, str]] = [
            ("+", "", ""),
            ("*", "SMTPAcceptAnySender SMTPAcceptAuthoritativeDomainSender", "Set Permissions"),
            (">", "220 ex1.birke.example Microsoft ESMTP MAIL Service ready", ""),
            ("<", f"EHLO {helo}", ""),
            (">", "250-ex1.birke.example Hello [192.0.2.1]", ""),
        ]
        if login:
            said.append(("*", login, "authenticated"))
        key = (connector, sender)
        at = begins
        self.written.sessions[key] += 1
        for message in range(messages):
            said += [("<", "MAIL FROM:<anna, the first@sender.example>", "")]
            if refused:
                said.append((">", refused, ""))
                break
            said += [
                (">", "250 2.1.0 Sender OK", ""),
                ("<", "RCPT TO:<info@birke.example>", ""),
                (">", "250 2.1.5 Recipient OK", ""),
                ("<", "BDAT 2300", ""),
                (">", "250 2.6.0 CHUNK received OK, 2300 octets", ""),
                ("<", "BDAT 12 LAST", ""),
                (
                    ">",
                    f"250 2.6.0 <{number}.{message}@sender.example> [InternalId=41, "
                    'Hostname="ex1.birke.example"] Queued mail for delivery',
                    "",
                ),
            ]
            moment = stamp(begins + spread * len(said) * SECOND - spread * SECOND)
            self.written.messages[key] += 1
            self.written.first[key] = min(self.written.first.get(key, moment), moment)
            self.written.last[key] = max(self.written.last.get(key, moment), moment)
        said += [("<", "QUIT", ""), (">", "221 2.0.0 Service closing transmission channel", "")]
        said.append(("-", "", "Local"))
        for count, (event, data, context) in enumerate(said):
            at = begins + spread * count * SECOND
            line = [
                stamp(at),
                f"{self.server}\\{connector}",
                number,
                str(count),
                endpoint(LOCAL if ":" not in sender else "2001:db8::25", 25),
                remote,
                event,
                data,
                context,
            ]
            self._lines.append((at, line))

    def save(
        self,
        *,
        name: t.Callable[[datetime.datetime], str] = lambda at: f"RECV{at:%Y%m%d%H}-1.LOG",
        torn: str = "",
    ) -> Written:
        """Write all lines, in the order of their times. `torn` is half a line at the very end."""
        files: dict[str, io.StringIO] = {}
        self.folder.mkdir(parents=True, exist_ok=True)
        last = ""
        for at, line in sorted(self._lines, key=lambda pair: pair[0]):
            last = name(at)
            if last not in files:
                files[last] = io.StringIO(newline="")
                files[last].write(
                    "\ufeff#Software: Microsoft Exchange Server\r\n#Version: 15.0.0.0\r\n"
                    "#Log-type: SMTP Receive Protocol Log\r\n"
                    # A line's time may precede this one.
                    f"#Date: {stamp(at + SECOND)}\r\n#Fields: {PROTOCOL_FIELDS}\r\n"
                )
            csv.writer(files[last], lineterminator="\r\n").writerow(line)
        if torn:
            files[last].write(torn)
        for name_of_file, text in files.items():
            raw = text.getvalue().encode("utf-8")
            (self.folder / name_of_file).write_bytes(raw)
            self.written.size += len(raw)
        self.written.lines = len(self._lines)
        self._lines.clear()
        return self.written


def writer(logs: TransportLogs, seed: int = 7) -> Writer:
    """A writer of the log that answers for the internet on a lab's server."""
    return Writer(logs.frontend, logs.server, seed)


def track(
    logs: TransportLogs, rows: t.Iterable[tuple[datetime.datetime, str, str]]
) -> collections.Counter[str]:
    """Message tracking of messages that came by SMTP, as (time, original client, client); among
    them what is no delivery. Gives the messages by the sender that it tells.
    """
    told: collections.Counter[str] = collections.Counter()
    names = logs.tracking_fields.split(",")
    for at, original, client in sorted(rows):
        common = {
            "client-ip": client,
            "original-client-ip": original,
            "connector-id": f"{logs.server}\\Default {logs.server}",
            "message-subject": 'Invoice, "May"',
            "sender-address": "anna@sender.example",
        }
        kinds = [("SMTP", "RECEIVE"), ("STOREDRIVER", "DELIVER"), ("SMTP", "HARECEIVE")]
        lines = [
            [
                stamp(at),
                *(
                    {**common, "source": source, "event-id": event}.get(name, "")
                    for name in names[1:]
                ),
            ]
            for source, event in kinds
        ]
        path = logs.tracking / f"MSGTRK{at:%Y%m%d%H}-1.LOG"
        logs.append(path, lines, at, "Message Tracking Log", logs.tracking_fields)
        told[original or client] += 1
    return told
