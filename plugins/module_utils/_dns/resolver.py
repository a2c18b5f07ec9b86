# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What DNS says of a name, in one of four ways, within a time.

`found`; `no data`, where the name is there and has no such record; `not there`, where DNS says so
(NXDOMAIN); and `unknown` for everything else: no answer, SERVFAIL, REFUSED, a server that does not
resolve, aliases that lead round in a circle. Unknown is never taken for one of the others.
"""

from __future__ import annotations

import functools
import threading
import time
import typing as t
import unicodedata
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    RangeError,
    parse_address,
)

FOUND, NO_DATA, NOT_THERE, UNKNOWN = "found", "no data", "not there", "unknown"
_ALIASES = 8  # Resolvers of today stop at 8 to 16.
_SILENT_ENOUGH = 4


class DnsError(Exception):
    """Why DNS cannot be asked at all, as a sentence."""


@dataclass(frozen=True)
class Answer:
    """What DNS says of one name and one kind of record.

    `records` are dnspython's, `aliases` the names that CNAMEs lead through, the last of them being
    the name that has the records. `why` says for `unknown` what happened, as half a sentence.
    """

    name: str
    kind: str
    status: str
    records: tuple[t.Any, ...] = ()
    aliases: tuple[str, ...] = ()
    why: str = ""

    @property
    def known(self) -> bool:
        """Whether DNS gave an answer, of whatever kind."""
        return self.status != UNKNOWN

    @property
    def owner(self) -> str:
        """The name that has the records, at the end of all aliases."""
        return self.aliases[-1] if self.aliases else self.name


@functools.lru_cache(maxsize=1 << 16)
def ascii_name(name: str) -> str:
    """A name as DNS has it: small letters, no dot at the end, IDNA. Raises ValueError."""
    text = str(name).strip().rstrip(".").lower()
    # IDNA would take a typographic quote for a letter.
    if not all(char in ".-_" or unicodedata.category(char)[0] in "LMN" for char in text):
        raise ValueError(f"'{name}' is not a name.")
    encoded = text if text.isascii() else text.encode("idna").decode("ascii")
    labels = encoded.split(".")
    if len(encoded) > 253 or not all(
        1 <= len(label) <= 63
        and label.replace("-", "").replace("_", "").isalnum()
        and not label.startswith("-")
        for label in labels
    ):
        raise ValueError(f"'{name}' is not a name.")
    return encoded


class Resolver:
    """Asks DNS servers, each question once, all of them together within `total` seconds.

    `server`: an address; the servers of this host where not set. `asked` counts what was sent.
    """

    def __init__(
        self,
        server: str | None = None,
        port: int = 53,
        *,
        seconds: float = 3.0,
        total: float = 60.0,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises DnsError."""
        try:
            import dns.exception
            import dns.flags
            import dns.message
            import dns.query
            import dns.rcode
            import dns.rdatatype
            import dns.resolver
            import dns.reversename
        except ImportError:
            raise DnsError(
                "Reading DNS needs the Python library dnspython on the host that reads, which is "
                "the controller where nothing else is said. Install it: pip install dnspython."
            ) from None
        self._dns: t.Any = dns
        if server is None:
            try:
                system = dns.resolver.Resolver()
            except dns.exception.DNSException:
                raise DnsError(
                    "This host has no DNS server in its configuration. Name one: resolver."
                ) from None
            self._servers = [str(each) for each in system.nameservers][:3]
            self._port = int(system.port)
        else:
            try:
                address = str(parse_address(server))
            except RangeError:
                raise DnsError(f"resolver is '{server}', which is not an address.") from None
            if not 1 <= port <= 65535:
                raise DnsError(f"resolver_port is {port}: it must be between 1 and 65535.")
            self._servers, self._port = [address], port
        self._seconds, self._clock = seconds, clock
        self._until = clock() + total
        self._total = total
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], Answer] = {}
        self._answered, self._silent = False, 0
        self.asked = 0

    @property
    def left(self) -> float:
        """The seconds that are left for all questions."""
        return self._until - self._clock()

    @property
    def over(self) -> str:
        """Why a question is unknown for which there was no time."""
        return f"the {self._total:g} seconds for all of DNS were over"

    def ask(self, name: str, kind: str) -> Answer:
        """What DNS says; never raises for what a server or a name does."""
        try:
            wanted = ascii_name(name)
        except (ValueError, UnicodeError):
            return Answer(name, kind, UNKNOWN, why="it is no name that DNS could be asked for")
        key = (wanted, kind)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            kept = self._chase(wanted, kind)
            with self._lock:
                self._kept[key] = kept
        return kept

    def pointer(self, address: str) -> Answer:
        """The names that an address says it has (PTR)."""
        name = self._dns.reversename.from_address(address).to_text(omit_final_dot=True)
        return self.ask(name, "PTR")

    def _chase(self, name: str, kind: str) -> Answer:
        """Follow aliases to their end, also where a server tells only the first of them."""
        through: list[str] = []
        current = name
        for _step in range(_ALIASES + 1):
            answer, why = self._exchange(current, kind)
            if answer is None:
                return Answer(name, kind, UNKNOWN, aliases=tuple(through), why=why)
            records, aliases, circle = self._read(answer, current, kind)
            if circle or any(alias in (name, *through) for alias in aliases):
                return Answer(
                    name, kind, UNKNOWN, aliases=tuple(through),
                    why="its aliases (CNAME) lead round in a circle",
                )  # fmt: skip
            through += aliases
            if records:
                return Answer(name, kind, FOUND, records, tuple(through))
            if answer.rcode() == self._dns.rcode.NXDOMAIN:
                return Answer(name, kind, NOT_THERE, aliases=tuple(through))
            if not aliases or self._denied(answer):
                return self._without(answer, name, kind, tuple(through))
            current = aliases[-1]
        return Answer(
            name, kind, UNKNOWN, aliases=tuple(through),
            why=f"more than {_ALIASES} aliases (CNAME) follow one another",
        )  # fmt: skip

    def _without(self, answer: t.Any, name: str, kind: str, through: tuple[str, ...]) -> Answer:
        """No record: said by who may say it, or by a server that only points elsewhere."""
        flags = self._dns.flags
        if not answer.flags & (flags.AA | flags.RA) and not self._denied(answer):
            why = "the server that was asked does not resolve names for us"
            return Answer(name, kind, UNKNOWN, aliases=through, why=why)
        return Answer(name, kind, NO_DATA, aliases=through)

    def _denied(self, answer: t.Any) -> bool:
        """Whether the answer brings the SOA record that goes with "no such record" (RFC 2308)."""
        soa = self._dns.rdatatype.SOA
        return any(each.rdtype == soa for each in answer.authority)

    def _read(
        self, answer: t.Any, name: str, kind: str
    ) -> tuple[tuple[t.Any, ...], list[str], bool]:
        """Records at the end of the aliases, the aliases, and whether these are a circle."""
        types = self._dns.rdatatype
        wanted = types.from_text(kind)
        by_name: dict[tuple[str, t.Any], list[t.Any]] = {}
        for rrset in answer.answer:
            owner = rrset.name.to_text(omit_final_dot=True).lower()
            by_name.setdefault((owner, rrset.rdtype), []).extend(rrset)
        aliases: list[str] = []
        current = name
        while (current, wanted) not in by_name:
            onward = by_name.get((current, types.CNAME))
            if not onward or wanted == types.CNAME:
                return (), aliases, False
            current = onward[0].target.to_text(omit_final_dot=True).lower()
            if current in (name, *aliases):
                return (), aliases, True
            aliases.append(current)
        return tuple(by_name[current, wanted]), aliases, False

    def _exchange(self, name: str, kind: str) -> tuple[t.Any, str]:
        """One answer that says something, or why there is none. Each server is asked twice."""
        why = "no server was asked"
        for server in self._servers * 2:
            left = self.left
            if left <= 0:
                return None, self.over
            with self._lock:
                given_up = not self._answered and self._silent >= _SILENT_ENOUGH
                self.asked += not given_up
            if given_up:
                return None, f"no DNS server answers ({', '.join(self._servers)})"
            answer, why = self._once(server, name, kind, min(self._seconds, left))
            with self._lock:
                if answer is None and "no answer" in why:
                    self._silent += 1
                elif answer is not None:
                    self._answered = True
            if answer is not None and answer.rcode() in (
                self._dns.rcode.NOERROR,
                self._dns.rcode.NXDOMAIN,
            ):
                return answer, ""
            if answer is not None:
                said = self._dns.rcode.to_text(answer.rcode())
                why = f"the DNS server {server} answers {said}"
        return None, why

    def _once(self, server: str, name: str, kind: str, seconds: float) -> tuple[t.Any, str]:
        dns = self._dns
        try:
            query = dns.message.make_query(name, kind)
            answer, _by_tcp = dns.query.udp_with_fallback(
                query, server, timeout=seconds, port=self._port, ignore_unexpected=True
            )
        except dns.exception.Timeout:
            return None, f"there is no answer from {server} within {seconds:.3g} seconds"
        except (dns.exception.DNSException, OSError, EOFError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            return None, f"there is no answer from {server} that can be read ({reason})"
        return answer, ""
