# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port 25 outwards only from the mail server, and only to the smart hosts: a fence before every
accept policy that lets others out.

Destinations of a policy are read like sources: addresses that the tables tell, and names of those
that they do not.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import (
    conditions,
    fences,
    groups,
    unread,
    virtual,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import (
    ALL,
    NOTHING,
    Opaque,
    Sources,
    everything,
    exactly,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Key, Row
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.interfaces import ANY
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import (
    Model,
    is_deny,
    model_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import apply_all, plan
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.sentences import words
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.services import Match
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    ADDRESS,
    ADDRESS6,
    ELSEWHERE,
    GROUP,
    GROUP6,
    POLICY,
    SERVICE,
    SERVICE_GROUP,
    VIP,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    NOT_INTERNET,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
)

TABLES = (POLICY, ADDRESS, GROUP, ADDRESS6, GROUP6, VIP, SERVICE, SERVICE_GROUP, *ELSEWHERE)
_HOST = re.compile(
    r"(?=.{1,253}\Z)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]"
)
_LONGEST_ADDRESS = 63


@dataclass(frozen=True)
class OutboundOptions:
    """What the lock is asked for. `interfaces` are those that lead to the internet."""

    name: str
    port: int
    interfaces: tuple[str, ...]
    mail_servers: RangeSet
    smart_hosts: RangeSet = NOTHING
    smart_host_names: tuple[str, ...] = ()


def check(wanted: OutboundOptions) -> None:
    """Refuse what cannot be meant, before anything is sent. Raises PlanError."""
    groups.check_name(wanted.name, longest=fences.LONGEST_NAME)
    problem = ""
    wrong = [host for host in wanted.smart_host_names if not _HOST.fullmatch(host)]
    if wrong:
        problem = f"'{wrong[0]}' is neither an address nor a full host name"
    elif not wanted.interfaces:
        problem = "no interfaces are named, so that nobody knows what is outwards"
    elif not wanted.mail_servers:
        problem = "no mail_servers are named; nobody could send any more"
    elif not (wanted.smart_hosts or wanted.smart_host_names):
        problem = "no smart_hosts are named; nobody could send any more"
    elif not 1 <= wanted.port <= 65535:
        problem = f"{wanted.port} is not a TCP port"
    elif any(
        len(_host_name(wanted.name, host)) > _LONGEST_ADDRESS for host in wanted.smart_host_names
    ):
        problem = (
            f"the address object of a smart host would have a name of more than {_LONGEST_ADDRESS} "
            "characters"
        )
    if problem:
        raise PlanError(f"{problem[0].upper()}{problem[1:]}. Nothing was sent to the device.")


def _host_name(name: str, host: str) -> str:
    return f"{name}-host-{host}"


class OutboundRecipe:
    """The outbound lock of one state of a device."""

    def __init__(self, state: DeviceState, wanted: OutboundOptions) -> None:
        self.state, self.wanted = state, wanted
        self._service, made = fences.service(
            state, f"{wanted.name}-tcp-{wanted.port}-out", wanted.port
        )
        self._base = [*made, *self._entries()]
        self._prepared = apply_all(plan(state, self._base), state)

    def wishes(self) -> list[Desired[Key]]:
        """What there shall be."""
        fenced = set(fences.kinds_of_fences(self.state, self.wanted.name, fences.OUTBOUND))
        while True:
            made = [
                desired
                for key, row in self.state.table(POLICY).items()
                if key in fenced
                for desired in self._fence(key, row)
            ]
            after = apply_all(plan(self._prepared, made), self._prepared)
            leaking = {
                key
                for key, _row in self.leaking(after, fenced=True)
                if key in self.state.table(POLICY)
            }
            if leaking <= fenced:
                return [*self._base, *made] if fenced else []
            fenced |= leaking

    def leaking(self, state: DeviceState, *, fenced: bool = False) -> list[tuple[Key, Row]]:
        """The accept policies by which others, or to others, port 25 goes out. `fenced`: each of
        them judged as if those before it had their fence already.
        """
        model = model_of(state)
        leaking: list[tuple[Key, Row]] = []
        barriers: list[tuple[int, Row]] = []
        for key, row in state.table(POLICY).items():
            if row.get("status", "enable") != "enable" or not self._goes_out(model, row):
                continue
            how = model.services.matches(row, self.wanted.port)
            if how is Match.NO:
                continue
            for version in (4, 6):
                if is_deny(row):
                    if how is Match.YES and self._is_wall(model, row, version):
                        barriers.append((version, row))
                elif self._leaks(model, row, version) and not any(
                    wall_version == version and _covers(wall, row, self.wanted.interfaces)
                    for wall_version, wall in barriers
                ):
                    leaking.append((key, row))
                    barriers += [
                        (wall_version, row)
                        for wall_version in (4, 6)
                        if fenced and _is_about(row, wall_version)
                    ]
                    break
        return leaking

    def speak(self, before: DeviceState, after: DeviceState) -> t.Iterator[Finding]:
        """The guards on the lock."""
        if not self._ways_out(before):
            yield Finding(
                "no_way_out",
                WARN,
                f"No policy lets port {self.wanted.port} out through "
                f"{', '.join(self.wanted.interfaces)}, so that there is nothing to lock.",
            )
        elif not self._sends(after):
            yield Finding(
                "mail_shut_in",
                STOP,
                f"{words(Sources(self.wanted.mail_servers))} would not get out to the smart hosts "
                "any more.",
            )
        for way in unread.ways_out(model_of(after), self.wanted.port, self.wanted.interfaces):
            yield Finding("unread_way", WARN, way)
        for key, row in self.leaking(after):
            yield Finding(
                "still_open",
                WARN,
                f"After the lock, others would still send through {_shown(key, row)}.",
            )

    def left_open(self, locked: DeviceState) -> list[str]:
        """By which policies others could send although everything is as the lock makes it, in
        sentences.
        """
        return [
            f"Others can send to port {self.wanted.port} through {_shown(key, row)}, which the "
            "lock does not shut."
            for key, row in self.leaking(locked)
        ]

    def exposure(self, state: DeviceState) -> list[str]:
        """Who sends to whom, in sentences for the operator."""
        model = model_of(state)
        sentences = [
            f"{words(model.names.sources(row, version))} → port {self.wanted.port} of "
            f"{words(model.names.destinations(row, version))}, by policy "
            f"{key}{f' {name!r}' if (name := row.get('name')) and name != key else ''}"
            for key, row in self.leaking(state)
            for version in (4, 6)
            if self._leaks(model, row, version)
        ]
        return sentences or [
            f"only {words(Sources(self.wanted.mail_servers))} → port {self.wanted.port} of the "
            "smart hosts"
            if self._sends(state)
            else f"nobody → port {self.wanted.port}"
        ]

    # ------------------------------------------------------------ judging

    def _ways_out(self, state: DeviceState) -> bool:
        model = model_of(state)
        return any(
            not is_deny(row)
            and row.get("status", "enable") == "enable"
            and self._goes_out(model, row)
            and model.services.matches(row, self.wanted.port)
            for row in state.table(POLICY).values()
        )

    def _sends(self, state: DeviceState) -> bool:
        """Whether the first policy that decides about the mail server lets it out; its own fences
        are such policies.
        """
        model = model_of(state)
        version = 4 if self.wanted.mail_servers.v4 else 6
        servers = self.wanted.mail_servers.v4 or self.wanted.mail_servers.v6
        for row in state.table(POLICY).values():
            if row.get("status", "enable") != "enable" or not self._goes_out(model, row):
                continue
            if not model.services.matches(row, self.wanted.port) or model.names.sources(
                row, version
            ).known.isdisjoint(servers):
                continue
            if not is_deny(row):
                return True
            if self._is_wall(model, row, version):
                return False
        return False

    def _goes_out(self, model: Model, row: Row) -> bool:
        leads = {ANY, *self.wanted.interfaces} & set(map(str, row.get("dstintf") or ()))
        return bool(leads) and not self._leads_inwards(model, row)

    def _leads_inwards(self, model: Model, row: Row) -> bool:
        """Whether a policy, for any interface perhaps, takes mail to the own servers alone.

        A lock of the way in makes, narrows and disables such policies. They must not count here:
        what is planned would depend on whether that lock is written already.
        """
        if any(
            row.get(field) == "enable"
            for suffix in ("", "6")
            for field in (f"dstaddr{suffix}-negate", f"internet-service{suffix}")
        ):
            return False
        names = [
            (str(name), version)
            for version, field in ((4, "dstaddr"), (6, "dstaddr6"))
            for name in row.get(field) or ()
        ]
        fence = fences.is_fence(row, self.wanted.name, fences.INBOUND)
        return bool(names) and all(
            self._is_inside(model, name, version, of_fence=fence) for name, version in names
        )

    def _is_inside(self, model: Model, name: str, version: int, *, of_fence: bool) -> bool:
        vip = model.state.table(VIP).get(name) if version == 4 else None
        family = groups.V4 if version == 4 else groups.V6
        if of_fence and (
            vip is not None or name == fences.server(self.wanted.name) + family.suffix
        ):
            return True
        if vip is not None:
            behind = virtual.servers(vip)
            own = NOT_INTERNET | self.wanted.mail_servers
            return bool(behind) and not virtual.untold(vip) and behind <= own
        held = model.names.named(name, version)
        return bool(held.known) and not held.opaque and held.known <= self.wanted.mail_servers

    def _is_wall(self, model: Model, row: Row, version: int) -> bool:
        everybody = everything(version)
        return (
            is_deny(row)
            and not conditions.of_policy(row)
            and everybody <= model.names.sources(row, version).certain
            and everybody <= model.names.destinations(row, version).certain
        )

    def _leaks(self, model: Model, row: Row, version: int) -> bool:
        """Whether a policy lets others out, or to others than the smart hosts."""
        sources, destinations = (
            model.names.sources(row, version),
            model.names.destinations(row, version),
        )
        if not sources or not destinations:
            return False
        hosts = [
            Opaque("FQDN", _host_name(self.wanted.name, host))
            for host in self.wanted.smart_host_names
        ]
        allowed = exactly(self.wanted.smart_hosts, hosts)
        return bool(
            sources.beyond(exactly(self.wanted.mail_servers)) or destinations.beyond(allowed)
        )

    # ------------------------------------------------------------ entries

    def _entries(self) -> list[Desired[Key]]:
        wanted = self.wanted
        desired = groups.wishes(self.state, f"{wanted.name}-mail", wanted.mail_servers)
        desired += groups.wishes(self.state, f"{wanted.name}-smart", wanted.smart_hosts or None)
        for host in wanted.smart_host_names:
            name = _host_name(wanted.name, host)
            groups.refuse_foreign(self.state, ADDRESS, name)
            desired.append(
                Desired(ADDRESS, name, {"type": "fqdn", "fqdn": host, "comment": groups.note(None)})
            )
        return desired

    def _fence(self, key: Key, row: Row) -> t.Iterator[Desired[Key]]:
        wanted = self.wanted
        shared = fences.taken_over(row)
        ways: Row = {
            "service": [self._service],
            "srcintf": shared["srcintf"],
            "dstintf": shared["dstintf"],
        }
        servers = groups.group_names(f"{wanted.name}-mail", wanted.mail_servers)
        hosts = groups.group_names(f"{wanted.name}-smart", wanted.smart_hosts)
        names = [_host_name(wanted.name, host) for host in wanted.smart_host_names]
        out: Row = {}
        wall: Row = {}
        for version, suffix in ((4, ""), (6, "6")):
            if not _is_about(row, version):
                continue
            wall.update({f"srcaddr{suffix}": [ALL], f"dstaddr{suffix}": [ALL]})
            to = [*([hosts[version]] if version in hosts else []), *(names if version == 4 else [])]
            if version in servers and to:
                out.update({f"srcaddr{suffix}": [servers[version]], f"dstaddr{suffix}": to})
        if out:
            yield fences.fence(wanted.name, key, fences.EXIT, {**shared, **ways, **out})
        # What a virtual IP has translated goes inwards: a wall for any interface must not stop
        # that, whatever the version's default.
        held = {"action": "deny", "match-vip": "disable", "logtraffic": "all"}
        yield fences.fence(wanted.name, key, fences.HELD, {**ways, **wall, **held})


def _shown(key: Key, row: Row) -> str:
    return (
        f"policy {key} '{row['name']}'"
        if row.get("name") and row["name"] != key
        else f"policy {key}"
    )


def _is_about(row: Row, version: int) -> bool:
    """Whether a policy takes traffic of a version of IP by addresses, so that a fence stands
    before it.
    """
    suffix = "" if version == 4 else "6"
    to = row.get(f"dstaddr{suffix}") or row.get("internet-service") == "enable"
    return bool(row.get(f"srcaddr{suffix}") and to)


def _covers(wall: Row, row: Row, interfaces: t.Collection[str]) -> bool:
    """Whether a deny stands before all that a policy lets out."""
    into, out = set(map(str, wall.get("srcintf") or ())), set(map(str, wall.get("dstintf") or ()))
    theirs = set(map(str, row.get("srcintf") or ()))
    leads = set(map(str, row.get("dstintf") or ()))
    needed = set(interfaces) if ANY in leads else leads & set(interfaces)
    return (ANY in into or theirs <= into) and (ANY in out or needed <= out)
