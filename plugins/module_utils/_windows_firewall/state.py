# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent read of a Windows Firewall, as values: rules, profiles, who is connected.

COM shows the local rules by their properties, the registry the same ones as texts and those of
group policy. Each is held against the other: COM has no id, and does not tell everything.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    RangeError,
    RangeSet,
    parse_address,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.texts import (
    ALL_PROFILES,
    ALLOW,
    BLOCK,
    PROFILES,
    Rule,
    read_text,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.values import (
    read_addresses,
    read_ports,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.xp_policy import (
    STANDARD,
    Old,
    read_old,
)

GROUP = "mailedge.lockdown"
"""The grouping of the rules that this collection makes."""

OURS = "mailedge: "
"""What their names begin with."""

LOCAL, POLICY = "local", "policy"

_ID = re.compile(r"\[([^\[\]]*)\]$")
_ALL_PROFILES_OF_COM = 0x7FFFFFFF
_EPHEMERAL_ANY = frozenset({"", "*"})

Row = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Held:
    """A rule with its place in this state.

    `key` is its name and, of a rule that is not ours, its id in brackets. `row` is what COM showed,
    None for one that COM does not show; the `number`-th of those that look the same.
    """

    key: str
    rule: Rule
    store: str = LOCAL
    row: Row | None = None
    number: int = 0
    ours: bool = False


@dataclass(frozen=True)
class Profile:
    """How one profile decides, group policy regarded.

    `excluded` are interfaces for which no rule counts. `merges`: local rules count. `by_policy` are
    the settings that group policy has made.
    """

    bit: int
    enabled: bool
    lets_in: bool
    blocks_all: bool
    excluded: tuple[str, ...] = ()
    merges: bool = True
    by_policy: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """As in a sentence: `domain`."""
        return PROFILES[self.bit]


@dataclass(frozen=True)
class State:
    """One server's firewall. `rules` by their identity(). `current` are the active profiles.

    `peers` are the senders that are connected by now, by local port. `modify_state` is
    NET_FW_MODIFY_STATE: what would become of a change; None: it could not be read. `has_texts`: the
    registry tells of local rules. `old_policy` are settings of group policy in the old way.
    """

    server: str
    rules: t.Mapping[str, Held]
    profiles: t.Mapping[int, Profile]
    current: tuple[int, ...]
    modify_state: int | None = 0
    has_texts: bool = True
    old_policy: tuple[Old, ...] = ()
    peers: t.Mapping[int, RangeSet] = field(default_factory=dict)


def identity(key: str) -> str:
    """What two keys of the same rule have in common: its id, or the name of one that is ours."""
    match = _ID.search(key)
    return (match[1] if match else key).casefold()


def read_state(host: Row, rows: t.Sequence[Row], peers: t.Sequence[str] = ()) -> State:
    """The state in the rows of the operation firewall_read. Raises PlanError."""
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        kinds.setdefault(str(row.get("kind")), []).append(row)
    (policy,) = kinds.get("policy") or [{}]
    # A table of the agent has no order, and of rules that look the same each gets a text.
    texts = sorted(kinds.get("text", []), key=lambda row: (str(row["store"]), str(row["id"])))
    held = _held(kinds.get("rule", []), [row for row in texts if row["store"] == LOCAL])
    rules = {identity(rule.key): rule for rule in [*held, *_of_policy(texts)]}
    keys = {str(row["profile"]): row["values"] for row in kinds.get("key", [])}
    profiles = {bit: _profile(bit, kinds.get("profile", []), keys) for bit in PROFILES}
    bits = int(policy.get("current") or 0) & ALL_PROFILES
    current = tuple(bit for bit in PROFILES if bits & bit) or tuple(PROFILES)
    return State(
        server=str(host["name"]),
        rules=rules,
        profiles=profiles,
        current=current,
        modify_state=None if policy.get("modify_state") is None else int(policy["modify_state"]),
        old_policy=read_old(kinds.get("exception", []), keys.get(STANDARD) or {}),
        has_texts=any(row["store"] == LOCAL for row in texts),
        peers=_peers(peers),
    )


# ---------------------------------------------------------------- profiles


def _profile(bit: int, rows: t.Sequence[Row], keys: t.Mapping[str, Row]) -> Profile:
    """One profile. FirewallEnabled of COM is what is set locally (netfw.h): group policy wins."""
    matching = [row for row in rows if row["bit"] == bit]
    if len(matching) != 1:
        raise PlanError(
            f"Windows Firewall did not tell how its {PROFILES[bit]} profile is set. "
            "Nothing was changed."
        )
    if matching[0]["inbound"] is None:
        raise PlanError(
            f"Windows Firewall did not tell what its {PROFILES[bit]} profile does with what no "
            "rule is about. Nothing was changed."
        )
    row, policy = (
        matching[0],
        {name.casefold(): value for name, value in keys.get(PROFILES[bit], {}).items()},
    )

    def flag(name: str, local: bool) -> bool:
        value = policy.get(name.casefold())
        try:
            return local if value is None else bool(int(value))
        except (TypeError, ValueError):
            raise PlanError(
                f"Group policy has something else than a number as {name} of the {PROFILES[bit]} "
                "profile of Windows Firewall, so that nobody knows what it does. Nothing was "
                "changed. Look at it in the policy."
            ) from None

    # NET_FW_ACTION: 0 is block and 1 allow; in the registry it is the reverse (MS-GPFAS 2.2.2.8).
    refuses = flag("DefaultInboundAction", not row["inbound"])
    named = (
        "EnableFirewall",
        "DefaultInboundAction",
        "DoNotAllowExceptions",
        "AllowLocalPolicyMerge",
    )
    return Profile(
        bit=bit,
        enabled=flag("EnableFirewall", bool(row["enabled"])),
        lets_in=not refuses,
        blocks_all=flag("DoNotAllowExceptions", bool(row["blocks_all"])),
        excluded=tuple(str(interface) for interface in row.get("excluded") or ()),
        merges=flag("AllowLocalPolicyMerge", True),
        by_policy=frozenset(name for name in named if name.casefold() in policy),
    )


def _peers(lines: t.Iterable[str]) -> dict[int, RangeSet]:
    """Who is connected, by local port, from lines of netstat: protocol, local, remote, state.

    The word for the state is in the server's language; a listener has no remote port.
    """
    by_port: dict[int, list[str]] = collections.defaultdict(list)
    for line in lines:
        parts = line.split()
        if len(parts) < 4 or parts[0].upper() not in ("TCP", "TCP6"):
            continue
        _local, _colon, port = parts[1].rpartition(":")
        remote, _colon, remote_port = parts[2].rpartition(":")
        try:
            address = parse_address(remote.strip("[]"))
            if int(remote_port) and address.value:
                by_port[int(port)].append(str(address))
        except (RangeError, ValueError):
            continue
    return {port: RangeSet.parse(texts) for port, texts in by_port.items()}


# ---------------------------------------------------------------- rules


def com_rule(row: Row) -> Rule:
    """The rule that COM shows. What it does not tell is left at what it is mostly."""
    number = row.get("Protocol")
    bits = row.get("Profiles")
    profiles = (_ALL_PROFILES_OF_COM if bits is None else int(bits)) & ALL_PROFILES
    conditions = {
        name
        for name, usual in (
            ("LocalAddresses", ("", "*")),
            ("InterfaceTypes", ("", "all")),
            ("LocalUserAuthorizedList", ("",)),
            ("LocalAppPackageId", ("",)),
            ("LocalUserOwner", ("",)),
        )
        if str(row.get(name) or "").strip().casefold() not in usual
    }
    if row.get("Interfaces"):
        conditions.add("Interfaces")
    return Rule(
        name=str(row.get("Name") or ""),
        enabled=bool(row.get("Enabled")),
        action=ALLOW if row.get("Action") == 1 else BLOCK,
        protocol=None if number in (None, 256) else int(t.cast("int", number)),
        ports=read_ports(row.get("LocalPorts")),
        remote=read_addresses(row.get("RemoteAddresses")),
        profiles=profiles,
        program=str(row.get("ApplicationName") or ""),
        service=str(row.get("serviceName") or ""),
        edge=bool(row.get("EdgeTraversal")),
        ipsec=bool(row.get("SecureFlags")),
        remote_ports=str(row.get("RemotePorts") or "").strip() not in _EPHEMERAL_ANY,
        conditions=frozenset(conditions),
        elsewhere="LocalAppPackageId" in conditions,
    )


def _core(rule: Rule) -> tuple[t.Hashable, ...]:
    """What COM and the registry tell alike of who gets in.

    A bypass rule is an allow rule to COM.
    """
    return (
        rule.enabled,
        rule.action == BLOCK,
        rule.protocol,
        rule.ports.texts(),
        rule.remote.texts(),
    )


def _content(rule: Rule) -> tuple[t.Hashable, ...]:
    """What they tell alike of the whole rule."""
    return (*_core(rule), rule.profiles, file_of(rule.program), rule.service.casefold())


def file_of(program: str) -> str:
    """The file name of a program, without case: the folder may stand there with variables or
    without.
    """
    return program.replace("/", "\\").rpartition("\\")[2].casefold()


def _held(rows: t.Sequence[Row], texts: t.Sequence[Row]) -> t.Iterator[Held]:
    """The local rules: those of COM, each with its text, then texts of which COM shows no rule."""
    numbers: collections.Counter[str] = collections.Counter()
    shown: list[tuple[Rule, Row, int]] = []
    for row in rows:
        plain = {name: value for name, value in row.items() if name != "kind"}
        text = json.dumps(plain, sort_keys=True)
        shown.append((com_rule(row), plain, numbers[text]))
        numbers[text] += 1
    written = [(str(row["id"]), read_text(str(row["text"]))) for row in texts]
    written = [(name, rule) for name, rule in written if rule.inbound]
    pairs, unpaired = _paired([rule for rule, _row, _number in shown], written)
    keys: collections.Counter[str] = collections.Counter()
    for at, (rule, row, number) in enumerate(shown):
        ours = row.get("Grouping") == GROUP and rule.name.startswith(OURS)
        told = pairs.get(at)
        whole = _whole(rule, told[1]) if told else without_text(rule)
        name = told[0] if told else f"without text {_short(row)}"
        key = rule.name if ours else f"{rule.name} [{name}]"
        keys[key] += 1
        if keys[key] > 1:
            key = f"{rule.name} #{keys[key]}" if ours else f"{rule.name} [{name} #{keys[key]}]"
        yield Held(key, whole, row=row, number=number, ours=ours)
    for name, rule in unpaired:
        yield Held(
            f"{rule.name} [{name}]", dataclasses.replace(rule, unknown=rule.unknown | {_NOT_SHOWN})
        )


_NO_TEXT = "its text in the registry"
_NOT_SHOWN = "that COM does not show it"


def without_text(rule: Rule) -> Rule:
    """A rule of which the registry does not tell."""
    return dataclasses.replace(rule, unknown=frozenset({_NO_TEXT}))


def has_no_text(rule: Rule) -> bool:
    """Whether only COM tells of the rule."""
    return _NO_TEXT in rule.unknown


def is_not_shown(rule: Rule) -> bool:
    """Whether only the registry tells of the local rule."""
    return _NOT_SHOWN in rule.unknown


def _short(row: Row) -> str:
    apart = {
        name: value
        for name, value in row.items()
        if name not in ("Enabled", "RemoteAddresses", "LocalPorts")
    }
    text = json.dumps(apart, sort_keys=True).encode("utf-8")
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()[:10]


def _whole(shown: Rule, written: Rule) -> Rule:
    """One rule of both: what COM shows, and what the text alone tells."""
    return dataclasses.replace(
        shown,
        action=written.action
        if shown.action == ALLOW and written.action != BLOCK
        else shown.action,
        ipsec=(shown.ipsec or written.ipsec) and not written.unknown,
        loose=written.loose,
        remote_ports=shown.remote_ports or written.remote_ports,
        conditions=shown.conditions | written.conditions,
        elsewhere=shown.elsewhere or written.elsewhere,
        unknown=shown.unknown | written.unknown,
    )


Written = tuple[str, Rule]


def _paired(
    shown: t.Sequence[Rule], written: t.Sequence[Written]
) -> tuple[dict[int, Written], list[Written]]:
    """Which text is of which rule of COM, and the texts of none.

    By content and name; then by content where the name is a reference to a resource, which COM
    shows in the server's language; then by name and who gets in, since COM may write a path in
    another way (unverified).

    Where several look the same, each is taken for what any of them may be.
    """
    pairs: dict[int, Written] = {}
    unpaired = dict(enumerate(written))
    for content, by_name in ((_content, True), (_content, False), (_core, True)):
        waiting: dict[t.Hashable, list[int]] = collections.defaultdict(list)
        for at, rule in enumerate(shown):
            if at not in pairs:
                waiting[content(rule), rule.name if by_name else ""].append(at)
        candidates: dict[t.Hashable, list[int]] = collections.defaultdict(list)
        for number, (_name, rule) in unpaired.items():
            if by_name or rule.name.startswith("@"):
                candidates[content(rule), rule.name if by_name else ""].append(number)
        for wanted, places in waiting.items():
            numbers = candidates.get(wanted, [])
            alike = [unpaired[number][1] for number in numbers]
            for at, number in zip(places, numbers):
                name, rule = unpaired.pop(number)
                pairs[at] = (name, _any_of(rule, alike))
    return pairs, list(unpaired.values())


def _any_of(rule: Rule, alike: t.Sequence[Rule]) -> Rule:
    """A text that may be another one just as well."""
    return dataclasses.replace(
        rule,
        ipsec=all(rule.ipsec for rule in alike),
        loose=any(rule.loose for rule in alike),
        elsewhere=all(rule.elsewhere for rule in alike),
        remote_ports=any(rule.remote_ports for rule in alike),
        conditions=frozenset().union(*(rule.conditions for rule in alike)),
        unknown=frozenset().union(*(rule.unknown for rule in alike)),
    )


def _of_policy(texts: t.Iterable[Row]) -> t.Iterator[Held]:
    for row in texts:
        if row["store"] == LOCAL:
            continue
        rule = read_text(str(row["text"]))
        if rule.inbound:
            yield Held(f"{rule.name} [{row['store']} {row['id']}]", rule, store=POLICY)
