# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways into the Exchange shell: remote sessions to Microsoft.Exchange, and the snap-in.

Sources: learn.microsoft.com, connect-to-exchange-servers-using-remote-powershell (by full name,
Kerberos, port 80); "maximum of 18 concurrent shells" is the default throttling policy. The words of
the refusals are unverified.
"""

from __future__ import annotations

import itertools
import re
import threading
import time
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError

if t.TYPE_CHECKING:
    from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost

_MOST = 18

SHELL = "shell"
"""The name under which the opening of a shell is told to the hooks of the host."""


def _transport(error_id: str, message: str) -> ExchangeError:
    return ExchangeError(
        "PSRemotingTransportException",
        f"{error_id},PSSessionOpenFailed",
        "OpenError",
        message,
        terminating=True,
    )


class Sessions:
    """The sessions of one server. `seconds` is how long a shell takes to open.

    `accounts` maps users that may open a session to their passwords; None lets everybody in. With
    `second_hop` False, a session without a credential of its own is refused, as after a logon that
    cannot be handed on.
    """

    def __init__(self, host: ExchangeHost) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self.seconds = 0.0
        self.accounts: t.Mapping[str, str] | None = None
        self.second_hop = True
        self.opened: set[int] = set()

    def open(
        self,
        configuration: str,
        uri: str,
        authentication: str,
        login: tuple[str, str] | None,
        limit: float | None = None,
    ) -> int:
        """Open a session; give its number. Raises ExchangeError. `limit` is the caller's patience
        in seconds.
        """
        host = self._host
        host.event("before", SHELL, {"uri": uri})
        form = re.fullmatch(r"http://([^/:]+)/powershell/?", uri, re.IGNORECASE)
        if not form or form.group(1).casefold() != host.fqdn.casefold():
            # A load-balanced name, or any other than the server's own, has no service principal
            # name for Kerberos.
            raise _transport(
                "CannotConnect",
                f"Connecting to remote server failed: the client cannot connect to {uri}.",
            )
        if host.edition.local_shell:
            raise _transport(
                "CannotConnect",
                f"Connecting to remote server {host.fqdn} failed: no endpoint answers at {uri}.",
            )
        if configuration.casefold() != "microsoft.exchange":
            raise _transport(
                "InvalidConfiguration", f"The session configuration {configuration} was not found."
            )
        if str(authentication).casefold() not in ("kerberos", "negotiate", "default"):
            raise _transport(
                "AccessDenied",
                f"The server does not take the authentication mechanism {authentication}.",
            )
        if not self._admits(login):
            raise _transport(
                "AccessDenied", f"Connecting to remote server {host.fqdn} failed: Access is denied."
            )
        with self._lock:
            if len(self.opened) >= _MOST:
                raise _transport(
                    "TooManyShells",
                    "Fail to create runspace because you have exceeded the maximum number of "
                    f"connections allowed: {_MOST}. This user is allowed a maximum number of "
                    f"{_MOST} concurrent shells, which has been exceeded.",
                )
            number = next(self._numbers)
            self.opened.add(number)
        if limit is not None and self.seconds > limit:
            time.sleep(limit)
            self.close(number)
            raise _transport(
                "OperationTimeout",
                f"The connection to {host.fqdn} could not be opened within the time allowed.",
            )
        time.sleep(self.seconds)
        host.counters["exchange_shells"] += 1
        host.event("after", SHELL, {"uri": uri})
        return number

    def _admits(self, login: tuple[str, str] | None) -> bool:
        if login is None:
            return self.second_hop
        if self.accounts is None:
            return True
        known = {name.casefold(): password for name, password in self.accounts.items()}
        return known.get(login[0].casefold()) == login[1]

    def close(self, number: int) -> None:
        """Close a session. One that is left open counts against the limit."""
        with self._lock:
            self.opened.discard(number)

    def add_snapin(self, name: str) -> None:
        """Load the snap-in into the local shell. Raises ExchangeError."""
        self._host.event("before", SHELL, {"snapin": name})
        if name.casefold() != self._host.edition.snapin.casefold():
            raise ExchangeError(
                "PSArgumentException",
                "AddPSSnapInRead,Microsoft.PowerShell.Commands.AddPSSnapinCommand",
                "InvalidArgument",
                f"The Windows PowerShell snap-in '{name}' is not installed on this computer.",
                terminating=True,
            )
        time.sleep(self.seconds)
        self._host.counters["exchange_shells"] += 1
        self._host.event("after", SHELL, {"snapin": name})
