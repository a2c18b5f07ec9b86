# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes and exposure in plain words: what changes for a sender, not only which list changed."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import doors
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    Answer,
    is_loopback,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    exposure as folded,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    CREDENTIAL,
    Change,
    SiteNetworks,
    table,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.remember import (
    remembered,
    same,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    EVERYTHING_V4,
    EVERYTHING_V6,
    LOOPBACK,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.diff import field_lines
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action

_LONGEST_LIST = 6
_ITSELF = "the server itself"
_INTERNET = ("any internet address", "any IPv6 internet address")
# Of all loopback addresses, those that a program uses that does not choose one.
_SPEAKING = RangeSet.parse(["127.0.0.1", "::1"])
_SECTIONS = {RECEIVE.name: "receive_connectors", SEND.name: "send_connectors"}


def listed(items: t.Iterable[str]) -> str:
    """Items as an enumeration, cut where it is long: `a, b and c`, `a, b, c and 12 more`."""
    texts = list(items)
    if not texts:
        return "none"
    if len(texts) > _LONGEST_LIST:
        texts = [*texts[: _LONGEST_LIST - 1], f"{len(texts) - _LONGEST_LIST + 1} more"]
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))


def ranges(addresses: RangeSet) -> str:
    """Ranges for a sentence."""
    return listed(addresses.to_texts())


def _shown(resource: str, option: str, value: t.Any) -> t.Any:
    """A value as input data, and None for what is not known. Kinds never show a password."""
    prop = table(resource).properties.get(option)
    return value if prop is None or value is None else prop.kind.show(value)


