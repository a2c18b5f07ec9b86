# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reading without the names of its site: hosts, domains, people and public addresses are
replaced, each by the same wherever it stands, and what people wrote in comments is left out.

What Microsoft, Fortinet and the filtering providers call their things stays, for the rules that are
judged are told by it.
"""

from __future__ import annotations

import random
import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError, RangeSet
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.addresses import Addresses
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import load

Table = dict[str, dict[str, str]]

SITE = "site"

# Fields that hold names in DNS, wherever they stand.
_WITH_NAMES = frozenset(
    {
        *("Fqdn", "SmartHosts", "AddressSpaces", "TlsDomain", "CertificateDomains", "DomainName"),
        *("DefaultDomain", "ServiceDiscoveryFqdn", "Banner", "TlsCertificateName", "Subject"),
        *("TlsDomainCapabilities", "InternalUrl", "ExternalUrl", "InternalNLBBypassUrl"),
        *("InternalHostname", "ExternalHostname", "AutoDiscoverServiceInternalUri", "Domains"),
        *("subject", "issuer", "fqdn", "resource", "domains", "OriginatingServer", "mapped-addr"),
        *("AuthenticationCredential.UserName", "data"),
    }
)
# Fields that hold what people say.
_FREE = frozenset({"Comment", "comment", "comments", "Description", "AdminDisplayName"})
_FREE_TOKEN = re.compile(r"\|Desc=[^|]*")
# By a thumbprint and a serial number anybody can look up whose it is.
_MARKS = frozenset({"Thumbprint", "thumbprint", "serial"})
# Of the name of a certificate, what is not the host's.
_OWNERS = re.compile(r"(?<![A-Za-z<])(O|OU|L|ST|S|STREET|E|SERIALNUMBER)=(?:\"[^\"]*\"|[^,<]*)")
_CERTIFICATES = frozenset({"Subject", "subject", "issuer", "TlsCertificateName"})
# Fields in which four numbers are a version, and what was asked.
_NO_ADDRESSES = frozenset({"version", "product", "powershell", "steps", "serial", "Version"})
# What may stand beside the host in an address.
_URL_PATH = re.compile(r"(?<=://)([^/\s]*)/\S*")
_FQDN = re.compile(r"(?<![\w.-])(?:[A-Za-z0-9_-]+\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9](?![\w-])")
_SECOND_LEVEL = frozenset({"co", "com", "org", "net", "ac", "gov", "or", "gv"})
# Labels that say what a host is for, and not whose it is.
_PLAIN_LABELS = re.compile(
    r"(?i)(?:mail|mx|smtp|imap|pop|owa|www|remote|webmail|autodiscover|out|in|relay|edge|dc)\d{0,2}"
)
_OF_OTHERS = (
    *("outlook.com", "onmicrosoft.com", "office.com", "office365.com", "microsoft.com"),
    *("windows.net", "microsoftonline.com", "windowsupdate.com"),
)
_TENANT = re.compile(r"(?i)\b([a-z0-9-]+)(?=\.(?:mail\.)?onmicrosoft\.com)")
# Accounts that Windows and Exchange bring; every other one is somebody's.
_OWN_ACCOUNTS = re.compile(
    r"(?i)(?:.*\\)?(?:exchange .*|exchangelegacyinterop|organization management|.*admins?"
    r"|administrator(?:s|en)?|delegated setup|public folder management|server management"
    r"|managed availability servers|domain .*|enterprise .*|system|network service|self|everyone)"
)
_OWN_AUTHORITIES = (
    "NT AUTHORITY\\",
    "BUILTIN\\",
    "MS EXCHANGE\\",
    "NT-AUTORITÄT\\",
    "VORDEFINIERT\\",
)
_SETUP = re.compile(
    r"(?i)(?:default|client|outbound proxy|windows sbs|default internal receive connector)\b"
)
# Of a firewall, what people name; and what they did not.
_NAMED_TABLES = {
    "firewall/address": "address",
    "firewall/address6": "address six",
    "firewall/addrgrp": "group",
    "firewall/addrgrp6": "group six",
    "firewall/vip": "virtual IP",
    "firewall/vip6": "virtual IP six",
    "firewall/vipgrp": "virtual IPs",
    "firewall/policy": "policy",
    "firewall/policy6": "policy six",
    "system/external-resource": "feed",
}
_KEEPS = frozenset({"all", "none", "any", "always"})
# Words of the trade, which are nobody's name though a domain may begin with them.
_TRADE = frozenset(
    {
        *("exchange", "server", "mail", "internet", "default", "client", "office", "microsoft"),
        *("windows", "outlook", "proxy", "frontend", "transport", "domain", "local", "firewall"),
        *("accept", "deny", "enable", "disable", "system", "online", "company", "site"),
    }
)
# Fields that hold the name of a connector, and those that hold one of a firewall's entries.
_OF_CONNECTORS, _OF_ENTRIES = ("Name", "Identity"), ("name", "q_origin_key", "fortigate_vips")
_OWN_NAME = re.compile(r"CN=(?:[^,\\]|\\.)+(?=,CN=(?:SMTP Receive Connectors|Connections),)")
_ORGANIZATION = re.compile(r"CN=((?:[^,\\]|\\.)+)(?=,CN=Microsoft Exchange,CN=Services)")


def replaced(
    data: t.Mapping[str, t.Any], chance: random.Random | None = None
) -> tuple[dict[str, t.Any], Table]:
    """The reading with other names, and the table of what became what."""
    names = _Names(data)
    addresses = Addresses(_texts(data), _stays(data), chance)
    made = t.cast("dict[str, t.Any]", _walk(data, names, addresses, ""))
    made["site"] = SITE
    if made.get("firewall"):
        entries = made["firewall"].get("entries") or {}
        made["firewall"]["entries"] = {
            names.entries.get(name, name): held for name, held in entries.items()
        }
    made["hosts"] = {
        names.hosts[host]: reading for host, reading in zip(data["hosts"], made["hosts"].values())
    }
    return made, {
        "sites": {str(data["site"]): SITE},
        "hosts": dict(names.hosts),
        "certificates and devices": dict(names.marks),
        "names": {**names.connectors, **names.entries, **names.exact, **names.words},
        "networks": addresses.table(),
        "not replaced": dict.fromkeys(addresses.untouched, "there was no room for it"),
    }


def _stays(data: t.Mapping[str, t.Any]) -> RangeSet:
    """The ranges of providers, which are no secret of anybody's."""
    ranges = RangeSet(interval for entry in load() for interval in entry.ranges.intervals)
    for text in (data.get("described") or {}).get("provider_ranges") or ():
        try:
            ranges |= RangeSet.parse([str(text)])
        except RangeError:
            continue
    return ranges


