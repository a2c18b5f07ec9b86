# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# aiosmtpd finds hooks by the names of methods.
# ruff: noqa: N802
"""An SMTP proxy on the way of some senders, which answers in the place of whatever server they
call.

Providers of access, VPNs, virus scanners and firewalls have such proxies; that they want a login is
known from reports, and stands for whatever they may say.
"""

from __future__ import annotations

import asyncio
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.tests.lab.smtp import WholeReplies


@dataclass
class OnTheWay:
    """The proxy. `senders`: the loopback addresses on whose way it stands; `answer`: what it says
    to MAIL; `calls`: who came.
    """

    name: str = "proxy.isp.example"
    answer: str = "530 5.7.0 Authentication required"
    senders: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    async def handle_MAIL(
        self, server: t.Any, session: t.Any, envelope: t.Any, address: str, options: t.Any
    ) -> str:
        """The same to everybody."""
        if self.answer.startswith("2"):
            envelope.mail_from = address
        return self.answer

    async def handle_RCPT(
        self, server: t.Any, session: t.Any, envelope: t.Any, address: str, options: t.Any
    ) -> str:
        """It takes everything, once somebody has got so far."""
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"


class Fork(asyncio.Protocol):
    """One connection: to the proxy where it stands on the sender's way, else to the server."""

    def __init__(
        self,
        proxy: OnTheWay,
        server: t.Callable[[], asyncio.Protocol],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._proxy = proxy
        self._server = server
        self._loop = loop

    def connection_made(self, transport: t.Any) -> None:
        """Hand it over."""
        peer = transport.get_extra_info("peername")[0]
        if peer in self._proxy.senders:
            self._proxy.calls.append(peer)
            taken: t.Any = WholeReplies(
                self._proxy, hostname=self._proxy.name, ident="ESMTP", loop=self._loop, timeout=60
            )
        else:
            taken = self._server()
        transport.set_protocol(taken)
        taken.connection_made(transport)