def show(resource: str, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Canonical options as plain data for YAML, sorted by option."""
    return {option: _shown(resource, option, value) for option, value in sorted(options.items())}


def _value(resource: str, option: str, value: t.Any) -> str:
    shown = _shown(resource, option, value)
    if isinstance(shown, bool):
        return "true" if shown else "false"
    if isinstance(shown, list):
        return listed(str(item) for item in shown)
    return "unset" if shown in (None, "") else str(shown)


def _difference(resource: str, option: str, before: t.Any, after: t.Any) -> str:
    """One option's change: what a list gains and loses, both values of anything else."""
    if option == CREDENTIAL:
        return "the login is written"
    old, new = _shown(resource, option, before), _shown(resource, option, after)
    if isinstance(new, list) and isinstance(old, list) and old and new:
        gained, gone = (
            [str(value) for value in new if value not in old],
            [str(value) for value in old if value not in new],
        )
        parts = [
            f"{verb} {listed(items)}"
            for verb, items in (("gains", gained), ("loses", gone))
            if items
        ]
        return f"{option} {' and '.join(parts)}"
    return f"{option} {_value(resource, option, before)} → {_value(resource, option, after)}"


def change_sentence(change: Change) -> str:
    """One change as one sentence for the operator; never with a secret."""
    resource, name, before, after = change.table, change.key, change.before, change.after
    noun = table(resource).noun
    if change.action == Action.REMOVE:
        return f"Remove the {noun} '{name}'."
    if change.action == Action.CREATE:
        state = "" if after.get("enabled", True) else ", disabled"
        if resource == RECEIVE.name:
            heard, where = after.get("remote_ip_ranges"), after.get("bindings") or ()
            target = (
                f"{ranges(heard) if heard else 'no address'} on "
                f"{listed(str(endpoint) for endpoint in sorted(where))}"
            )
        else:
            spaces = _value(resource, "address_spaces", after.get("address_spaces") or frozenset())
            hosts = after.get("smart_hosts")
            target = f"{spaces} through {listed(sorted(hosts)) if hosts else 'DNS'}"
        return f"Create the {noun} '{name}' for {target}{state}."
    if set(after) == {"enabled"}:
        return (
            f"{'Enable' if after['enabled'] else 'Disable'} the {noun} "
            f"'{name}'{'' if after['enabled'] else ' and keep it'}."
        )
    details = [
        _difference(resource, option, before.get(option), value)
        for option, value in sorted(after.items())
    ]
    return f"Change the {noun} '{name}': {'; '.join(details)}."


def plan_words(changes: t.Iterable[Change]) -> list[str]:
    """The plan, one sentence a change."""
    return [change_sentence(change) for change in changes]


def before_after(
    before: State, after: State, changes: t.Iterable[Change]
) -> dict[str, dict[str, t.Any]]:
    """The options that the changes are about, as they are in both states.

    {"before": tree, "after": tree}; a tree is section → connector → option → plain value, and lacks
    a connector that is not there.
    """
    touched: dict[tuple[str, str], set[str]] = {}
    for change in changes:
        touched.setdefault((change.table, change.key), set()).update(change.before, change.after)
    trees: dict[str, dict[str, t.Any]] = {"before": {}, "after": {}}
    for (resource, name), options in touched.items():
        for moment, state in (("before", before), ("after", after)):
            group = state.receive if resource == RECEIVE.name else state.send
            connector = group.get(name.casefold())
            if connector is not None:
                # What a read knows of a connector beside its options, such as the rights behind
                # them, is no plain data and nothing to describe.
                known = {
                    option: value
                    for option, value in connector.items()
                    if option in options and option in table(resource).properties
                }
                trees[moment].setdefault(_SECTIONS[resource], {})[connector["name"]] = show(
                    resource, known
                )
    return trees


def diff_lines(exposure: t.Mapping[str, t.Any], sections: t.Mapping[str, t.Any]) -> list[str]:
    """One side of a diff: what each group of senders meets, then the options; of exposure_tree()
    and before_after().
    """
    lines: list[str] = []
    for group, answers in exposure.items():
        parts = answers.items() if isinstance(answers, dict) else [(answers, "")]
        for text, part in parts:
            where = "" if not part or part == "all others" else f", {listed(part)}"
            lines.append(f"{group}{where}: {text}")
    nouns = {_SECTIONS[name]: table(name).noun for name in (RECEIVE.name, SEND.name)}
    for section, connectors in sections.items():
        for name, options in connectors.items():
            lines += field_lines(f"{nouns[section]} '{name}'", options)
    return lines


def senders(networks: SiteNetworks) -> list[tuple[str, RangeSet]]:
    """The groups of senders that are told apart, nobody in two of them, each with its name for a
    sentence.
    """
    named = [
        ("the provider", networks.provider),
        ("other Exchange servers", networks.exchange_servers),
        ("own networks", networks.own_networks),
        ("Exchange Online", networks.hybrid),
    ]
    taken = RangeSet(())
    groups: list[tuple[str, RangeSet]] = []
    for name, group in named:
        if group - taken:
            groups.append((name, group - taken))
        taken = taken | group
    if networks.unnamed - taken:
        groups.append(("private addresses that nobody has named", networks.unnamed - taken))
    public = doors.public(taken | networks.itself)
    for name, family in zip(_INTERNET, (EVERYTHING_V4, EVERYTHING_V6)):
        groups.append((name, public & family))
    return groups


def _heard(port: int, *states: State) -> RangeSet:
    """The families that anybody can come by; of the others there is nothing to say, before or
    after.
    """
    heard = RangeSet(())
    for state in states:
        for endpoint in doors.view_of(state.receive.values(), port).endpoints:
            if not is_loopback(endpoint):
                heard = heard | (EVERYTHING_V4 if endpoint.version == 4 else EVERYTHING_V6)
    return heard or EVERYTHING


def _ports(*states: State) -> list[int]:
    """Port 25, and the others on which anybody may send without a login; on those it goes without
    saying that nobody may.
    """
    ports = set()
    sides = {same(state.receive.values()) for state in states}
    for port in doors.ports(connector for side in sides for connector in side):
        if any(doors.holding(side, doors.accepts_anonymous, port) for side in sides):
            ports.add(port)
    return [25, *sorted(ports - {25})]


def _on(name: str, port: int) -> str:
    return name if port == 25 else f"{name} on port {port}"


def _met_by_all(
    state: State, networks: SiteNetworks, heard: RangeSet, port: int
) -> dict[str, dict[str, RangeSet]]:
    """Group → what it meets on a port, in words → the part of it that meets that; the biggest part
    first.

    `heard` are the families that anybody can come by.
    """
    connectors = same(state.receive.values())
    answers_of = _met_by_groups(connectors, networks, heard, port)
    itself = [
        (answers[0], senders_ & _SPEAKING & heard if senders_ <= LOOPBACK else senders_ & heard)
        for senders_, answers in doors.answers_by_server((connectors,), networks.itself, port)
    ]
    named = {name: parts for name, parts in answers_of.items() if name not in _INTERNET}
    return {**named, _ITSELF: _in_words(itself), **{name: answers_of[name] for name in _INTERNET}}


@remembered
def _met_by_groups(
    connectors: t.Iterable[doors.Connector], networks: SiteNetworks, heard: RangeSet, port: int
) -> t.Mapping[str, dict[str, RangeSet]]:
    """The same for all but the server itself."""
    return {
        name: _in_words(doors.answers_of(connectors, group & heard, port).items())
        for name, group in senders(networks)
    }


def _in_words(answers: t.Iterable[tuple[Answer, RangeSet]]) -> dict[str, RangeSet]:
    texts: dict[str, RangeSet] = {}
    for answer, part in answers:
        if part:
            text = answer.words()
            texts[text] = texts.get(text, RangeSet(())) | part
    return dict(sorted(texts.items(), key=lambda item: (-item[1].size, item[0])))


def exposure_tree(state: State, networks: SiteNetworks) -> dict[str, t.Any]:
    """What each group of senders meets: group → words, or words → ranges where its parts meet
    different things.

    On port 25, and by `group on port 26` on any other port where somebody may send without a login.
    """
    tree: dict[str, t.Any] = {}
    for port in _ports(state):
        heard = _heard(port, state)
        for name, texts in _met_by_all(state, networks, heard, port).items():
            if len(texts) == 1:
                tree[_on(name, port)] = next(iter(texts))
            elif texts:
                first = next(iter(texts))
                tree[_on(name, port)] = {
                    text: ("all others" if text == first else part.to_texts()[:100])
                    for text, part in texts.items()
                }
    return tree


def exposure_words(before: State, after: State, networks: SiteNetworks) -> list[str]:
    """What each group of senders meets, one sentence a group and port, with an arrow where
    something changes.

    Where parts of a group meet different things, the biggest part speaks for the group and the
    others follow by their ranges. The ports are those of exposure_tree().
    """
    return [
        line
        for port in _ports(before, after)
        for line in _port_words(before, after, networks, port)
    ]


def _port_words(before: State, after: State, networks: SiteNetworks, port: int) -> list[str]:
    lines: list[str] = []
    heard = _heard(port, before, after)
    sides = [_met_by_all(state, networks, heard, port) for state in (before, after)]
    for group_name, before_parts in sides[0].items():
        name = _on(group_name, port)
        parts: dict[tuple[str, str], RangeSet] = {}
        after_parts = sides[1][group_name]
        for old, old_part in before_parts.items():
            for new, new_part in after_parts.items():
                shared = old_part & new_part
                if shared:
                    parts[old, new] = shared
        ranked = sorted(parts.items(), key=lambda item: (-item[1].size, item[0]))
        for position, ((old, new), part) in enumerate(ranked):
            text = old if old == new else f"{old} → {new}"
            lines.append(f"{name}: {text}" if position == 0 else f"{name}, {ranges(part)}: {text}")
    return _without_repeats(lines)


def exposure(before: State, after: State, networks: SiteNetworks) -> dict[str, t.Any]:
    """{"before": tree, "after": tree, "words": sentences} for results and diffs; see exposure_tree
    and exposure_words.
    """
    return {
        "before": exposure_tree(before, networks),
        "after": exposure_tree(after, networks),
        "words": exposure_words(before, after, networks),
    }


def _without_repeats(lines: list[str]) -> list[str]:
    """IPv6 is named only where it differs from IPv4: a stranger is a stranger."""
    internet = [line.split(": ", 1)[1] for line in lines if line.startswith("any internet address")]
    six = [line for line in lines if line.startswith("any IPv6 internet address")]
    if internet and [line.split(": ", 1)[1] for line in six] == internet == internet[:1]:
        return [line for line in lines if line not in six]
    return lines


def listeners(state: State) -> list[dict[str, t.Any]]:
    """For each local address and port, which senders meet which connector and what it means: plain
    data for the info module.
    """
    return [
        {
            "listener": str(exposed.listener),
            "senders": exposed.ranges.to_texts(),
            "connector": ", ".join(exposed.answer.names),
            "answer": exposed.answer.words(),
            "relay": exposed.answer.relay,
            "require_tls": exposed.answer.require_tls,
        }
        for port in sorted(doors.ports(state.receive.values()))
        for exposed in folded(state.receive.values(), port)
    ]
