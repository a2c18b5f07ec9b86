# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who comes to port 25 of the lab."""

from __future__ import annotations

import smtplib
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient
from ansible_collections.mailedge.lockdown.tests.lab.lab import LabHost
from ansible_collections.mailedge.lockdown.tests.lab.site import SOURCES


class Sender:
    """Somebody who comes to port 25 from a loopback address."""

    def __init__(self, host: LabHost, role: str, version: int = 4) -> None:
        front = host.front_end
        if version == 4:
            where, source = (front.address, front.port), (SOURCES[role], 0)
        else:
            where, source = ("::1", front.ipv6_ports[role]), ("::1", 0)
        self.smtp = smtplib.SMTP(timeout=10)
        self.smtp.source_address = source
        self.greeting = self.smtp.connect(*where)

    def mail(self, recipient: str = "postmaster@birke.example") -> tuple[str, str]:
        """The answers to MAIL and RCPT."""
        self.smtp.ehlo("probe.watchtower.example")
        mail = self.smtp.docmd("MAIL", "FROM:<probe@watchtower.example>")
        rcpt = self.smtp.docmd("RCPT", f"TO:<{recipient}>")
        self.smtp.docmd("RSET")
        return _text(mail), _text(rcpt)

    def deliver(self, recipient: str = "postmaster@birke.example") -> str:
        """Send a message; the server's last answer."""
        try:
            self.smtp.sendmail(
                "anna@sender.example", [recipient], b"Subject: hello\r\n\r\nhello\r\n"
            )
            return "250"
        except smtplib.SMTPResponseException as error:
            return f"{error.smtp_code} {error.smtp_error!r}"
        except smtplib.SMTPRecipientsRefused as error:
            return str(error)
        finally:
            self.smtp.close()


def _text(answer: tuple[int, bytes]) -> str:
    return f"{answer[0]} {answer[1].decode()}"


def change(client: LabClient, name: str, **parameters: t.Any) -> None:
    client.tamper("birke-ex1", "Set-ReceiveConnector", Identity=f"EX1\\{name}", **parameters)
