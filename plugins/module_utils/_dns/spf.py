# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may send in a domain's name by its SPF record (RFC 7208), as a set of addresses.

An include passes what the included record passes, and nothing it merely ends with. Limits are those
of the RFC: ten terms that ask DNS, two of them in vain. What cannot be evaluated has a reason, and
what DNS did not answer is unknown.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.resolver import (
    FOUND,
    Answer,
    Resolver,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    RangeError,
    RangeSet,
)

LOOKUPS, VOID_LOOKUPS, MX_HOSTS = 10, 2, 10  # RFC 7208, 4.6.4
_TERM = re.compile(
    r"(?P<sign>[+?~-]?)(?P<name>[A-Za-z0-9]+)(?::(?P<target>[^/]+))?"
    r"(?:/(?P<four>\d{1,2}))?(?://(?P<six>\d{1,3}))?"
)
_NETWORK = re.compile(r"(?P<sign>[+?~-]?)(?P<name>ip[46]):(?P<target>\S+)", re.IGNORECASE)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)")
_MECHANISMS = ("all", "include", "a", "mx", "ptr", "exists")


@dataclass
class Spf:
    """What a record says. `passed` are the addresses that it lets send before it ends.

    `ends` is the sign of its `all`: `+`, `?`, `~`, `-`, or empty where there is none. `missing`,
    `error` and `unknown` say why it cannot be told; `dynamic` names terms that depend on more than
    the address (macros, exists, ptr).
    """

    record: str = ""
    passed: RangeSet = field(default_factory=RangeSet)
    ends: str = ""
    lookups: int = 0
    void: int = 0
    missing: str = ""
    error: str = ""
    unknown: str = ""
    dynamic: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether `passed` is all that there is to say."""
        return bool(self.record) and not (self.error or self.unknown or self.dynamic)


class _Stop(Exception):
    """The evaluation ends here; the `Spf` says why."""


def texts(answer: Answer) -> list[str]:
    """TXT records as texts."""
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer.records]


def _records(answer: Answer) -> list[str]:
    return [text for text in texts(answer) if text.lower().split(" ")[0] == "v=spf1"]


def hosts_named(answer: Answer, domain: str) -> list[str]:
    """The hosts that an SPF record names for itself (`a:`, `mx:` are hints of mail servers)."""
    targets = []
    for record in _records(answer):
        for term in record.split()[1:]:
            parts = _TERM.fullmatch(term)
            if parts and parts["name"].lower() == "a" and parts["target"]:
                target = parts["target"].rstrip(".").lower()
                if "%" not in target and target != domain:
                    targets.append(target)
    return targets


def read(domain: str, resolver: Resolver) -> Spf:
    """The SPF record of a domain, with everything that it leads to."""
    spf = Spf()
    with contextlib.suppress(_Stop):
        spf.record, spf.passed, spf.ends = _Chain(resolver, spf).follow(domain, ())
    return spf


class _Chain:
    def __init__(self, resolver: Resolver, spf: Spf) -> None:
        self._resolver, self._spf = resolver, spf

    def follow(self, domain: str, above: tuple[str, ...]) -> tuple[str, RangeSet, str]:
        """The record, what it passes, and the sign that it ends with."""
        domain = domain.rstrip(".").lower()
        if domain in above:
            self._broken(f"the record of {domain} includes itself")
        record = self._record(domain, above)
        if above == ():
            self._spf.record = record
        passed, refused = RangeSet(), RangeSet()
        redirect, ends = "", ""
        for term in record.split()[1:]:
            modifier = _MODIFIER.fullmatch(term)
            if modifier:
                if modifier[1].lower() == "redirect":
                    redirect = modifier[2]
                continue
            sign, here, last = self._term(term, domain, (*above, domain))
            if last:
                ends = sign
                if sign == "+":
                    passed |= EVERYTHING - refused
                break
            # The first term that fits an address decides.
            if sign == "+":
                passed |= here - refused
            else:
                refused |= here - passed
            if above == ():
                self._spf.passed = passed
        if redirect and not ends:
            if "%" in redirect:
                self._spf.dynamic.append(f"redirect={redirect}")
                return record, passed, ends
            self._count(domain)
            _record, further, ends = self.follow(redirect, (*above, domain))
            passed |= further - refused
        return record, passed, ends

    def _record(self, domain: str, above: tuple[str, ...]) -> str:
        answer = self._resolver.ask(domain, "TXT")
        if not answer.known:
            self._spf.unknown = f"DNS does not say which TXT records {domain} has: {answer.why}"
            raise _Stop
        records = _records(answer)
        if len(records) == 1:
            return records[0]
        if not above and not records:
            self._spf.missing = f"{domain} has no SPF record"
            raise _Stop
        if not records:
            return self._broken(f"{domain}, which it includes, has no SPF record")
        return self._broken(f"{domain} has {len(records)} SPF records, where one is allowed")

    def _term(self, term: str, domain: str, above: tuple[str, ...]) -> tuple[str, RangeSet, bool]:
        """Sign, addresses, and whether it is the last one that counts."""
        network = _NETWORK.fullmatch(term)
        if network:
            return network["sign"] or "+", self._network(network, domain), False
        parts = _TERM.fullmatch(term)
        name = parts["name"].lower() if parts else ""
        if parts is None or name not in _MECHANISMS:
            self._broken(f"the record of {domain} holds '{term[:80]}', which cannot be read")
            raise _Stop
        sign, target = parts["sign"] or "+", parts["target"] or domain
        if name == "all":
            return sign, RangeSet(), True
        self._count(domain)
        if name in ("ptr", "exists") or "%" in target:
            self._spf.dynamic.append(term[:80])
            return sign, RangeSet(), False
        if name == "include":
            return sign, self.follow(target, above)[1], False
        return sign, self._hosts(name, target, parts["four"], parts["six"]), False

    def _network(self, network: re.Match[str], domain: str) -> RangeSet:
        try:
            ranges = RangeSet.parse([network["target"]])
        except RangeError:
            ranges = RangeSet()
        right = ranges.v4 if network["name"].lower() == "ip4" else ranges.v6
        if not ranges or right != ranges:
            self._broken(
                f"the record of {domain} holds '{network[0][:80]}', which is no network of its kind"
            )
        return ranges

    def _hosts(self, name: str, target: str, four: str | None, six: str | None) -> RangeSet:
        hosts = [target]
        if name == "mx":
            answer = self._ask(target, "MX")
            hosts = [record.exchange.to_text(omit_final_dot=True) for record in answer.records]
            if len(hosts) > MX_HOSTS:
                self._broken(f"{target} has more than {MX_HOSTS} MX hosts")
            self._spf.void += answer.status != FOUND
        ranges = RangeSet()
        for host in hosts:
            answers = [self._ask(host, kind) for kind in ("A", "AAAA")]
            # Which of the two is asked depends on who sends, so that one that is there is enough.
            if name == "a":
                self._spf.void += all(answer.status != FOUND for answer in answers)
            for answer in answers:
                length = (four or "32") if answer.kind == "A" else (six or "128")
                for record in answer.records:
                    ranges |= _around(str(record.address), int(length))
        if self._spf.void > VOID_LOOKUPS:
            self._broken(f"more than {VOID_LOOKUPS} of its names are not there")
        return ranges

    def _ask(self, name: str, kind: str) -> Answer:
        answer = self._resolver.ask(name, kind)
        if not answer.known:
            self._spf.unknown = f"DNS does not say which {kind} records {name} has: {answer.why}"
            raise _Stop
        return answer

    def _count(self, domain: str) -> None:
        self._spf.lookups += 1
        if self._spf.lookups > LOOKUPS:
            self._broken(
                f"more than the {LOOKUPS} lookups are needed that are allowed, the last at {domain}"
            )

    def _broken(self, why: str) -> t.NoReturn:
        self._spf.error = why
        raise _Stop


def _around(address: str, length: int) -> RangeSet:
    """The network of a length around an address; host bits are no mistake here."""
    try:
        network = ipaddress.ip_network((address, length), strict=False)
    except ValueError:
        return RangeSet()
    return RangeSet.parse([str(network)])