def _texts(value: t.Any, field: str = "") -> t.Iterator[str]:
    if field in _NO_ADDRESSES:
        return
    if isinstance(value, t.Mapping):
        for name, inner in value.items():
            yield from _texts(inner, str(name))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner, field)
    elif isinstance(value, str):
        yield value


def _walk(value: t.Any, names: _Names, addresses: Addresses, field: str) -> t.Any:
    if isinstance(value, t.Mapping):
        return {name: _walk(inner, names, addresses, str(name)) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_walk(inner, names, addresses, field) for inner in value]
    if not isinstance(value, str):
        return value
    if field in _FREE:
        return ""
    if field in _MARKS:
        return names.mark(value)
    if field in _CERTIFICATES:
        value = _OWNERS.sub(r"\1=somebody", value)
    text = names.text(_FREE_TOKEN.sub("", value), field)
    return text if field in _NO_ADDRESSES else addresses.text(text)


class _Names:
    """What becomes of each name. `connectors` and `entries` of a firewall are replaced where they
    stand alone; `exact` words within other texts as they are written, and `words` however they are.
    """

    def __init__(self, data: t.Mapping[str, t.Any]) -> None:
        self.hosts: dict[str, str] = {}
        self.connectors: dict[str, str] = {}
        self.entries: dict[str, str] = {}
        self.marks: dict[str, str] = {}
        self.exact: dict[str, str] = {}
        self.words: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._count: dict[str, int] = {}
        self._others = {*_OF_OTHERS, *_provider_names()}
        for number, (host, reading) in enumerate(data["hosts"].items(), 1):
            self.hosts[str(host)] = f"{SITE}-srv{number}"
            self._server(reading, number)
        for field, text in _fields(data):
            bare = _URL_PATH.sub(r"\1", text)
            for name in _FQDN.findall(bare) if field in _WITH_NAMES else ():
                self._domain(name)
            for tenant in _TENANT.findall(text):
                self._word(tenant, "tenant")
        for reading in data["hosts"].values():
            self._people(reading)
        self._word(str(data["site"]), "", SITE)
        tables = (data.get("firewall") or {}).get("tables") or {}
        kept = {
            str(row.get("name"))
            for path in ("system/interface", "system/zone", "firewall.service/custom")
            for row in tables.get(path) or ()
        }
        for path, noun in _NAMED_TABLES.items():
            for row in tables.get(path) or ():
                self._entry(str(row.get("name") or ""), noun, kept)
        self._folded = {word.casefold(): made for word, made in self.words.items()}
        self._find = _any_of(self.words, re.IGNORECASE)
        self._find_exact = _any_of(self.exact)

    def text(self, text: str, field: str) -> str:
        """A text with its names replaced."""
        if field in _OF_CONNECTORS and text in self.connectors:
            return self.connectors[text]
        if field in _OF_ENTRIES and text in self.entries:
            return self.entries[text]
        text = self._find_exact.sub(lambda match: self.exact[match[0]], text)
        text = _FQDN.sub(lambda match: self._host_name(match[0]), text)
        return self._find.sub(lambda match: self._folded[match[0].casefold()], text)

    def mark(self, text: str) -> str:
        """What becomes of a thumbprint or a serial number."""
        if text and text not in self.marks:
            self.marks[text] = f"{len(self.marks) + 1:0{len(text)}X}"
        return self.marks.get(text, "")

    def _next(self, noun: str) -> str:
        self._count[noun] = self._count.get(noun, 0) + 1
        return f"{noun}{self._count[noun]}"

    def _word(self, word: str, noun: str, made: str = "") -> None:
        folded = word.casefold()
        if len(word) > 3 and folded not in _TRADE and folded not in map(str.casefold, self.words):
            self.words[word] = made or self._next(noun)

    def _entry(self, name: str, noun: str, kept: t.Collection[str]) -> None:
        if name and name.casefold() not in _KEEPS and name not in (*kept, *self.entries):
            self.entries[name] = self._next(f"{noun} ")

    def _server(self, reading: t.Mapping[str, t.Any], number: int) -> None:
        facts, answers = reading["host"], reading["answers"]
        # As Windows writes it: in small letters it may be a word.
        self.exact[str(facts["name"])] = f"SRV{number}"
        fqdn = str(facts.get("fqdn") or "")
        self._domain(fqdn)
        for row in (answers.get("rights") or {}).get("rows") or ():
            domain, backslash, account = str(row.get("User") or "").partition("\\")
            if backslash and account == "Exchange Servers" and domain != "MS Exchange":
                made = self.words.get(self._base(fqdn), "company1.example").partition(".")[0]
                self.exact[domain] = made.upper()
        for step in ("receive", "send"):
            for row in (answers.get(step) or {}).get("rows") or ():
                name, place = str(row.get("Name") or ""), str(row.get("DistinguishedName") or "")
                if name and not _SETUP.match(name):
                    self._connector(name, place, str(row.get("Identity") or ""), step)
                match = _ORGANIZATION.search(place)
                if match and match[1] != "First Organization":
                    self._word(match[1], "", "First Organization")

    def _connector(self, name: str, place: str, identity: str, step: str) -> None:
        if name not in self.connectors:
            self.connectors[name] = self._next(f"{step} connector ")
        made = self.connectors[name]
        server, backslash, _rest = identity.partition("\\")
        if backslash:
            self.connectors[identity] = f"{self.exact.get(server, server)}\\{made}"
        # In the directory it is written in another way, and is part of a longer name.
        match = _OWN_NAME.match(place)
        if match:
            self.exact[match[0]] = f"CN={made}"

    def _people(self, reading: t.Mapping[str, t.Any]) -> None:
        facts = reading["host"]
        known = {str(facts.get(f"{name}_account")) for name in ("anonymous", "everyone", "users")}
        for row in (reading["answers"].get("rights") or {}).get("rows") or ():
            user = str(row.get("User") or "")
            if user in known or user.upper().startswith(_OWN_AUTHORITIES):
                continue
            if not _OWN_ACCOUNTS.fullmatch(user):
                self._person(user.rpartition("\\")[2])
        for row in (reading["answers"].get("send") or {}).get("rows") or ():
            login = str(row.get("AuthenticationCredential.UserName") or "")
            self._person(login.rpartition("\\")[2].partition("@")[0])

    def _person(self, name: str) -> None:
        if name and name not in self.exact:
            self.exact[name] = self._next("user")

    # ------------------------------------------------------------ names in DNS

    def _foreign(self, name: str) -> bool:
        folded = name.casefold()
        return any(folded == known or folded.endswith(f".{known}") for known in self._others)

    @staticmethod
    def _base(name: str) -> str:
        labels = name.casefold().split(".")
        several = len(labels) > 2 and labels[-2] in _SECOND_LEVEL and len(labels[-1]) == 2
        return ".".join(labels[-3 if several else -2 :])

    def _domain(self, name: str) -> None:
        """Learn the domain that a name is of."""
        if "." not in name or self._foreign(name):
            return
        base = self._base(name)
        if base in self.words:
            return
        made = self._next("company")
        self.words[base] = f"{made}.example"
        self.words[",".join(f"DC={label}" for label in base.split("."))] = f"DC={made},DC=example"
        # Also within the names of connectors and the like.
        self._word(base.partition(".")[0], "", made)

    def _host_name(self, name: str) -> str:
        base = self._base(name)
        if self._foreign(name) or base not in self.words:
            return name
        labels = name[: -len(base)].rstrip(".").split(".") if len(name) > len(base) else []
        return ".".join([*map(self._label, labels), self.words[base]])

    def _label(self, label: str) -> str:
        folded = label.casefold()
        if folded in ("", "*") or _PLAIN_LABELS.fullmatch(label):
            return label
        known = {word.casefold(): made for word, made in {**self.exact, **self.words}.items()}
        if folded in known:
            return known[folded].casefold()
        if folded not in self._labels:
            self._labels[folded] = self._next("host")
        return self._labels[folded]


def _any_of(words: t.Iterable[str], flags: int = 0) -> re.Pattern[str]:
    """Any of these words within a text; of two names the one that holds the other."""
    alternatives = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    # Without any word, what is nowhere.
    return re.compile(rf"(?<![A-Za-z0-9])(?:{alternatives or '(?!)'})(?![A-Za-z0-9])", flags)


def _provider_names() -> t.Iterator[str]:
    for entry in load():
        for name in (*entry.mx_suffixes, *entry.smart_hosts, *entry.tls_cert_names):
            yield name.lstrip("*.").casefold()


def _fields(value: t.Any, field: str = "") -> t.Iterator[tuple[str, str]]:
    if isinstance(value, t.Mapping):
        for name, inner in value.items():
            yield from _fields(inner, str(name))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _fields(inner, field)
    elif isinstance(value, str):
        yield field, value
