# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of loopback that play port 25 (smtp.py answers there), and a mail server somewhere
else.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab import gate
from ansible_collections.mailedge.lockdown.tests.lab.on_the_way import Fork, OnTheWay
from ansible_collections.mailedge.lockdown.tests.lab.smtp import Mailbox, Session, WholeReplies


class FrontEnd:
    """Port 25 of one host on loopback.

    On `address` a sender plays what `sources` maps its loopback address to, and `otherwise` where
    that is not mapped; on ::1, which is the only one of its kind, each port of `ipv6_ports` plays
    one sender. A port refuses connections while no connector has a binding for its family: call
    `refresh` when connectors have changed.

    `firewall` says for the address that a sender plays whether the firewall in front lets it
    through; None: there is none. `proxy` stands on the way of nobody at first.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        address: str,
        sources: t.Mapping[str, str],
        otherwise: str,
        ipv6: t.Mapping[str, str],
        firewall: t.Callable[[str], bool] | None = None,
    ) -> None:
        self.mailbox = mailbox
        self.address = address
        self.port = 0
        self.ipv6_ports: dict[str, int] = {}
        self._sources = sources
        self._otherwise = otherwise
        self._ipv6 = ipv6
        self._firewall = firewall
        self.proxy = OnTheWay()
        self._counts: dict[str, int] = {}
        self._servers: dict[str, asyncio.AbstractServer] = {}
        self._listeners: dict[str, socket.socket] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lab-smtp", daemon=True)

    def start(self) -> None:
        """Choose the ports, and listen where there is something to listen for."""
        self._thread.start()
        self._wait(self._open())
        self.refresh()

    def refresh(self) -> None:
        """Listen on the ports that a binding stands for, and on no other; hear whom the firewall
        lets through, and nobody else.
        """
        wished = {4: self.mailbox.listens(4), 6: self.mailbox.listens(6)}
        self._wait(self._adjust(wished))

    def close(self) -> None:
        """Stop."""
        self._wait(_drain(self._servers.values()))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _wait(self, coroutine: t.Coroutine[t.Any, t.Any, t.Any]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _open(self) -> None:
        self.port = await self._listen("ipv4", self.address, 0)
        for role in self._ipv6:
            try:
                self.ipv6_ports[role] = await self._listen(role, "::1", 0)
            except OSError:
                # A machine without IPv6 has a lab without it.
                self.ipv6_ports.clear()
                break

    async def _listen(self, name: str, address: str, port: int) -> int:
        if name == "ipv4":

            def plays(peer: str) -> str:
                return self._sources.get(peer, self._otherwise)

        else:
            played = self._ipv6[name]

            def plays(peer: str) -> str:
                return played

        def server() -> Session:
            return Session(self.mailbox, plays, self._counts, loop=self._loop)

        def session() -> Fork:
            return Fork(self.proxy, server, self._loop)

        listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            # Before it listens, so that nobody slips through.
            self._guard(name, listener)
            self._servers[name] = await self._loop.create_server(session, sock=listener)
        except BaseException:
            listener.close()
            raise
        self._listeners[name] = listener
        return int(listener.getsockname()[1])

    def _guard(self, name: str, listener: socket.socket) -> None:
        if self._firewall is None:
            return
        if name == "ipv4":
            admitted = {
                address: self._firewall(played) for address, played in self._sources.items()
            }
            gate.guard(listener, admitted, self._firewall(self._otherwise))
        else:
            gate.guard(listener, {}, self._firewall(self._ipv6[name]))

    async def _adjust(self, wished: t.Mapping[int, bool]) -> None:
        ports = {"ipv4": (self.address, self.port, 4)}
        ports.update({role: ("::1", port, 6) for role, port in self.ipv6_ports.items()})
        for name, (address, port, version) in ports.items():
            if wished[version] and name not in self._servers:
                await self._listen(name, address, port)
            elif not wished[version] and name in self._servers:
                self._servers.pop(name).close()
                self._listeners.pop(name)
        for name, listener in self._listeners.items():
            self._guard(name, listener)


class Greeter:
    """A mail server somewhere else, on one port of 127.0.0.1 and ::1: it shows a probe that its
    network lets it out.
    """

    def __init__(self, proxy: OnTheWay | None = None) -> None:
        self.proxy = proxy or OnTheWay()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="lab-greeter", daemon=True
        )
        self._thread.start()
        self._servers: list[asyncio.AbstractServer] = []
        self.port = 0
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(30)

    async def _open(self) -> None:
        def greeter() -> WholeReplies:
            return WholeReplies(
                object(), hostname="mx.watchtower.example", loop=self._loop, timeout=60
            )

        def session() -> Fork:
            return Fork(self.proxy, greeter, self._loop)

        server = await self._loop.create_server(session, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        self._servers.append(server)
        # Not on a machine without IPv6, nor where somebody else has that port.
        with contextlib.suppress(OSError):
            self._servers.append(await self._loop.create_server(session, "::1", self.port))

    def close(self) -> None:
        """Stop."""
        asyncio.run_coroutine_threadsafe(_drain(self._servers), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


async def _drain(servers: t.Iterable[asyncio.AbstractServer]) -> None:
    """Listen no longer, and end what is going on."""
    for server in servers:
        server.close()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
