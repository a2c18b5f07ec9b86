# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batch transactions of the lab's FortiGate: writes that take effect together.

Known from: Fortinet's text on batch transactions (the number is in the results of the start, in a
header of what comes between, in the body of commit and abort; tables stay locked as long as one is
open), and a public client (some tables refuse them, a policy that is made within has the number 0
in the answer, -651 with HTTP 500 for a bad reference on 7.4.1). None of it was seen on a device.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.tests.lab.fortigate import schema
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.schema import Refused, Version

if t.TYPE_CHECKING:
    from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Config

POLICY = "firewall/policy"
TRANSACTIONS_SINCE: Version = (6, 4, 0)


@dataclass
class Transaction:
    """Writes that wait for their commit."""

    config: Config
    vdom: str
    writes: list[tuple[str, tuple[t.Any, ...], dict[str, t.Any]]] = field(default_factory=list)


class Transactions:
    """The transactions of a device. `refusing`: the tables that take none, with the number of the
    error; `locks`: whether an open one keeps others from writing to its tables; `workspaces`: the
    tables that a colleague has changed in one of the command line, since 6.2 (Fortinet's guide:
    what was edited there is locked; the number of the error is unverified).
    """

    version: Version
    configs: dict[str, Config]

    def __init__(self) -> None:
        self.transactions: dict[str, Transaction] = {}
        self.refusing: dict[str, int] = {}
        self.locks = False
        self.workspaces: set[str] = set()
        self._numbers = 0

    def asked(self, action: str, body: t.Mapping[str, t.Any], vdom: str) -> dict[str, t.Any]:
        """What is answered to a request about transactions."""
        if action == "transaction-start":
            return {"results": {"transaction-id": int(self.begin(vdom))}}
        number = body.get("transaction-id")
        if not isinstance(number, int) or action not in ("transaction-commit", "transaction-abort"):
            raise Refused(schema.UNEXPECTED, "transaction-id", status=400)
        (self.commit if action == "transaction-commit" else self.abort)(str(number))
        return {"results": {}}

    def begin(self, vdom: str) -> str:
        """Start a transaction; give its number."""
        if self.version < TRANSACTIONS_SINCE:
            raise Refused(schema.NOT_FOUND, status=405)
        self._numbers += 1
        self.transactions[str(self._numbers)] = Transaction(self._copy(vdom, within=True), vdom)
        return str(self._numbers)

    def _copy(self, vdom: str, *, within: bool) -> Config:
        held = self.configs[vdom]
        return type(held)(
            held.device,
            within,
            copy.deepcopy(held.rows),
            copy.deepcopy(held.entries),
            held.revision,
        )

    def write(
        self, vdom: str, number: str, name: str, path: str, *arguments: t.Any, **keywords: t.Any
    ) -> t.Any:
        """One write, in a transaction or at once."""
        taken = {
            write[1][0]
            for key, other in self.transactions.items()
            for write in other.writes
            if key != number
        }
        if path in self.workspaces or (self.locks and path in taken):
            raise Refused(schema.CONFLICT, "locked by a transaction")
        if not number:
            return getattr(self.configs[vdom], name)(path, *arguments, **keywords)
        transaction = self.transactions.get(number)
        if transaction is None or transaction.vdom != vdom:
            raise Refused(schema.NOT_FOUND, "transaction", status=424)
        if path in self.refusing:
            raise Refused(self.refusing[path], "transaction")
        given = getattr(transaction.config, name)(path, *arguments, **keywords)
        transaction.writes.append((name, (path, *arguments), keywords))
        return 0 if name == "create" and path == POLICY else given

    def commit(self, number: str) -> None:
        """All writes of a transaction, or none. One that is refused stays open until it is given
        up.
        """
        transaction = self.transactions.get(number)
        if transaction is None:
            raise Refused(schema.NOT_FOUND, "transaction", status=424)
        draft = self._copy(transaction.vdom, within=True)
        for name, arguments, keywords in transaction.writes:
            getattr(draft, name)(*arguments, **keywords)
        held = self.configs[transaction.vdom]
        held.rows, held.entries, held.revision = draft.rows, draft.entries, draft.revision
        del self.transactions[number]

    def abort(self, number: str) -> None:
        """Forget a transaction."""
        if self.transactions.pop(number, None) is None:
            raise Refused(schema.NOT_FOUND, "transaction", status=424)
