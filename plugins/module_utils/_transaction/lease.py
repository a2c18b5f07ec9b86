# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lease: a server is one run's between its remote calls as well, until what it made is proven.

A mutex ends with the process that holds it, and a run has a process for each of its calls. Without
a lease another run finds in order what this one made, and is green when this one takes it back.

A lease is a small file among the snapshots. It names the run and when it is over, by the server's
own clock; a run that is cut leaves one that ends by itself. Every write puts the writer's own in
its place, and only where the file is still as the writer has read it. So a run also sees that
another one has worked since its own lease was over: what it made then may be what that one found in
order, and it does not take it back any more.
"""

from __future__ import annotations

import datetime
import getpass
import json
import re
import secrets
import socket
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    snapshot as snapshots,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
)

FORMAT = 1
FILE = "0-lease.json"
"""Its name. It sorts before every snapshot, and is never one of the newest files."""
ANY_FILE = re.compile(r"0-lease(-[A-Za-z0-9._-]+)?\.json")
"""The name of one in a folder for several devices."""
GUARD = "leased"
SENTENCE = (
    "Another run has leased the server and may still take back what it made, or has worked on the "
    "server while this one did; or whether there is one cannot be read."
)
MINUTES = range(5, 721)
"""How long a run may lease a server at a time."""

_LONGEST = datetime.timedelta(minutes=MINUTES[-1])
_BY = re.compile(r"[ -~]{1,120}")
_NOT_PRINTABLE = re.compile(r"[^ -~]")
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class LeaseError(PlanError):
    """A file that is no lease of the server that it lies on."""


def check_minutes(minutes: int) -> str:
    """What is wrong with the length of a lease, in one sentence; empty where nothing is."""
    if minutes in MINUTES:
        return ""
    return (
        f"A lease cannot last {minutes} minutes: it must be between {MINUTES[0]} and "
        f"{MINUTES[-1]} minutes."
    )


@dataclass(frozen=True)
class Hold:
    """What a run asks for. `by` says who it is, for people.

    `goes_on`: the run has more to do when the task is done, and ends its lease itself. Otherwise it
    is over with a task that succeeds; what failed is to be undone first.
    """

    run_id: str
    minutes: int
    by: str
    goes_on: bool = True


@dataclass(frozen=True)
class Lease:
    """A run's lease of a server. `ended`: that run says that nothing of it is undone any more."""

    server: str
    run_id: str
    by: str
    since: datetime.datetime
    until: datetime.datetime
    ended: bool = False

    def text(self) -> str:
        """The lease as JSON; plain ASCII, so that no code page on its way can harm it."""
        times = {"since": snapshots.stamp(self.since), "until": snapshots.stamp(self.until)}
        named = {"server": self.server, "run_id": self.run_id, "by": self.by}
        return (
            json.dumps({"format": FORMAT, **named, **times, "ended": self.ended}, indent=2) + "\n"
        )

    def told(self) -> dict[str, t.Any]:
        """The lease in a result: {server, run_id, by, since, until, held}."""
        times = {"since": snapshots.stamp(self.since), "until": snapshots.stamp(self.until)}
        return {
            "server": self.server,
            "run_id": self.run_id,
            "by": self.by,
            **times,
            "held": not self.ended,
        }

    def words(self) -> str:
        """Whose it is, as a phrase."""
        return f"the run {self.run_id} ({self.by}) since {_clock(self.since)}"


def from_told(told: t.Mapping[str, t.Any]) -> Lease:
    """The lease that told() gave. Raises LeaseError."""
    try:
        server, run_id, by = (str(told[name]) for name in ("server", "run_id", "by"))
        return Lease(server, run_id, by, _time(str(told["since"])), _time(str(told["until"])))
    except (KeyError, TypeError, ValueError):
        raise LeaseError("It has server, run_id, by, since and until.") from None


def parse(text: str, server: str, now: datetime.datetime) -> Lease:
    """The lease in `text`, on `server` at the time `now` of its clock.

    Raises LeaseError for what we have not written: a person may have edited it, or copied the disk.
    """
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise LeaseError(f"It has another format than {FORMAT}, which this collection reads.")
        held = {name: document[name] for name in ("server", "run_id", "by", "since", "until")}
        if not all(isinstance(value, str) for value in held.values()) or not isinstance(
            document["ended"], bool
        ):
            raise ValueError
        if snapshots.check_run_id(held["run_id"]) or not _BY.fullmatch(held["by"]):
            raise ValueError
        since, until = _time(held["since"]), _time(held["until"])
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, LeaseError):
            raise
        raise LeaseError("It is not a lease of this collection, or a damaged one.") from None
    if held["server"].casefold() != server.casefold():
        raise LeaseError("It is of another server.")
    if not since <= until <= since + _LONGEST:
        raise LeaseError(f"It is longer than {MINUTES[-1]} minutes, which no run asks for.")
    if since > now + _LONGEST:
        raise LeaseError(
            "It lies in the future: the server's clock was set back, or somebody has edited it."
        )
    return Lease(held["server"], held["run_id"], held["by"], since, until, document["ended"])


