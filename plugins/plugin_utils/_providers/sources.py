# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How providers tell their ranges: Microsoft's web service, DNS, an SPF chain, a plain list."""

from __future__ import annotations

import http.client
import json
import re
import typing as t
import urllib.error
import urllib.parse
import uuid

from ansible.module_utils.urls import ConnectionError as UrlConnectionError
from ansible.module_utils.urls import SSLValidationError, open_url

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    RangeError,
    RangeSet,
    parse_range,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import (
    ProviderError,
)

_LARGEST = 5_000_000
_LOOKUPS = 10  # RFC 7208, section 4.6.4
_VOID_LOOKUPS = 2
_MECHANISM = re.compile(r"([+?~-]?)([A-Za-z0-9]+)(?:[:=]([^/]*))?(?:/(\d+))?(?://(\d+))?")
_NETWORK = re.compile(r"([+?~-]?)ip[46]:(.+)", re.IGNORECASE)


# ------------------------------------------------------------ over HTTP


def _fetch(url: str, timeout: float, *, ca_path: str | None) -> tuple[str, str]:
    """The text that an address answers with, and its type. Raises ProviderError."""
    if not url.lower().startswith(("https://", "http://")):
        raise ProviderError(f"'{url}' is not an http or https address.")
    try:
        with open_url(
            url,
            timeout=timeout,
            follow_redirects="none",
            ca_path=ca_path,
            http_agent="mailedge.lockdown",
        ) as answer:
            status, kind = answer.getcode(), str(answer.headers.get("Content-Type") or "")
            length = answer.headers.get("Content-Length")
            data = answer.read(_LARGEST + 1)
    except urllib.error.HTTPError as error:
        with error:
            moved = (
                f" It sends us to {error.headers.get('Location')}, which is not followed."
                if 300 <= error.code < 400
                else ""
            )
            raise ProviderError(f"{url} answers with HTTP {error.code}.{moved}") from None
    except (
        urllib.error.URLError,
        UrlConnectionError,
        SSLValidationError,
        http.client.HTTPException,
        OSError,
        ValueError,
    ) as error:
        raise ProviderError(
            f"{url} cannot be read: {' '.join(str(error).split()) or type(error).__name__}."
        ) from None
    if status != 200:
        raise ProviderError(f"{url} answers with HTTP {status}.")
    if len(data) > _LARGEST:
        raise ProviderError(f"{url} answers with more than {_LARGEST} bytes.")
    if length is not None and len(data) != int(length):
        raise ProviderError(f"{url} ended after {len(data)} of {length} bytes.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ProviderError(f"{url} does not answer with text.") from None
    if text.lstrip()[:1] == "<" or "html" in kind.lower():
        raise ProviderError(f"{url} answers with a page for people, and not with a list.")
    return text, kind


def _ranges(texts: t.Iterable[t.Any], url: str) -> RangeSet:
    intervals = []
    for text in texts:
        try:
            intervals.append(parse_range(text))
        except (RangeError, TypeError, AttributeError):
            raise ProviderError(f"{url} holds {str(text)[:80]!r}, which is not a range.") from None
    return RangeSet(intervals)


def read_list(url: str, *, timeout: float = 30, ca_path: str | None = None) -> RangeSet:
    """A plain list: one range a line, or a JSON list of them.

    Empty lines and what follows a # are passed over. Raises ProviderError.
    """
    text, kind = _fetch(url, timeout, ca_path=ca_path)
    if "json" in kind.lower() or text.lstrip()[:1] in ("[", "{"):
        try:
            document = json.loads(text)
        except ValueError:
            raise ProviderError(f"{url} answers with JSON that cannot be read.") from None
        if not isinstance(document, list):
            raise ProviderError(f"{url} answers with JSON that is not a list.")
        return _ranges(document, url)
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return _ranges([line for line in lines if line], url)


def read_microsoft(url: str, *, timeout: float = 30, ca_path: str | None = None) -> RangeSet:
    """Microsoft's web service of endpoints: the addresses that deliver mail on port 25.

    Raises ProviderError.

    It is the endpoint set whose port is 25 and whose host names are those of Exchange Online
    Protection; its number (10) is not relied on.
    """
    query = {"ServiceAreas": "Exchange", "clientrequestid": str(uuid.uuid4())}
    text, _kind = _fetch(f"{url}?{urllib.parse.urlencode(query)}", timeout, ca_path=ca_path)
    try:
        addresses: list[str] = []
        document = json.loads(text)
        if not isinstance(document, list):
            raise TypeError("no list of endpoints")
        for endpoint in document:
            names = [str(name) for name in endpoint.get("urls") or ()]
            ports = [port.strip() for port in str(endpoint.get("tcpPorts") or "").split(",")]
            if "25" in ports and any(
                name.endswith("mail.protection.outlook.com") for name in names
            ):
                addresses.extend(endpoint.get("ips") or ())
    except (ValueError, TypeError, AttributeError):
        raise ProviderError(
            f"{url} answers with JSON that is not that of Microsoft's endpoint service."
        ) from None
    if not addresses:
        raise ProviderError(f"{url} names no addresses that deliver mail on port 25.")
    return _ranges(addresses, url)


# ------------------------------------------------------------ over DNS


class Names:
    """Asks DNS. `resolver`: an address, with a port after a #; the system's own where not set.

    Counts what it asks.
    """

    def __init__(self, resolver: str | None = None, timeout: float = 30) -> None:
        try:
            import dns.exception
            import dns.resolver
        except ImportError:
            raise ProviderError(
                "Reading DNS needs the Python library dnspython on the controller. Install it, or "
                "name the ranges by hand."
            ) from None
        self._dns: t.Any = dns
        self._resolver = dns.resolver.Resolver(configure=resolver is None)
        if resolver is not None:
            address, _hash, port = resolver.partition("#")
            self._resolver.nameservers, self._resolver.port = [address], int(port or 53)
        self._resolver.lifetime = timeout
        self._resolver.cache = None

    def ask(self, name: str, kind: str) -> list[t.Any]:
        """The records; none where the name has none of that kind, or is not there.

        Raises ProviderError.
        """
        try:
            return list(self._resolver.resolve(name, kind, search=False))
        except (self._dns.resolver.NoAnswer, self._dns.resolver.NXDOMAIN):
            return []
        except (self._dns.exception.DNSException, OSError, ValueError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ProviderError(f"DNS does not answer for {kind} of {name}: {reason}.") from None

    def addresses(self, name: str) -> list[str]:
        """The addresses of a host, of both versions."""
        return [str(record.address) for kind in ("A", "AAAA") for record in self.ask(name, kind)]


def read_dns(hosts: str, names: Names) -> RangeSet:
    """The addresses of host names, which are parted by blanks. Raises ProviderError.

    Each must have one: a name that is gone may mean that its addresses are, or that the list is of
    old.
    """
    addresses_of = {host: names.addresses(host) for host in hosts.split()}
    without = [host for host, addresses in addresses_of.items() if not addresses]
    if not addresses_of:
        raise ProviderError("No host name is given whose addresses could be read.")
    if without:
        raise ProviderError(f"DNS has no addresses for {', '.join(without)}.")
    return _ranges([address for addresses in addresses_of.values() for address in addresses], hosts)


def read_spf(domain: str, names: Names) -> RangeSet:
    """Everything that the SPF record of a domain passes, through includes and redirects (RFC 7208).

    Raises ProviderError.
    """
    return _Chain(names).follow(domain, ())


class _Chain:
    def __init__(self, names: Names) -> None:
        self._names = names
        self._lookups = 0
        self._void = 0

    def follow(self, domain: str, above: tuple[str, ...]) -> RangeSet:
        domain = domain.rstrip(".").lower()
        if domain in above:
            raise ProviderError(f"The SPF record of {domain} includes itself.")
        passed = RangeSet(())
        redirect = ""
        terms = self._record(domain)
        for term in terms:
            if "%" in term:
                raise ProviderError(
                    f"The SPF record of {domain} has a macro ({term[:80]}), which names no fixed "
                    "addresses."
                )
            network = _NETWORK.fullmatch(term)
            if network:
                if network[1] in ("", "+"):
                    passed |= _ranges([network[2]], f"the SPF record of {domain}")
                continue
            if term.lower().startswith("redirect="):
                redirect = term.partition("=")[2]
                continue
            passed |= self._mechanism(term, domain, (*above, domain))
        if redirect and not any(term.lower().lstrip("+-~?") == "all" for term in terms):
            self._count(domain)
            passed |= self.follow(redirect, (*above, domain))
        return passed

    def _record(self, domain: str) -> list[str]:
        texts = [
            b"".join(record.strings).decode("ascii", "replace")
            for record in self._names.ask(domain, "TXT")
        ]
        records = [text for text in texts if text.lower().split(" ")[0] == "v=spf1"]
        if len(records) != 1:
            what = (
                "no SPF record"
                if not records
                else f"{len(records)} SPF records, where one is allowed"
            )
            raise ProviderError(f"{domain} has {what}.")
        return records[0].split()[1:]

    def _mechanism(self, term: str, domain: str, above: tuple[str, ...]) -> RangeSet:
        parts = _MECHANISM.fullmatch(term)
        if parts is None:
            raise ProviderError(
                f"The SPF record of {domain} holds '{term[:80]}', which cannot be read."
            )
        sign, name, target = parts[1], parts[2].lower(), parts[3] or domain
        nothing = RangeSet(())
        if name == "all":
            if sign in ("", "+"):
                raise ProviderError(f"The SPF record of {domain} passes everybody (+all).")
            return nothing
        if name in ("exp", "ra", "rp", "rr"):
            return nothing
        if name not in ("include", "a", "mx"):
            raise ProviderError(
                f"The SPF record of {domain} holds '{term[:80]}', which names no fixed addresses."
            )
        self._count(domain)
        if sign not in ("", "+"):
            return nothing
        if name == "include":
            return self.follow(target, above)
        hosts = (
            [str(record.exchange) for record in self._names.ask(target, "MX")]
            if name == "mx"
            else [target]
        )
        addresses = [
            address for host in hosts[:_LOOKUPS] for address in self._names.addresses(host)
        ]
        if not addresses:
            self._void += 1
            if self._void > _VOID_LOOKUPS:
                raise ProviderError(
                    f"The SPF record of {domain} names too many hosts that have no address."
                )
        lengths = {4: parts[4] or "32", 6: parts[5] or "128"}
        return RangeSet(
            interval
            for address in addresses
            for interval in RangeSet.parse(
                [f"{address}/{lengths[6 if ':' in address else 4]}"]
            ).intervals
        )

    def _count(self, domain: str) -> None:
        self._lookups += 1
        if self._lookups > _LOOKUPS:
            raise ProviderError(
                f"The SPF record of {domain} needs more than the {_LOOKUPS} lookups that are "
                "allowed."
            )
