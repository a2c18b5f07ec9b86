# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a device decides, saves and is managed: what of that changes what policies mean, or what
becomes of a change.

* Where it decides in other tables than its policies (policy-based NGFW, consolidated policies of
  6.2), they tell nothing.
* With central NAT policies do not name virtual IPs; they see the address behind.
* Changes may be saved only on demand, or undone after a while; an install of FortiManager replaces
  them. Fortinet's guide calls the former the workspace among the configuration save modes.
* What another administrator has changed in a workspace of his own (`execute config-transaction
  start`, FortiOS 6.2) is not in force until he commits it. No table of the vendor's schema, 6.0 to
  7.6, and no documented request tells which are open: those of the API (7.4.1) ask for the number
  of one. So nothing of it is judged, and the error of a table that is locked by one names it.
"""

from __future__ import annotations

import dataclasses
import datetime
import types
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import (
    FortiOS,
    Key,
    Row,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import DeviceError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
)

SETTINGS, GLOBAL = "system/settings", "system/global"
MANAGEMENT, CLUSTER = "system/central-management", "system/ha"

OF_POLICIES = (SETTINGS, GLOBAL, MANAGEMENT, CLUSTER)
"""What a lock has to know."""
OF_CHANGES = (GLOBAL, MANAGEMENT)
"""What any change has to know."""

_REVERT_SECONDS = 600
_SAVES = ("automatic", "manual", "revert")
_UNREAD: t.Mapping[str, str] = types.MappingProxyType(
    {
        SETTINGS: "whether policies decide at all",
        GLOBAL: "whether changes are saved",
        MANAGEMENT: "whether FortiManager replaces them",
        CLUSTER: "whether the device is a member of a cluster",
    }
)


@dataclass(frozen=True)
class Cause:
    """Why tables could not be read. `clause` has {} for their names; `remedy` is a sentence."""

    clause: str
    remedy: str

    def sentence(self, tables: t.Sequence[str]) -> str:
        """One sentence about what is not known therefore, and one of what to do."""
        unknown = " and ".join(_UNREAD[table] for table in tables)
        return (
            f"{self.clause.format(' and '.join(tables))}, so that it is not known {unknown}. "
            f"{self.remedy}"
        )


def cause_of(error: DeviceError) -> Cause | None:
    """Why the device gave no answer that is one; None for what no run could go on from."""
    numbers = (
        f"HTTP {error.status}" if error.code is None else f"error {error.code}, HTTP {error.status}"
    )
    if not error.enveloped or error.status in (401, 429):
        return None
    if error.refuses_us:
        # A token of one vdom may not read what is the whole device's.
        remedy = (
            "Give its accprofile read access to the system's configuration (sysgrp), in every vdom."
        )
        return Cause(f"The API user may not read {{}} ({numbers})", remedy)
    if error.status == 404:
        remedy = (
            "Look in the device's settings by hand; this FortiOS may be none that this collection "
            "knows."
        )
        return Cause(f"The device says that it has no {{}} ({numbers})", remedy)
    if error.status in (424, 500):
        return Cause(
            f"The device failed to read {{}} ({numbers})",
            "Run it again; if it stays so, look at the device's log.",
        )
    return None


@dataclass(frozen=True)
class Modes:
    """What was read of a device. `unread`: what could not be, with the cause."""

    rows: t.Mapping[str, Row]
    unread: t.Mapping[str, Cause] = dataclasses.field(default_factory=dict)

    def _is(self, table: str, field: str, value: str) -> bool:
        return bool(str(self.rows.get(table, {}).get(field) or "") == value)

    @property
    def central_nat(self) -> bool:
        """Whether virtual IPs translate without any policy that names them."""
        return self._is(SETTINGS, "central-nat", "enable")

    @property
    def elsewhere(self) -> str:
        """The tables that decide in the place of the policies; empty where policies do."""
        if self._is(SETTINGS, "ngfw-mode", "policy-based"):
            return "the vdom decides by its security policies (policy-based NGFW)"
        mode = self.rows.get(SETTINGS, {}).get("ngfw-mode")
        if mode not in (None, "", "profile-based"):
            return f"the vdom decides in the mode {str(mode)[:40]!r} (ngfw-mode)"
        if self._is(SETTINGS, "consolidated-firewall-mode", "enable"):
            return "the vdom decides by its consolidated policies (consolidated-firewall-mode)"
        return ""

    def refuse(self, vips: t.Collection[str]) -> None:
        """Refuse what cannot be judged or locked. Raises PlanError."""
        if self.elsewhere:
            raise PlanError(
                f"{self.elsewhere[0].upper()}{self.elsewhere[1:]}, which this collection does not "
                "read: its firewall policies do not tell who gets through. Nothing was changed. "
                "Lock the device by hand, and leave the firewall out of the site's description."
            )
        if self.central_nat and vips:
            raise PlanError(
                "With central NAT policies see the address behind a virtual IP and do not name "
                f"'{min(vips)}'. Nothing was changed. Name the server's own address in addresses, "
                "and no vips."
            )

    def findings(self, time: datetime.datetime, *, changes: bool) -> t.Iterator[Finding]:
        """What the user should know; `changes`: whether something is to be written."""
        if SETTINGS in self.unread:
            yield Finding("mode_unread", STOP, self.unread[SETTINGS].sentence([SETTINGS]))
        if changes:
            yield from self._about_saving()
        if changes and self._is(GLOBAL, "cfg-save", "revert"):
            told = str(self.rows[GLOBAL].get("cfg-revert-timeout"))
            seconds = (
                int(told)
                if told.isascii() and told.isdecimal() and len(told) < 10
                else _REVERT_SECONDS
            )
            until = time + datetime.timedelta(seconds=seconds)
            yield Finding(
                "will_be_undone",
                STOP,
                f"The device takes unsaved changes back after {seconds} seconds (cfg-save revert, "
                f"the save mode Workspace): what is changed now will be undone at {until:%H:%M:%S} "
                "UTC, with a reboot. Set cfg-save to automatic, or save on the device in time "
                "(execute cfg save).",
            )
        if changes and self._is(GLOBAL, "cfg-save", "manual"):
            yield Finding(
                "saved_by_hand",
                WARN,
                "The device saves changes on demand alone (cfg-save manual, the save mode "
                "Workspace): a reboot undoes them. Save on the device (execute cfg save).",
            )
        if (
            changes
            and self._is(MANAGEMENT, "type", "fortimanager")
            and not self._is(MANAGEMENT, "mode", "backup")
        ):
            manager = str(self.rows[MANAGEMENT].get("fmg") or "").strip('" ')
            yield Finding(
                "managed_elsewhere",
                WARN,
                f"The device is managed by FortiManager{f' {manager}' if manager else ''}: its "
                "next install replaces what is changed here. "
                "Import the policies there after the run.",
            )

    def _about_saving(self) -> t.Iterator[Finding]:
        """What is not known of what becomes of a change: one sentence for each cause."""
        causes = dict.fromkeys(cause for table, cause in self.unread.items() if table != SETTINGS)
        for cause in causes:
            tables = [
                table for table, its in self.unread.items() if its == cause and table != SETTINGS
            ]
            yield Finding("saving_unread", WARN, cause.sentence(tables))
        saves = self.rows.get(GLOBAL, {}).get("cfg-save")
        if GLOBAL in self.rows and saves not in _SAVES:
            mode = (
                f"in the mode {str(saves)[:40]!r} (cfg-save), which is not known here"
                if saves
                else "in a mode that it does not tell (cfg-save)"
            )
            yield Finding(
                "saving_unread",
                WARN,
                f"The device saves changes {mode}, so that it is not known {_UNREAD[GLOBAL]}. "
                "Look at the device whether they are still there after a while, and save them "
                "there (execute cfg save).",
            )

    def facts(self) -> dict[str, t.Any]:
        """For the result; what was not read is left out."""
        facts: dict[str, t.Any] = {}
        if SETTINGS in self.rows:
            facts["central_nat"] = self.central_nat
        for table, field, name in (
            (GLOBAL, "cfg-save", "saves"),
            (MANAGEMENT, "type", "managed_by"),
            (CLUSTER, "mode", "cluster"),
        ):
            if table in self.rows:
                facts[name] = str(self.rows[table].get(field) or "")
        return facts


def without_match_vip(wishes: t.Iterable[Desired[Key]]) -> list[Desired[Key]]:
    """What there shall be, without a field that says how virtual IPs are matched: with central NAT
    no policy meets one (that the field is not there then is unverified).
    """
    return [
        wish
        if wish.options is None
        else dataclasses.replace(
            wish,
            options={field: value for field, value in wish.options.items() if field != "match-vip"},
        )
        for wish in wishes
    ]


def read(client: FortiOS, tables: t.Iterable[str]) -> Modes:
    """Read them with one request each. Raises FortiOSError."""
    rows: dict[str, Row] = {}
    unread: dict[str, Cause] = {}
    for table in tables:
        try:
            rows[table] = client.single(table)
        except DeviceError as error:
            cause = cause_of(error)
            if cause is None:
                raise
            unread[table] = cause
    return Modes(rows, unread)