class Understood(t.NamedTuple):
    """What a file is. `lease`: the one that it holds. `note`: why it holds none that counts, in
    sentences. `unknown`: why nobody can tell.
    """

    lease: Lease | None = None
    note: str = ""
    unknown: str = ""


def understand(
    held: snapshots.Held | None, server: str, now: datetime.datetime, *, of_others: bool = False
) -> Understood:
    """What a file is on `server`; nothing without a file.

    `of_others`: a lease of another user counts. Whoever may put one there may as well take ours
    away, so that it tells no more than he could do. Otherwise his file is passed over, so that it
    locks nobody out.
    """
    if held is None:
        return Understood()
    foreign = bool(held.distrust)
    if held.unread and (of_others or not foreign):
        return Understood(unknown=f"The lease {held.name} cannot be read: {held.unread}.")
    try:
        if foreign and not of_others:
            raise LeaseError(held.distrust)
        return Understood(parse(held.text, server, now))
    except LeaseError as error:
        if foreign and of_others:
            return Understood(
                unknown=f"The lease {held.name} cannot be understood. {held.distrust} {error}"
            )
        return Understood(note=f"The lease {held.name} was passed over. {error}")


def finding(
    lease: Lease | None,
    now: datetime.datetime,
    run_id: str | None,
    *,
    undoes: bool,
    meanwhile: bool,
    unknown: str = "",
) -> Finding | None:
    """What a run is told that meets `lease`; its own is none of that.

    `run_id` is the run that asks, None for one that asks for no lease. `undoes`: it takes back what
    it made under its lease. `meanwhile`: the lease was another one when the reading began.
    `unknown` says in sentences why nobody can tell whether there is one.
    """
    run_again = "run it again"
    if unknown:
        sentence = (
            f"{unknown} So it is not known whether another run is at work, which may take back "
            "what it made."
        )
        return Finding(
            GUARD, STOP, sentence, remedy="look whose it is, and remove it where no run is at work"
        )
    if lease is None and meanwhile:
        return Finding(
            GUARD, STOP, "While the server was read, a lease came or went.", remedy=run_again
        )
    if lease is None or lease.run_id == run_id:
        return None
    if undoes and run_id is not None and (lease.ended or now >= lease.until):
        return Finding(
            GUARD,
            STOP,
            f"The lease of this run was over, and {lease.server} was worked on by {lease.words()}. "
            "That run may have found in order what this one made, so that nothing of it is taken "
            "back.",
            remedy="run a rollback if it is to go",
        )
    if lease.ended:
        if not meanwhile:
            return None
        sentence = f"While the server was read, {lease.server} was worked on by {lease.words()}."
        return Finding(GUARD, STOP, sentence, remedy=run_again)
    if now >= lease.until:
        return Finding(
            GUARD,
            WARN,
            f"{lease.server} was leased by {lease.words()}, until {_clock(lease.until)}. That time "
            "is over and the run has not ended its lease: it was cut, or is late, and a late run "
            "takes back what it cannot prove. Look what became of it. A run that is not in check "
            "mode takes over what it made, as the playbook apply does; until then its state is not "
            "known.",
        )
    return Finding(
        GUARD,
        STOP,
        f"{lease.server} is leased by {lease.words()}, until {_clock(lease.until)} at the latest; "
        f"its clock shows {_clock(now)}. What that run made is not proven yet, and it may still "
        "take it back. If you know that run to be dead and accept this, what it made is taken "
        "over, and it takes nothing back any more.",
        remedy=f"{run_again} when that run has ended",
    )


def take(server: str, hold: Hold, now: datetime.datetime) -> Lease:
    """The lease of a run that writes now."""
    return Lease(server, hold.run_id, hold.by, now, now + datetime.timedelta(minutes=hold.minutes))


def mark(server: str, by: str, now: datetime.datetime) -> Lease:
    """What a writer leaves that has no lease of its own: one that has ended."""
    return Lease(server, secrets.token_hex(4), by, now, now, ended=True)


def local_name() -> str:
    """Who runs this, and where, for a person to find."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container need not have a name for the number of its user.
        user = "somebody"
    return printable(f"{user} at {socket.gethostname()}")


def printable(text: str) -> str:
    """A text as a lease takes it."""
    return _NOT_PRINTABLE.sub("?", text)[:120]


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, _TIME).replace(tzinfo=datetime.timezone.utc)


def _clock(time: datetime.datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
