# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step promises read by brute force: address by address, connector by connector, and nothing
shared with the code under test.

Slow and plain on purpose. Addresses are asked at every border of every range of every state and
beside it, which is everywhere an answer can change.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import Change
    from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State

Where = tuple[int, int, int]  # version, local address, port
Rights = frozenset[str]
Connector = t.Mapping[str, t.Any]

_LAST = {4: 2**32 - 1, 6: 2**128 - 1}
_DOMAINS = ("a.example", "sub.a.example", "y.a.example", "b.example", "c.com", "com", "x.test")


def rights(state: State, version: int, sender: int, local: int, port: int) -> Rights:
    """What a sender may do that comes to a local address."""
    enabled = [connector for connector in state.receive.values() if connector["enabled"]]

    def bound(address: int) -> list[t.Any]:
        return [
            connector
            for connector in enabled
            if any(
                (b.version, b.address, b.port) == (version, address, port)
                for b in connector["bindings"]
            )
        ]

    candidates = bound(local) or bound(0)
    best: t.Any = None
    for connector in candidates:
        for entry in connector["remote_ip_ranges"].entries:
            if entry.version == version and entry.first <= sender <= entry.last:
                size = entry.last - entry.first
                if best is None or size < best[0]:
                    best = (size, connector)
    if best is None:
        return frozenset()
    connector = best[1]
    held = set(connector["permission_groups"])
    if "ExternalAuthoritative" in connector["auth_mechanism"]:
        held |= {"AnonymousUsers", "relay", "external"}
    elif connector["anonymous_relay"] and "AnonymousUsers" in held:
        held.add("relay")
    return frozenset(
        held if connector.get("require_tls") else held | {f"{right} in clear" for right in held}
    )


def places(states: t.Sequence[State]) -> tuple[set[tuple[int, int]], set[Where]]:
    """The senders and the local endpoints to ask for."""
    senders: set[tuple[int, int]] = {(4, 0), (6, 0)}
    locals_: set[Where] = set()
    for state in states:
        for connector in state.receive.values():
            for entry in connector["remote_ip_ranges"].entries:
                for value in (entry.first - 1, entry.first, entry.last, entry.last + 1):
                    if 0 <= value <= _LAST[entry.version]:
                        senders.add((entry.version, value))
            # 1 stands for a local address that no connector names.
            locals_ |= {(b.version, b.address or 1, b.port) for b in connector["bindings"]}
            locals_ |= {(b.version, 1, b.port) for b in connector["bindings"]}
    return senders, locals_


def clashes(state: State) -> set[frozenset[str]]:
    """Pairs of connectors that Exchange would not have side by side."""
    pairs = set()
    for connector, other in itertools.combinations(state.receive.values(), 2):
        if not connector["bindings"] & other["bindings"]:
            continue
        bad = connector.get("transport_role") != other.get("transport_role")
        for a, b in itertools.product(
            connector["remote_ip_ranges"].entries, other["remote_ip_ranges"].entries
        ):
            if a.version != b.version or a.last < b.first or b.last < a.first:
                continue
            inside = (a.first >= b.first and a.last <= b.last) or (
                b.first >= a.first and b.last <= a.last
            )
            bad = bad or a == b or not inside
        if bad:
            pairs.add(frozenset((connector["name"], other["name"])))
    return pairs


def carrier(state: State, domain: str) -> t.Any:
    """Where the send connector for a domain takes mail."""
    best: t.Any = None
    for connector in state.send.values():
        for space in connector["address_spaces"]:
            base = space.space[2:] if space.space.startswith("*.") else None
            if space.space == domain:
                labels = 100.0
            elif base is not None and (domain == base or domain.endswith("." + base)):
                labels = base.count(".") + 1.0
            elif space.space == "*":
                labels = 0.0
            else:
                continue
            rank = (-labels, space.cost, connector["name"].lower())
            if connector["enabled"] and (best is None or rank < best[0]):
                best = (
                    rank,
                    connector["name"],
                    connector["smart_hosts"],
                    connector.get("port", 25),
                )
    return best and best[2:]


def carried_out(step: Change, state: State) -> State:
    """What the server would hold after one step, by what its cmdlets do."""
    if step.table == "receive_connector":
        return dataclasses.replace(state, receive=_edited(state.receive, step))
    assert step.table == "send_connector", step.table
    return dataclasses.replace(state, send=_edited(state.send, step))


def _edited(connectors: t.Mapping[str, Connector], step: Change) -> dict[str, Connector]:
    held, name = dict(connectors), step.key.casefold()
    if step.action == "create":
        assert name not in held, f"{step.key} is there already"
        # Enabled is on where nobody says otherwise; the usage is an argument of New- alone
        # (New-ReceiveConnector.md).
        said = {option: value for option, value in step.after.items() if option != "usage"}
        held[name] = {"enabled": True, **said}
    elif step.action == "modify":
        held[name] = {**held[name], **step.after}
    else:
        assert step.action == "remove", step.action
        del held[name]
    return held


def broken(start: State, steps: t.Sequence[Change], goal: State) -> str | None:
    """The first promise that the steps from `start` to `goal` break, or None."""
    states = [start]
    for step in steps:
        states.append(carried_out(step, states[-1]))
    if states[-1].receive != goal.receive or states[-1].send != goal.send:
        return "the steps do not lead to the goal"
    senders, locals_ = places([*states, goal])
    old = clashes(start)
    for number, state in enumerate(states[1:], 1):
        if clashes(state) - old:
            return f"step {number} leads to a conflict: {clashes(state) - old}"
        for domain in _DOMAINS:
            if carrier(state, domain) not in (carrier(start, domain), carrier(goal, domain)):
                return f"step {number} sends mail to {domain} by {carrier(state, domain)}"
        for (version, sender), (family, local, port) in itertools.product(senders, locals_):
            if version == family:
                before, after = (
                    rights(start, version, sender, local, port),
                    rights(goal, version, sender, local, port),
                )
                now = rights(state, version, sender, local, port)
                if not before & after <= now <= before | after:
                    return (
                        f"step {number}: {version}/{sender} at {local}:{port} holds {sorted(now)}"
                    )
    return None
