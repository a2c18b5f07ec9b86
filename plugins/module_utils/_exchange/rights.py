# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rights of a session without a login on a receive connector: read from the access control list,
held in canonical values.

A session may submit if its token has ms-Exch-SMTP-Submit; permission groups are what Exchange
derives from the rights that it finds (learn.microsoft.com, receive-connectors, "Permission
groups"). The token of a session without a login has ANONYMOUS LOGON and Everyone; that no other
group is in it is unverified.

What a connector has beyond its groups, by key: `anonymous_rights` and `anonymous_relay` can be
given and taken; `fixed_rights` are inherited, or come from an entry for all rights at once, and
`denied_rights` beat what the groups give; `users_may_send` says whether who logs in as a user may
send where the list says other than the groups. A connector that lacks these keys has what its
groups say.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.kinds import (
    KindError,
    quoted,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.lists import ListKind

Connector = t.Mapping[str, t.Any]
Rows = t.Iterable[t.Mapping[str, t.Any]]

ANONYMOUS_GROUP = "AnonymousUsers"
SUBMIT = "ms-Exch-SMTP-Submit"
ANY_RECIPIENT = "ms-Exch-SMTP-Accept-Any-Recipient"
# What the group AnonymousUsers stands for (receive-connectors.md, "Receive connector permission
# groups").
PRESET = (
    SUBMIT,
    "ms-Exch-SMTP-Accept-Any-Sender",
    "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender",
    "ms-Exch-Accept-Headers-Routing",
)
# As they are documented there; others are held in small letters, which Windows does not tell apart.
_SPELLING = {
    right.casefold(): right
    for right in (
        *PRESET,
        ANY_RECIPIENT,
        "ms-Exch-SMTP-Accept-Authentication-Flag",
        "ms-Exch-SMTP-Accept-Exch50",
        "ms-Exch-Accept-Headers-Organization",
        "ms-Exch-Accept-Headers-Forest",
        "ms-Exch-Bypass-Anti-Spam",
        "ms-Exch-Bypass-Message-Size-Limit",
    )
}
# Rights on mail. An object of the directory has others, which let nobody send.
_ON_MAIL = ("ms-exch-smtp-", "ms-exch-accept-headers-", "ms-exch-bypass-")
_DECIDING = (SUBMIT, ANY_RECIPIENT)

ANONYMOUS, EVERYONE = "anonymous", "everyone"
USERS, USERS_GROUP = "users", "ExchangeUsers"
DEFAULT_NAMES: t.Mapping[str, str] = {
    ANONYMOUS: r"NT AUTHORITY\ANONYMOUS LOGON",
    EVERYONE: "Everyone",
}
USERS_NAME = r"NT AUTHORITY\Authenticated Users"
_READ: t.Mapping[str, str] = {**DEFAULT_NAMES, USERS: USERS_NAME}
_SIDS = {ANONYMOUS: "S-1-5-7", EVERYONE: "S-1-1-0", USERS: "S-1-5-11"}


class AnonymousRights(ListKind):
    """Rights of who does not log in; canonical is a frozenset of ``account:right``, the account
    `anonymous` or `everyone`.
    """

    def parse(self, value: t.Any) -> frozenset[str]:
        return frozenset(self._entry(str(item)) for item in self.items(value))

    @staticmethod
    def _entry(text: str) -> str:
        account, _colon, right = (part.strip() for part in text.partition(":"))
        if account.casefold() not in DEFAULT_NAMES or not right.casefold().startswith(_ON_MAIL):
            raise KindError(f"{quoted(text)} is not of the form anonymous:right or everyone:right.")
        entry = f"{account.casefold()}:{_spelled(right)}"
        if entry == f"{ANONYMOUS}:{ANY_RECIPIENT}":
            raise KindError(f"{quoted(text)} is what the option anonymous_relay says.")
        return entry

    def show(self, canonical: t.Any) -> t.Any:
        return sorted(canonical)

    def write(self, canonical: t.Any) -> t.Any:
        return sorted(canonical)


def _spelled(right: str) -> str:
    return _SPELLING.get(right.casefold(), right.casefold())


def held(connector: Connector) -> frozenset[str]:
    """What of SUBMIT and ANY_RECIPIENT a session without a login has on a connector."""
    given = {entry.partition(":")[2] for entry in connector.get("anonymous_rights") or ()}
    if ANONYMOUS_GROUP in (connector.get("permission_groups") or ()):
        given.update(PRESET)
    if connector.get("anonymous_relay"):
        given.add(ANY_RECIPIENT)
    given -= connector.get("denied_rights") or frozenset()
    return frozenset(given | (connector.get("fixed_rights") or frozenset())) & frozenset(_DECIDING)


def fixed_entries(connector: Connector) -> tuple[str, ...]:
    """The entries behind `fixed_rights`, each in words, sorted."""
    return tuple(sorted(connector.get("fixed_entries") or ()))


class _Entry(t.NamedTuple):
    """An entry of a list: `rights` casefolded, None for all of them."""

    account: str
    rights: frozenset[str] | None
    deny: bool
    inherited: bool

    def speaks_of(self, right: str) -> bool:
        return self.rights is None or right.casefold() in self.rights


def read(
    rows: Rows, groups: t.Mapping[str, t.Collection[str]], accounts: t.Mapping[str, str]
) -> dict[str, dict[str, t.Any]]:
    """Casefolded distinguished name → the canonical values of each connector in `groups`, which has
    its permission groups.

    `accounts` has the names of `anonymous`, `everyone` and `users` in the server's language.
    """
    names = {
        name.casefold(): account
        for account, default in _READ.items()
        for name in (accounts.get(account) or default, default, _SIDS[account])
    }
    entries: dict[str, list[_Entry]] = {}
    # A list of some hundred rows names a few accounts again and again.
    accounts_of: dict[str, str | None] = {}
    for row in rows:
        user = str(row.get("User") or "")
        if user not in accounts_of:
            accounts_of[user] = names.get(user.strip("\\").casefold())
        account = accounts_of[user]
        if account is None:
            # Most of a list is about other accounts.
            continue
        target = str(row.get("_each") or "").casefold()
        listed = _texts(row.get("ExtendedRights"))
        access = {text.casefold() for text in _texts(row.get("AccessRights"))}
        if not (listed or access & {"extendedright", "genericall"}):
            continue
        whole = "genericall" in access or not listed
        rights = None if whole else frozenset(text.casefold() for text in listed)
        entries.setdefault(target, []).append(
            _Entry(account, rights, _truth(row.get("Deny")), _truth(row.get("IsInherited")))
        )
    return {
        target: _values(entries.get(target, []), held_groups)
        for target, held_groups in groups.items()
    }


def _values(listed: list[_Entry], groups: t.Collection[str]) -> dict[str, t.Any]:
    entries = [entry for entry in listed if entry.account != USERS]
    own = [entry for entry in entries if not entry.inherited]
    denied = {
        right for right in _DECIDING if any(entry.deny and entry.speaks_of(right) for entry in own)
    }
    given = {
        f"{entry.account}:{_spelled(right)}"
        for entry in own
        if not entry.deny and entry.rights is not None
        for right in entry.rights
        if right.startswith(_ON_MAIL)
    }
    relay = f"{ANONYMOUS}:{ANY_RECIPIENT}"
    by_group = {f"{ANONYMOUS}:{right}" for right in PRESET} if ANONYMOUS_GROUP in groups else set()
    fixed, behind = _fixed(entries, denied)
    return {
        "anonymous_rights": frozenset(given - by_group - {relay}),
        "anonymous_relay": relay in given and ANY_RECIPIENT not in denied,
        "denied_rights": frozenset(denied),
        "fixed_rights": fixed,
        "fixed_entries": behind,
        "users_may_send": _users_may_send(
            [entry for entry in listed if entry.account == USERS], groups
        ),
    }


def _users_may_send(entries: list[_Entry], groups: t.Collection[str]) -> bool | None:
    """Whether who logs in as a user may submit, where the list says other than the groups; None
    where it does not. An object's own entries come before those that it inherits, and there what is
    denied before what is allowed.
    """
    speaking = [entry for entry in entries if entry.speaks_of(SUBMIT)]
    speaking.sort(key=lambda entry: (entry.inherited, not entry.deny))
    allowed = bool(speaking) and not speaking[0].deny
    return allowed if speaking and allowed != (USERS_GROUP in groups) else None


def _fixed(
    entries: list[_Entry], denied: t.Collection[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """The rights that no change of the connector takes away, and in words what gives them.

    An object's own entries come before those that it inherits, and there what is denied before what
    is allowed (learn.microsoft.com, "Order of ACEs in a DACL").
    """
    fixed: set[str] = set()
    behind: set[str] = set()
    for right in _DECIDING:
        if right in denied:
            continue
        inherited_deny = any(
            entry.inherited and entry.deny and entry.speaks_of(right) for entry in entries
        )
        for entry in entries:
            lasting = entry.inherited or entry.rights is None
            if (
                entry.deny
                or not lasting
                or not entry.speaks_of(right)
                or (entry.inherited and inherited_deny)
            ):
                continue
            fixed.add(right)
            what = "all rights" if entry.rights is None else right
            behind.add(
                f"{what} of "
                f"{DEFAULT_NAMES[entry.account]}{', inherited' if entry.inherited else ''}"
            )
    return frozenset(fixed), frozenset(behind)


def _texts(value: t.Any) -> list[str]:
    items = value.split(",") if isinstance(value, str) else value or ()
    return [
        text for item in items for text in (part.strip() for part in str(item).split(",")) if text
    ]


def _truth(value: t.Any) -> bool:
    # A SwitchParameter, which is what these two are, prints as text.
    return value is True or str(value).casefold() == "true"
