# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check of an assumption is: one class each, in the manner of ANTA's catalogue.

A check judges what was read anyway. It writes nothing, asks for nothing more, and what it says can
be sent to others: counts and names of Exchange's and FortiOS' own, none of the site's.
"""

from __future__ import annotations

import abc
import typing as t
from dataclasses import dataclass, field
from enum import Enum

Told = t.Mapping[str, t.Any]


class Status(str, Enum):
    """What became of a check."""

    SUCCESS = "success"
    """The assumption holds here."""
    FAILURE = "failure"
    """It does not."""
    ERROR = "error"
    """What it needs could not be read."""
    SKIPPED = "skipped"
    """It is about another version, or about something that is not here."""


@dataclass(frozen=True)
class Evidence:
    """What was read of one server, and of its site's firewall, as the modules returned it.

    Each is empty where it was not asked, and has ``failed`` or ``unreachable`` where it did not
    answer.
    """

    mail_flow: Told = field(default_factory=dict)
    senders: Told = field(default_factory=dict)
    names: Told = field(default_factory=dict)
    posture: Told = field(default_factory=dict)
    firewall: Told = field(default_factory=dict)
    iis: Told = field(default_factory=dict)
    windows_firewall: Told = field(default_factory=dict)
    tenant: Told = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Of Exchange, such as ``Exchange 2016``; empty where it is not known."""
        return str((self.mail_flow.get("server") or {}).get("version") or "")


@dataclass(frozen=True)
class Result:
    """The outcome of a check: its status, and a sentence with what was seen."""

    status: Status
    seen: str


def answered(result: Told) -> bool:
    """Whether a module was asked and has answered."""
    return bool(result) and not any(map(result.get, ("failed", "unreachable", "skipped")))


class Check(abc.ABC):
    """One assumption. The docstring of a check says what it assumes, and what each status means."""

    name: t.ClassVar[str]
    needs: t.ClassVar[str]
    """The attribute of Evidence that it judges."""
    marked: t.ClassVar[str]
    """Where the assumption is marked as unverified."""

    def run(self, evidence: Evidence) -> Result:
        """Judge what was read. Never raises."""
        told: Told = getattr(evidence, self.needs)
        if not told or told.get("skipped"):
            return Result(Status.SKIPPED, "It was not asked for.")
        if not answered(told):
            return Result(Status.ERROR, "It did not answer; the run says why.")
        try:
            return self.judge(told, evidence)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            return Result(Status.ERROR, f"The answer has another form: {type(error).__name__}.")

    @abc.abstractmethod
    def judge(self, told: Told, evidence: Evidence) -> Result:
        """Judge an answer."""


def holds(true: bool, seen: str) -> Result:
    """Success or failure."""
    return Result(Status.SUCCESS if true else Status.FAILURE, seen)
