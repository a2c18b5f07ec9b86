# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of the Windows Firewall layer."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    NOT_INTERNET,
    PRIVATE,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
    Registry,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall import (
    model,
    words,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.recipe import (
    Site,
    covered,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.state import (
    POLICY,
    Profile,
    State,
    identity,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.tables import (
    Change,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.texts import BLOCK

GUARDS = Registry(
    {
        "client_access_shut_out": (
            "The internet would lose a port that the site's description says is in use from there."
        ),
        "policy_unread": (
            "Whether group policy lets strangers in, or overrides what is changed, "
            "is not known for certain."
        ),
        "range_too_wide": _ranges_guards.GUARDS["range_too_wide"],
        lease.GUARD: lease.SENTENCE,
        "management_shut_out": (
            "The connection by which this server is managed, "
            "or one that may be it, would be refused."
        ),
        "named_shut_out": (
            "Addresses that are named would no longer reach a port that they reach today."
        ),
        "unreached": (
            "Addresses that are named in remote_addresses do not reach a port, "
            "whether they are locked or not."
        ),
        "exchange_servers_unnamed": (
            "Nobody has said which other Exchange servers there are. "
            "Microsoft supports no firewall between them."
        ),
        "domain_controllers_unnamed": (
            "Nobody has said which domain controllers there are. "
            "Microsoft supports no firewall before them."
        ),
        "own_networks_shut_out": (
            "Private addresses would no longer reach a port that they reach "
            "today, and no own networks are named."
        ),
        "unnamed_private_shut_out": (
            "Private addresses that nobody has named would no longer "
            "reach a port that they reach today."
        ),
        "other_ports_shut_out": (
            "A rule that is closed carries other ports too, which somebody reaches by it today."
        ),
        "firewall_off": (
            "Windows Firewall is off in a profile that is active, so that no rule counts."
        ),
        "everything_let_in": "A profile that is active lets in whatever no rule blocks.",
        "interface_excluded": (
            "Windows Firewall leaves out a network interface, for which no rule counts."
        ),
        "inactive_profile_open": "A profile that is not active now would let everybody in.",
        "everything_blocked": (
            "A profile that is active blocks whatever comes in, whatever rules say."
        ),
        "policy_rule": (
            "A rule of group policy lets strangers in, and can only be changed where "
            "the policy is made."
        ),
        "local_rules_ignored": (
            "Group policy has local rules ignored, so that a change of them changes nothing."
        ),
        "uncertain_rule": "A rule may let strangers in, which could not be seen for certain.",
        "ipsec_rule": "A rule lets in senders that are not named and that IPsec has authenticated.",
    }
)

ABOUT_STATE = frozenset(GUARDS) - {lease.GUARD, "management_shut_out", "local_rules_ignored"}

UNREAD = frozenset({"uncertain_rule", "policy_unread"})

INTERNET = model.WORLD - NOT_INTERNET

MANAGEMENT_PORTS = (22, 5985, 5986)
"""SSH, and WinRM without and with TLS."""


def findings(
    before: State, after: State, site: Site | None, changes: t.Sequence[Change], came_by: int | None
) -> t.Iterator[Finding]:
    """What the guards find about making `after` of `before`; `came_by` is the port of the task's
    own connection.
    """
    yield from _management(before, after, came_by)
    yield from _ignored(before, changes)
    if site is None:
        return
    for ranges, option in (
        (site.remote, "remote_addresses"),
        (site.own_networks, "own_networks"),
        (site.exchange_servers, "exchange_servers"),
        (site.domain_controllers, "domain_controllers"),
    ):
        yield from _ranges_guards.check_friends(ranges or RangeSet(), f"The option {option}")
    yield from _profiles(after)
    if before.modify_state is None:
        yield Finding(
            "policy_unread",
            WARN,
            "Whether group policy overrides the local rules could not be read "
            "(LocalPolicyModifyState).",
        )
    if changes:
        yield from _unnamed_servers(site)
        yield from _other_ports(before, after, site, changes)
    for port in site.ports:
        yield from _lost(before, after, site, port)
        yield from _old_policy(after, site, port)
        yield from _policy_rules(after, site, port)
        yield from _uncertain(after, site, port)


def _active(state: State) -> t.Iterator[Profile]:
    return (state.profiles[bit] for bit in state.current)


def _management(before: State, after: State, came_by: int | None) -> t.Iterator[Finding]:
    for port in sorted({*MANAGEMENT_PORTS, *([came_by] if came_by else [])}):
        losing = model.senders_losing(before, after, port)
        peers = before.peers.get(port, model.NOBODY)
        shut_out = peers & losing
        if shut_out:
            yield Finding(
                "management_shut_out",
                STOP,
                f"{words.capital(words.ranges(shut_out))} is connected to port {port}, "
                "by which this server is managed, and would not get in again.",
                remedy="name the addresses that manage it in own_networks",
            )
        elif losing and port == came_by and not peers:
            yield Finding(
                "management_shut_out",
                STOP,
                f"This task came by port {port}, from where is not known to the server, "
                f"and {words.ranges(losing)} would not get in there again.",
                remedy="leave that port alone",
            )


def _ignored(before: State, changes: t.Sequence[Change]) -> t.Iterator[Finding]:
    if not changes:
        return
    deaf = [profile for profile in _active(before) if not profile.merges]
    if len(deaf) == len(before.current):
        yield Finding(
            "local_rules_ignored",
            STOP,
            "Group policy has local rules ignored (AllowLocalPolicyMerge is 0 in the "
            f"{words.profiles(deaf)}), so that a change here would change nothing. "
            "Make the change where the policy is made.",
            final=True,
        )
    elif deaf or before.modify_state == 1:
        where = f" in the {words.profiles(deaf)}" if deaf else ""
        yield Finding(
            "local_rules_ignored",
            STOP,
            f"Group policy overrides what is changed here{where}.",
            remedy="make the change where the policy is made",
        )


def _profiles(after: State) -> t.Iterator[Finding]:
    for profile in after.profiles.values():
        by = (
            " Group policy says so."
            if profile.by_policy & {"EnableFirewall", "DefaultInboundAction"}
            else ""
        )
        name = f"the {profile.name} profile"
        if profile.bit not in after.current:
            if not profile.enabled or (profile.lets_in and not profile.blocks_all):
                sentence = (
                    f"Should {name} become active, everybody would get in: "
                    "it is off, or lets in what no rule blocks."
                )
                yield Finding("inactive_profile_open", WARN, sentence)
        elif not profile.enabled:
            sentence = (
                f"Windows Firewall is off in {name}, which is active, "
                f"so that the lock locks nothing.{by}"
            )
            yield Finding("firewall_off", STOP, sentence, remedy="turn it on")
        elif profile.excluded:
            sentence = (
                f"Windows Firewall leaves out {', '.join(profile.excluded)} in {name}: "
                "whoever comes that way gets in."
            )
            yield Finding("interface_excluded", STOP, sentence, remedy="protect that interface")
        elif profile.blocks_all:
            yield Finding(
                "everything_blocked", WARN, f"{words.capital(name)} blocks all that comes in.{by}"
            )
        elif profile.lets_in:
            sentence = f"{words.capital(name)} lets in whatever no rule blocks.{by}"
            yield Finding(
                "everything_let_in", STOP, sentence, remedy="have it block what no rule allows"
            )


def _unnamed_servers(site: Site) -> t.Iterator[Finding]:
    for named, option, what in (
        (site.exchange_servers, "exchange_servers", "other Exchange servers"),
        (site.domain_controllers, "domain_controllers", "domain controllers"),
    ):
        if named is None:
            yield Finding(
                f"{option}_unnamed",
                STOP,
                f"The option {option} does not say which {what} there are, "
                "and they would be shut out with everybody else.",
                remedy=(
                    f"name them in {option}, or write [] where there are none beside what else "
                    "is named"
                ),
            )


def _lost(before: State, after: State, site: Site, port: int) -> t.Iterator[Finding]:
    old, new = model.reach_of(before, port).possible, model.reach_of(after, port).possible
    losing = model.senders_losing(before, after, port)
    named = losing & site.named
    if named:
        yield Finding(
            "named_shut_out",
            STOP,
            f"{words.capital(words.ranges(named))} would no longer reach port {port}.",
        )
    if port in site.in_use and losing & INTERNET - site.named:
        yield Finding(
            "client_access_shut_out",
            STOP,
            f"The internet would no longer reach port {port}, and the description says that it is "
            "in use from there.",
            remedy="leave the port alone, or say no more that it is in use",
        )
    private = losing & PRIVATE - site.named
    if private and not site.own_networks:
        yield Finding(
            "own_networks_shut_out",
            STOP,
            f"{words.capital(words.ranges(private, site.named))} would no longer reach port "
            f"{port}, and no own networks are named.",
            remedy="name them in own_networks",
        )
    elif private:
        yield Finding(
            "unnamed_private_shut_out",
            WARN,
            f"{words.capital(words.ranges(private, site.named))}, not named, "
            f"would no longer reach port {port}.",
        )
    unreached = (site.remote & model.WORLD) - new - old
    if unreached:
        yield Finding(
            "unreached",
            WARN,
            f"{words.capital(words.ranges(unreached))} does not reach port {port}: "
            "no rule lets it in, or one blocks it.",
        )


def _old_policy(after: State, site: Site, port: int) -> t.Iterator[Finding]:
    for old in after.old_policy:
        strangers = old.ranges - site.named
        ignored = old.program and old.program in site.ignore_programs
        if strangers and not ignored and old.may_let_in(port, after.current):
            yield Finding(
                "policy_unread",
                WARN,
                f"Group policy may let {words.ranges(strangers, site.named)} in to port {port}, "
                f"in the way of Windows XP ({old.text}). "
                "Whether this Windows heeds it is not known. Take it out of the policy.",
            )


def _other_ports(
    before: State, after: State, site: Site, changes: t.Sequence[Change]
) -> t.Iterator[Finding]:
    for change in changes:
        held = before.rules.get(identity(change.key))
        if held is None or held.ours or not held.rule.enabled or change.action != Action.MODIFY:
            continue
        rule, ports = held.rule, covered(held.rule, site.ports)
        if not set(change.after) & {"enabled", "remote_addresses"} or not ports:
            continue
        others = rule.ports.without(ports)
        loses = any(model.senders_losing(before, after, first) for first, _last in others.spans)
        if rule.protocol is None or loses or others.words:
            what = (
                "all other ports and protocols"
                if rule.protocol is None
                else f"port {', '.join(others.texts())}"
            )
            yield Finding(
                "other_ports_shut_out",
                STOP,
                f"The rule '{rule.name}' lets in to {what} as well, "
                "which would be shut in the same way.",
                remedy="give those ports a rule of their own, or name them in ports",
            )


def _policy_rules(after: State, site: Site, port: int) -> t.Iterator[Finding]:
    seen = set()
    for profile in _active(after):
        for held in model.ways_in(after, port, profile):
            strangers = model.certain(held.rule, port) - site.named
            if held.store == POLICY and strangers and held.key not in seen:
                seen.add(held.key)
                yield Finding(
                    "policy_rule",
                    STOP,
                    f"The rule '{held.rule.name}' of group policy lets "
                    f"{words.ranges(strangers, site.named)} in to port {port}, which no local rule "
                    "can undo.",
                    remedy="change it where the policy is made",
                )


def _uncertain(after: State, site: Site, port: int) -> t.Iterator[Finding]:
    plain = model.reach_of(after, port).possible - site.named
    doubtful = plain - model.open_to(after, port)
    ipsec = model.reach_of(after, port, authenticated=True).possible - site.named - plain
    rules = {
        held.key: held.rule
        for profile in _active(after)
        for held in model.ways_in(after, port, profile)
    }
    for rule in rules.values():
        strangers = model.possible(rule) - site.named
        if rule.action == BLOCK or not strangers:
            continue
        if (
            model.for_anybody(rule)
            and strangers & doubtful
            and model.certain(rule, port) != model.possible(rule)
        ):
            yield Finding(
                "uncertain_rule",
                WARN,
                f"The rule '{rule.name}' may let {words.ranges(strangers, site.named)} in to port "
                f"{port}: {words.doubt(rule, port)}.",
            )
        elif not model.for_anybody(rule) and strangers & ipsec:
            yield Finding(
                "ipsec_rule",
                WARN,
                f"The rule '{rule.name}' lets {words.ranges(strangers, site.named)} in to port "
                f"{port} that IPsec has authenticated.",
            )
