# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a port: which entries there shall be, so that only the wanted sources reach the
targets.

One more accept policy beside a wide one changes nothing. So every accept policy that lets somebody
else through is dealt with:

* one for the target and the port alone gets other sources, in place;
* one that also serves something else (webmail, another server) stays as it is, and gets a fence
  right before it: an accept policy for the wanted sources, and a deny that names the virtual IP,
  because a deny to `all` may not stop what a virtual IP has translated.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import fences
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import (
    groups as made_groups,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import (
    ALL,
    DYNAMIC_SOURCES,
    SERVICE_FIELDS,
    Opaque,
    Sources,
    exactly,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import (
    Key,
    Row,
    Version,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.inbound_options import (
    InboundOptions,
    refuse_unread_ipv6,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import (
    Admission,
    Model,
    Target,
    is_deny,
    model_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import apply_all, plan
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    ADDRESS,
    ADDRESS6,
    GROUP,
    GROUP6,
    POLICY,
    VIP,
    VIP_GROUP,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

INTERNET_SERVICE_NAMES_SINCE: Version = (6, 4, 0)


class InboundRecipe:
    """The lock of one state of a device."""

    def __init__(self, state: DeviceState, wanted: InboundOptions) -> None:
        self.state, self.wanted = state, wanted
        self._model = model_of(state)
        self._check_device()
        self._service, self._for_service = fences.service(
            state, f"{wanted.name}-tcp-{wanted.port}", wanted.port
        )
        self._sources = {version: self._names_of(version) for version in (4, 6)}
        self._base = list(self._groups())
        # With the groups as they shall be, so that the sources of a policy can be judged.
        self._prepared = apply_all(plan(state, self._base), state)
        self._allowed = {version: self._allowed_of(version) for version in wanted.versions}

    def wishes(self) -> list[Desired[Key]]:
        """What there shall be."""
        narrowed, fenced = self._of_earlier_run()
        offered: set[Key] = set()
        while True:
            made = self._build(narrowed, fenced)
            model = model_of(
                apply_all(plan(self._prepared, made), self._prepared), self.wanted.interfaces
            )
            leaks = self._leaks(model, narrowed | fenced)
            if leaks:
                dedicated = {key for key in leaks if self._is_dedicated(key)}
                narrowed, fenced = narrowed | dedicated, fenced | (leaks - dedicated)
                continue
            # Those who are wanted and do not get through are let in by a policy that is for the
            # target alone, where there is one.
            entrance = self._entrance(narrowed | offered) if self.lacking(model) else None
            if entrance is None:
                break
            offered.add(entrance)
            narrowed.add(entrance)
        return [*self._base, *made]

    def _leaks(self, model: Model, known: t.Collection[Key]) -> set[Key]:
        """The policies of the device that let others through, each of them judged as if those
        before it were locked already.

        So the lock is built twice, once to find them and once to see that these were all, however
        many there are.
        """
        leaking: set[Key] = set()
        for target in self.wanted.targets:
            allowed = self._allowed[target.version]
            for concerned, folds in model.walk(target):
                foreign = concerned.key in self.state.table(POLICY) and concerned.key not in known
                if foreign and (
                    concerned.key in leaking
                    or model.lets_in(concerned, folds, target).beyond(allowed)
                ):
                    leaking.add(concerned.key)
                    # A fence decides about everybody; one that is narrowed lets only those in who
                    # may, and leaves the others to those behind it.
                    for fold in folds if not self._is_dedicated(concerned.key) else ():
                        fold.shut()
                else:
                    model.go_past(concerned, folds, target)
        return leaking

    # ------------------------------------------------------------ judging

    def allowed(self, version: int) -> Sources:
        """Who may get through."""
        return self._allowed[version]

    def beyond(self, model: Model) -> list[tuple[Target, Admission]]:
        """The accept policies that let others through, with those others."""
        openings = []
        for target in self.wanted.targets:
            for admission in model.admissions(target):
                others = admission.sources.beyond(self._allowed[target.version])
                if others:
                    openings.append((target, Admission(admission.policy, others)))
        return openings

    def lacking(self, model: Model) -> list[tuple[Target, Sources]]:
        """Who is wanted and does not get through."""
        shut_out = []
        for target in self.wanted.targets:
            allowed, reached = self._allowed[target.version], model.reached(target)
            # Only who certainly does not get through: that it is not known for sure does not lose
            # mail.
            missing = Sources(allowed.known - reached.known, allowed.opaque - reached.opaque)
            if missing:
                shut_out.append((target, missing))
        return shut_out

    def _entrance(self, known: t.Collection[Key]) -> Key | None:
        leading = {
            concerned.key
            for target in self.wanted.targets
            for concerned in self._model.concerned(target)
        }
        for key, row in self.state.table(POLICY).items():
            usable = row.get("action") == "accept" and key in leading and key not in known
            if usable and self._comes_in(row) and self._is_dedicated(key):
                return key
        return None

    def _comes_in(self, row: Row) -> bool:
        return not self.wanted.interfaces or bool(
            set(map(str, row.get("srcintf") or ())) & {*self.wanted.interfaces, "any"}
        )

    # ------------------------------------------------------------ sources

    def _check_device(self) -> None:
        version, wanted = self.state.version, self.wanted
        shown = ".".join(map(str, version))
        for vip in wanted.vips:
            if vip not in self.state.table(VIP):
                known = ", ".join(sorted(map(str, self.state.table(VIP)))) or "none"
                raise PlanError(
                    f"There is no virtual IP '{vip}' on the device. Nothing was changed. It has: "
                    f"{known}."
                )
            if not self._model.serves(vip, wanted.port):
                raise PlanError(
                    f"The virtual IP '{vip}' does not lead to port {wanted.port} of its server. "
                    "Nothing was changed. Name the virtual IP that does, or the port of the server."
                )
        self._refuse_translated()
        refuse_unread_ipv6(version, wanted.versions)
        if wanted.internet_services and version < INTERNET_SERVICE_NAMES_SINCE:
            raise PlanError(
                f"FortiOS {shown} does not take internet services by name; 6.4 does. Nothing was "
                "changed. Name ranges instead."
            )

    def _refuse_translated(self) -> None:
        """Refuse an address that a policy reaches by a virtual IP which is not locked with it.

        By version and match-vip, a deny to the address does not hold for what a virtual IP has
        translated, or stops the mail with it.
        """
        model = self._model
        for target in self.wanted.targets:
            if target.address is None:
                continue
            for key, row in self.state.table(POLICY).items():
                if is_deny(row) or row.get("status", "enable") != "enable":
                    continue
                vips = [
                    vip for vip in model.translating(row, target) if vip not in self.wanted.vips
                ]
                if vips and model.services.matches(row, target.port):
                    remedy = (
                        "Name it in vips; the address can stay, for policies without a virtual IP."
                        if target.version == 4
                        else (
                            "It may be a virtual IP for IPv6, which this collection cannot lock; "
                            "lock it by hand and leave the address out."
                        )
                    )
                    raise PlanError(
                        f"Policy {key} leads to {target} by '{vips[0]}', and a lock of the address "
                        "does not hold for what a virtual IP has translated. Nothing was changed. "
                        f"{remedy}"
                    )

    def _groups(self) -> t.Iterator[Desired[Key]]:
        wanted = self.wanted
        for name, ranges in ((self._provider, wanted.ranges), (self._own, wanted.own_networks)):
            yield from made_groups.wishes(
                self.state, name, wanted.of_targets(ranges) or None, size=wanted.group_size
            )

    @property
    def _provider(self) -> str:
        return f"{self.wanted.name}-provider"

    @property
    def _own(self) -> str:
        return f"{self.wanted.name}-own"

    @property
    def _server(self) -> str:
        return fences.server(self.wanted.name)

    def _names_of(self, version: int) -> list[str]:
        """The names of the wanted sources, as a policy takes them."""
        wanted = self.wanted
        names = [
            made
            for name, ranges in ((self._provider, wanted.ranges), (self._own, wanted.own_networks))
            for family, made in made_groups.group_names(name, wanted.of_targets(ranges)).items()
            if family == version
        ]
        tables = (ADDRESS, GROUP) if version == 4 else (ADDRESS6, GROUP6)
        others = (ADDRESS6, GROUP6) if version == 4 else (ADDRESS, GROUP)
        for name in wanted.groups:
            here = any(name in self.state.table(path) for path in tables)
            # One that is nowhere yet may be made by an earlier task of a run in check mode.
            if here or not any(name in self.state.table(path) for path in others):
                names.append(name)
        return [*names, *wanted.feeds]

    def _allowed_of(self, version: int) -> Sources:
        allowed = model_of(self._prepared).names.all_named(self._sources[version], version)
        if version == 4:
            allowed |= exactly(
                opaque=[Opaque("internet service", name) for name in self.wanted.internet_services]
            )
        return allowed

    # ------------------------------------------------------------ policies

    def _of_earlier_run(self) -> tuple[set[Key], set[Key]]:
        """The policies that an earlier run has narrowed and fenced."""
        parts = fences.kinds_of_fences(self.state, self.wanted.name, fences.INBOUND)
        narrowed: set[Key] = {key for key, kinds in parts.items() if kinds == {fences.SERVICES}}
        return narrowed, set(parts) - narrowed

    def _hit(self, row: Row) -> list[Target]:
        """The targets that a policy is for, or may be for."""
        model = self._model
        return [
            target
            for target in self.wanted.targets
            if min(model.destination(row, target), model.services.matches(row, target.port))
        ]

    def _is_dedicated(self, key: Key) -> bool:
        """Whether a policy is for the targets and the port, and for nothing else, so that its
        sources can be changed.
        """
        row, model = self.state.table(POLICY)[key], self._model
        if row.get("action") != "accept":
            return False  # A policy of a tunnel has the tunnel's own sources.
        versions = {target.version for target in self._hit(row)}
        vips = set(self.wanted.vips)
        names = {str(name) for name in row.get("dstaddr") or ()}
        inside = {
            str(member)
            for name in names
            for member in self.state.table(VIP_GROUP).get(name, {}).get("member") or [name]
        }
        # A virtual IP that forwards this port alone serves nothing else, whatever the service says;
        # over IPv6 there is no such thing.
        forwarded = (
            versions == {4}
            and inside <= vips
            and all(model.only(vip, self.wanted.port) for vip in inside)
        )
        if not (forwarded or model.services.only(row, self.wanted.port)):
            return False
        return all(self._is_for_targets(row, version, inside) for version in versions)

    def _is_for_targets(self, row: Row, version: int, inside: t.Collection[str]) -> bool:
        four = version == 4
        if row.get("dstaddr-negate" if four else "dstaddr6-negate") == "enable":
            return False
        wanted = RangeSet(
            interval for interval in self.wanted.addresses if interval.version == version
        )
        names = inside if four else [str(name) for name in row.get("dstaddr6") or ()]
        for name in names:
            if name in self.wanted.vips:
                continue
            held = self._model.names.named(name, version)
            if (
                name in self.state.table(VIP)
                or held.opaque
                or not held.known
                or not held.known <= wanted
            ):
                return False
        return True

    def _build(self, narrowed: t.Collection[Key], fenced: t.Collection[Key]) -> list[Desired[Key]]:
        desired: list[Desired[Key]] = []
        for key, row in self.state.table(POLICY).items():
            if key in fenced:
                desired.extend(self._fence(key, row))
            elif key in narrowed:
                desired.extend(self._narrow(key, row))
        if fenced:
            desired[:0] = self._for_fences()
        return desired

    def _narrow(self, key: Key, row: Row) -> t.Iterator[Desired[Key]]:
        versions = {target.version for target in self._hit(row)}
        fields: Row = {}
        services = list(self.wanted.internet_services)
        if 4 in versions:
            names = self._sources[4]
            if names:
                fields.update(
                    {"srcaddr": names, **_without_services(row), **_off(row, "srcaddr-negate")}
                )
            elif services:
                fields.update({**_without_services(row), **_by_services(services)})
            else:
                fields.update({"srcaddr": [], "dstaddr": []})
            if names and services:
                extra = {
                    **fences.taken_over(row),
                    **self._where(row, {4}),
                    **_by_services(services),
                }
                yield self._made(key, fences.SERVICES, extra)
        if 6 in versions:
            names = self._sources[6]
            fields.update(
                {"srcaddr6": names, **_off(row, "srcaddr6-negate")}
                if names
                else {"srcaddr6": [], "dstaddr6": []}
            )
        if not any({**row, **fields}.get(field) for field in ("dstaddr", "dstaddr6")):
            # Nobody is left who could use it.
            fields = {"status": "disable"}
        yield Desired(POLICY, key, fields)

    def _fence(self, key: Key, row: Row) -> t.Iterator[Desired[Key]]:
        versions = {target.version for target in self._hit(row)}
        names = {version: self._sources[version] for version in versions if self._sources[version]}
        services = list(self.wanted.internet_services) if 4 in versions else []
        shared = fences.taken_over(row)
        if names:
            sources = {
                "srcaddr" if version == 4 else "srcaddr6": of_version
                for version, of_version in names.items()
            }
            yield self._made(
                key, fences.ENTRANCE, {**shared, **self._where(row, set(names)), **sources}
            )
        if services:
            yield self._made(
                key, fences.SERVICES, {**shared, **self._where(row, {4}), **_by_services(services)}
            )
        everybody = {"srcaddr" if version == 4 else "srcaddr6": [ALL] for version in versions}
        barrier = {name: shared[name] for name in ("srcintf", "dstintf")}
        # One that names no virtual IP must not stop what comes by those that have their own.
        past = self.wanted.vips and not any(target.vip for target in self._hit(row))
        yield self._made(
            key,
            fences.STOP,
            {
                **barrier,
                **self._where(row, versions),
                **everybody,
                "action": "deny",
                "match-vip": "disable" if past else "enable",
                "logtraffic": "all",
            },
        )

    def _made(self, key: Key, kind: str, fields: Row) -> Desired[Key]:
        return fences.fence(self.wanted.name, key, kind, fields)

    def _where(self, row: Row, versions: t.Collection[int]) -> Row:
        """Destination and service of a fence."""
        fields: Row = {"service": [self._service]}
        hit = self._hit(row)
        four = [target.vip for target in hit if target.vip]
        if any(target.version == 4 and not target.vip for target in hit):
            # A barrier to the server's address may stop what any virtual IP has translated to it.
            four = [*(self.wanted.vips if four else ()), self._server]
        if 4 in versions and four:
            fields["dstaddr"] = four
        if 6 in versions:
            fields["dstaddr6"] = [f"{self._server}{made_groups.V6.suffix}"]
        return fields

    def _for_fences(self) -> list[Desired[Key]]:
        """The service and the addresses that fences name."""
        desired = list(self._for_service)
        if self.wanted.addresses:
            desired.extend(
                made_groups.wishes(self.state, self._server, RangeSet(self.wanted.addresses))
            )
        return desired


def _off(row: Row, field: str) -> Row:
    return {field: "disable"} if row.get(field) == "enable" else {}


def _without_services(row: Row) -> Row:
    """What a policy has of internet services as sources, taken away by name: the device would empty
    the lists by itself, and a rollback would not know them.
    """
    field = "internet-service-src"
    lists: Row = {f"{field}-{end}": [] for end in SERVICE_FIELDS if row.get(f"{field}-{end}")}
    dynamic: Row = {DYNAMIC_SOURCES: []} if row.get(DYNAMIC_SOURCES) else {}
    return {**_off(row, field), **lists, **dynamic, **_off(row, f"{field}-negate")}


def _by_services(names: t.Sequence[str]) -> Row:
    return {
        "internet-service-src": "enable",
        "internet-service-src-name": list(names),
        "srcaddr": [],
    }
