# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extended rights on a receive connector, and the permission groups that they make up.

Source: receive-connectors.md, "Receive connector permission groups" and "Receive connector
permissions". A group is on a connector if all its rights are; Custom appears where there are others
(dsccommunity/ExchangeDsc issue 39). That a group which lacks one of its rights reads as Custom is
unverified.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Ace

ANONYMOUS = r"NT AUTHORITY\ANONYMOUS LOGON"
AUTHENTICATED = r"NT AUTHORITY\Authenticated Users"
EVERYONE = "Everyone"

SUBMIT = "ms-Exch-SMTP-Submit"
ANY_RECIPIENT = "ms-Exch-SMTP-Accept-Any-Recipient"
ANY_SENDER = "ms-Exch-SMTP-Accept-Any-Sender"
OWN_DOMAIN_SENDER = "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender"
AUTHENTICATION_FLAG = "ms-Exch-SMTP-Accept-Authentication-Flag"
ROUTING = "ms-Exch-Accept-Headers-Routing"
ORGANIZATION = "ms-Exch-Accept-Headers-Organization"
FOREST = "ms-Exch-Accept-Headers-Forest"
NO_ANTI_SPAM = "ms-Exch-Bypass-Anti-Spam"
NO_SIZE_LIMIT = "ms-Exch-Bypass-Message-Size-Limit"
EXCH50 = "ms-Exch-SMTP-Accept-Exch50"

_ALL = (
    SUBMIT,
    ANY_RECIPIENT,
    ANY_SENDER,
    OWN_DOMAIN_SENDER,
    AUTHENTICATION_FLAG,
    ROUTING,
    ORGANIZATION,
    FOREST,
    NO_ANTI_SPAM,
    NO_SIZE_LIMIT,
    EXCH50,
)
RIGHTS = {right.casefold(): right for right in _ALL}

EXTERNALLY_SECURED = r"MS Exchange\Externally Secured Servers"
_SERVER_ACCOUNTS = (
    r"MS Exchange\Edge Transport Servers",
    r"MS Exchange\Hub Transport Servers",
    EXTERNALLY_SECURED,
)


def group_rights(group: str, domain: str, anonymous: str, authenticated: str) -> frozenset[Ace]:
    """The entries that a permission group stands for. `domain` is the short name of the Windows
    domain, '' on an Edge server.
    """
    if group == "AnonymousUsers":
        return frozenset(
            Ace(anonymous, right) for right in (SUBMIT, ANY_SENDER, OWN_DOMAIN_SENDER, ROUTING)
        )
    if group == "ExchangeUsers":
        return frozenset(
            Ace(authenticated, right) for right in (SUBMIT, ANY_RECIPIENT, NO_ANTI_SPAM, ROUTING)
        )
    if group == "ExchangeServers":
        accounts = (*_SERVER_ACCOUNTS, *([f"{domain}\\Exchange Servers"] if domain else []))
        return frozenset(Ace(account, right) for account in accounts for right in _ALL)
    if group == "ExchangeLegacyServers":
        legacy = (
            SUBMIT,
            ANY_RECIPIENT,
            ANY_SENDER,
            OWN_DOMAIN_SENDER,
            AUTHENTICATION_FLAG,
            ROUTING,
            NO_ANTI_SPAM,
            EXCH50,
        )
        return frozenset(Ace(f"{domain}\\ExchangeLegacyInterop", right) for right in legacy)
    if group == "Partners":
        return frozenset(Ace(r"MS Exchange\Partner Servers", right) for right in (SUBMIT, ROUTING))
    return frozenset()


GROUPS = ("AnonymousUsers", "ExchangeUsers", "ExchangeServers", "ExchangeLegacyServers", "Partners")


class Rights:
    """The groups of one server, whose accounts have the names of its language."""

    def __init__(
        self,
        domain: str,
        anonymous: str = ANONYMOUS,
        authenticated: str = AUTHENTICATED,
        everyone: str = EVERYONE,
    ) -> None:
        self.anonymous, self.authenticated, self.everyone = anonymous, authenticated, everyone
        self._groups = {
            group: group_rights(group, domain, anonymous, authenticated) for group in GROUPS
        }
        self._accounts = {
            ace.user.casefold(): ace.user for entries in self._groups.values() for ace in entries
        }
        self._accounts[everyone.casefold()] = everyone

    def documented(self) -> dict[str, frozenset[Ace]]:
        """Group → the entries that it stands for."""
        return dict(self._groups)

    def learn(self, group: str, entries: frozenset[Ace]) -> None:
        """Let a group stand for what it stands for on a server that was read."""
        self._groups[group] = entries
        self._accounts.update({ace.user.casefold(): ace.user for ace in entries})

    @property
    def stranger(self) -> tuple[str, ...]:
        """The accounts that a session holds which does not log in."""
        return (self.anonymous, self.everyone)

    def account(self, name: str) -> str | None:
        """The account of that name as it prints; None where there is none.

        By full name only: on a localised Windows the English one is unknown. That a SID is taken
        too is unverified, so it is not.
        """
        return self._accounts.get(name.casefold())

    def read(self, entries: t.Iterable[Ace]) -> frozenset[str]:
        """The permission groups that these entries make up, with Custom for what is left over."""
        unexplained = set(entries)
        complete = {group for group, needed in self._groups.items() if needed <= unexplained}
        for group in complete:
            unexplained -= self._groups[group]
        return frozenset(complete | ({"Custom"} if unexplained else set()))

    def regroup(self, entries: tuple[Ace, ...], groups: t.Iterable[str]) -> tuple[Ace, ...]:
        """The entries after the groups were set to `groups`. What belongs to no group stays
        (unverified).
        """
        wanted: set[Ace] = set().union(*(self._groups.get(group, frozenset()) for group in groups))
        gone: set[Ace] = set().union(
            *(self._groups[group] for group in self.read(entries) - {"Custom"})
        )
        return tuple(sorted((set(entries) - gone) | wanted))
