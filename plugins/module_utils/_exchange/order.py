# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A safe order for a plan: no step shuts a door before the right one is open, and no step opens one
that stays shut.

What holds after every step:
* every sender, at every local address and port, holds at least what it holds both before and after
  the plan, and nothing that it holds in neither (with or without TLS, relay included);
* no two receive connectors conflict that did not conflict before the plan;
* every message goes the way that it goes before the plan or the one that it goes after: to the
  same hosts, with the same login and encryption.
A run that is cut anywhere therefore leaves a server that is no worse than one of its two ends for
anybody.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    doors,
    routing,
    words,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.conflicts import between
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    Change,
    SiteNetworks,
    apply,
    apply_all,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import (
    SEND,
    new_connector,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import (
    INVALID,
    State,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import Interval, RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    NoSafeOrder,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.order import (
    StepJudge,
    search,
)

# What decides who may enter. A change of anything else can stand anywhere in the order.
_DOOR_OPTIONS = frozenset(
    {
        "enabled",
        "bindings",
        "remote_ip_ranges",
        "permission_groups",
        "auth_mechanism",
        "anonymous_relay",
        "anonymous_rights",
        "require_tls",
        "transport_role",
    }
)


class _Doors:
    """The receive side, port by port, by folded exposure: the cost does not depend on how many
    addresses there are.
    """

    def __init__(self, start: State, goal: State, networks: SiteNetworks) -> None:
        self._start, self._goal, self._networks = start, goal, networks
        self._views: dict[int, tuple[doors.View, doors.View]] = {}

    def fault(self, state: State, last: Change) -> str | None:
        fault = self._conflict(state, last) or self._exposure(state, last)
        return _told(last, fault) if fault else None

    def _conflict(self, state: State, last: Change) -> str | None:
        changed = state.receive.get(last.key.casefold())
        if changed is None:
            return None
        for key, other in state.receive.items():
            if other is changed:
                continue
            conflict = between(changed, other)
            if conflict and not self._was_there(last.key.casefold(), key):
                return conflict.sentence()
        return None

    def _was_there(self, name: str, other: str) -> bool:
        old, new = self._start.receive.get(name), self._start.receive.get(other)
        return old is not None and new is not None and between(old, new) is not None

    def _exposure(self, state: State, last: Change) -> str | None:
        touched = (
            self._start.receive.get(last.key.casefold()),
            self._goal.receive.get(last.key.casefold()),
        )
        for port in sorted(doors.ports(row for row in (*touched, last.before, last.after) if row)):
            if port not in self._views:
                self._views[port] = (
                    doors.view_of(self._start.receive.values(), port),
                    doors.view_of(self._goal.receive.values(), port),
                )
            views = (*self._views[port], doors.view_of(state.receive.values(), port))
            short: list[Interval] = []
            over: list[Interval] = []
            for endpoint in doors.endpoints(views):
                for first, last_address, answers in doors.walk(views, endpoint):
                    before, after, now = (doors.rights(answer) for answer in answers)
                    if not before & after <= now:
                        short.append(Interval(endpoint.version, first, last_address))
                    if not now <= before | after:
                        over.append(Interval(endpoint.version, first, last_address))
            if short:
                return f"would for a time shut out {self._whom(RangeSet(short))} on port {port}."
            if over:
                return (
                    f"would for a time let in {self._whom(RangeSet(over))} on port {port}, to whom "
                    "the server is closed before and after."
                )
        return None

    def _whom(self, senders: RangeSet) -> str:
        """Senders by the name of their group where they have one."""
        for name, group in words.senders(self._networks):
            shared = senders & group
            if shared:
                return f"{name} ({words.ranges(shared)})"
        return words.ranges(senders)


class _Routes:
    """The send side, by one message of every class that the connectors could treat differently."""

    def __init__(self, start: State, goal: State, steps: t.Iterable[Change]) -> None:
        partial = [step.after for step in steps if step.table == SEND.name]
        asked = routing.messages([*start.send.values(), *goal.send.values(), *partial])
        ends = [(state, routing.Chooser(state.send.values())) for state in (start, goal)]
        allowed = [
            (message, tuple(self._carried(*end, message) for end in ends)) for message in asked
        ]
        # A message too big for every connector of today has no way to keep: whichever takes it
        # first may have it.
        self._allowed = [
            (message, ways) for message, ways in allowed if not (message.size and ways[0] is None)
        ]

    @staticmethod
    def _carried(state: State, chooser: routing.Chooser, message: routing.Message) -> t.Any:
        carriers = chooser.carriers(message)
        # Of two connectors that hand mail on alike, which one it is makes no difference to anybody.
        if not carriers:
            return None
        unsaid = new_connector(state.server.version, state.server.edge)
        return routing.way(state.send[carriers[0].casefold()], unsaid)

    def fault(self, state: State, last: Change) -> str | None:
        chooser = routing.Chooser(state.send.values())
        for message, ways in self._allowed:
            if self._carried(state, chooser, message) not in ways:
                return _told(
                    last,
                    f"would for a time send mail to {message.domain} another way than before or "
                    "after.",
                )
        return None


def order(changes: t.Sequence[Change], state: State, networks: SiteNetworks) -> tuple[Change, ...]:
    """The changes in a safe order, some of them split in two steps. Raises NoSafeOrder.

    New doors come first and closing ones last. A staged connector is created disabled and then
    enabled; the ranges of a connector are changed in two steps where no order of whole changes is
    legal.
    """
    ordered: list[Change] = []
    for resource in (RECEIVE.name, SEND.name):
        group = [change for change in changes if change.table == resource]
        neutral = sorted(
            (change for change in group if _is_neutral(change)), key=_first_to_fail(state)
        )
        ordered += [
            *neutral,
            *_search(
                [change for change in group if change not in neutral],
                apply_all(neutral, state),
                networks,
            ),
        ]
    return tuple(ordered)


def first_fault(steps: t.Sequence[Change], start: State, networks: SiteNetworks) -> str | None:
    """What these steps, taken in just this order, would break first; None when they are safe.
    order() gives none that is not.
    """
    goal = apply_all(steps, start)
    judges: dict[str, StepJudge[State, str]] = {
        RECEIVE.name: _Doors(start, goal, networks),
        SEND.name: _Routes(start, goal, steps),
    }
    state = start
    for step in steps:
        state = apply(step, state)
        fault = judges[step.table].fault(state, step)
        if fault:
            return fault
    return None


def _told(step: Change, fault: str) -> str:
    """A step and what is wrong with it, as one sentence or two."""
    sentence = words.change_sentence(step)
    return f"{sentence[:-1]} {fault}" if fault.startswith("would") else f"{sentence} {fault}"


def _is_neutral(change: Change) -> bool:
    if change.action != Action.MODIFY:
        return False
    return change.table == RECEIVE.name and not _DOOR_OPTIONS & set(change.after)


def _search(changes: list[Change], start: State, networks: SiteNetworks) -> list[Change]:
    if not changes:
        return []
    first_to_fail = _first_to_fail(start)
    changes = sorted(changes, key=lambda change: (first_to_fail(change), _rank(change)))
    goal = apply_all(changes, start)
    # In as few steps as may be, and only where that does not do with split ones.
    for most in (1, None):
        ways = [_ways(change)[:most] for change in changes]
        try:
            return search(ways, start, apply, _judge(start, goal, networks, ways))
        except NoSafeOrder as error:
            reasons = str(error)
    raise NoSafeOrder(
        "There is no order of these changes in which every step is allowed and safe. Nothing was "
        "changed. "
        f"{reasons} {_way_out(changes, start)}"
    )


def _way_out(changes: t.Sequence[Change], start: State) -> str:
    """What the operator can do where there is no safe order."""
    listening = {
        endpoint
        for held in start.receive.values()
        if held.get("enabled")
        for endpoint in held.get("bindings") or ()
    }
    for change in changes:
        fresh = (
            (change.after.get("bindings") or frozenset()) - listening
            if change.table == RECEIVE.name
            else ()
        )
        alone = [endpoint for endpoint in sorted(fresh) if not endpoint.is_wildcard]
        if alone:
            return (
                f"'{change.key}' would be the first connector on {words.listed(map(str, alone))}: "
                "whoever comes to that address is then heard by nobody else. Leave it out of the "
                "bindings, so that all addresses are listened on."
            )
    return "Make the changes in two runs, with a state in between that Exchange accepts."


def _judge(
    start: State,
    goal: State,
    networks: SiteNetworks,
    ways: t.Sequence[t.Sequence[t.Sequence[Change]]],
) -> StepJudge[State, str]:
    steps = [step for choices in ways for way in choices for step in way]
    if steps[0].table == RECEIVE.name:
        return _Doors(start, goal, networks)
    return _Routes(start, goal, steps)


def _first_to_fail(state: State) -> t.Callable[[Change], bool]:
    """For sorting: False for a change of what may refuse it, which comes as soon as it is safe.

    If it refuses, nothing was closed before it: no lock is left that is half made and looks whole.
    """

    def is_sound(change: Change) -> bool:
        return not state.connectors(change.table).get(change.key.casefold(), {}).get(INVALID)

    return is_sound


def _rank(change: Change) -> int:
    """Opening first, closing last."""
    if change.action == Action.CREATE:
        return 0
    if change.action == Action.REMOVE or change.after.get("enabled") is False:
        return 4
    if change.after.get("enabled") is True:
        return 1
    old, new = change.before.get("remote_ip_ranges"), change.after.get("remote_ip_ranges")
    if old is not None and new is not None:
        return 2 if old <= new else 3
    return (
        3
        if change.before.get("permission_groups", frozenset())
        - change.after.get("permission_groups", frozenset())
        else 2
    )


def is_staged(change: Change) -> bool:
    """Whether a connector is created disabled and then enabled.

    A right is granted, and a login is tried, only once the connector exists: until then nobody
    should meet it.
    """
    if change.action != Action.CREATE or change.after.get("enabled") is not True:
        return False
    return (
        change.table == SEND.name
        or change.after.get("anonymous_relay") is True
        or bool(change.after.get("anonymous_rights"))
    )


def _ways(change: Change) -> list[tuple[Change, ...]]:
    """The ways to make a change: in as few steps as may be, then in more.

    The right to relay is a call of its own on the server, so it is a step of its own here.
    """
    if change.action == Action.CREATE:
        closed = dataclasses.replace(change, after={**change.after, "enabled": False})
        staged = (closed, _part(change, {"enabled": (False, True)}))
        if is_staged(change):
            return [staged]
        if not change.after.get("anonymous_relay") or change.after.get("enabled") is False:
            return [(change,)]
        without = dataclasses.replace(change, after={**change.after, "anonymous_relay": False})
        return [(without, _part(change, {"anonymous_relay": (False, True)})), staged]
    pairs = (
        {option: (change.before[option], value) for option, value in change.after.items()}
        if change.action == Action.MODIFY
        else {}
    )
    relay = {option: pair for option, pair in pairs.items() if option == "anonymous_relay"}
    if relay and len(pairs) > 1:
        rest = {option: pair for option, pair in pairs.items() if option not in relay}
        return [
            (_part(change, relay), _part(change, rest)),
            (_part(change, rest), _part(change, relay)),
        ]
    ways: list[tuple[Change, ...]] = [(change,)]
    role = {option: pair for option, pair in pairs.items() if option == "transport_role"}
    if role and len(pairs) > 1:
        # Nothing of another role can be beside it: made after it has its new one, or removed
        # before.
        rest = {option: pair for option, pair in pairs.items() if option not in role}
        ways += [
            (_part(change, role), _part(change, rest)),
            (_part(change, rest), _part(change, role)),
        ]
    for middle in (_shrunk(pairs), _grown(pairs)):
        if middle and any(middle[option] != change.after[option] for option in middle):
            first = {option: (pairs[option][0], value) for option, value in middle.items()}
            rest = {option: (middle.get(option, old), new) for option, (old, new) in pairs.items()}
            ways.append(
                (
                    _part(change, first),
                    _part(
                        change,
                        {option: pair for option, pair in rest.items() if pair[0] != pair[1]},
                    ),
                )
            )
    return ways


def _part(change: Change, options: t.Mapping[str, tuple[t.Any, t.Any]]) -> Change:
    before = {option: pair[0] for option, pair in options.items()}
    return Change(
        change.table,
        Action.MODIFY,
        change.key,
        before,
        {option: pair[1] for option, pair in options.items()},
    )


_SPLIT = ("remote_ip_ranges", "bindings")


def _shrunk(pairs: t.Mapping[str, tuple[t.Any, t.Any]]) -> dict[str, t.Any]:
    """Ranges and bindings that are there before and after; nothing where they share none, as
    Exchange wants at least one.
    """
    shared = {
        option: (old, old & new)
        for option, (old, new) in pairs.items()
        if option in _SPLIT and old and new
    }
    return {option: both for option, (old, both) in shared.items() if both and both != old}


def _grown(pairs: t.Mapping[str, tuple[t.Any, t.Any]]) -> dict[str, t.Any]:
    """Ranges and bindings that are there before or after."""
    joined = {
        option: (old, old | new)
        for option, (old, new) in pairs.items()
        if option in _SPLIT and old and new
    }
    return {option: either for option, (old, either) in joined.items() if either != old}
