# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found in the DNS of a site's domains, as findings."""

from __future__ import annotations

import types
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns import policies, spf
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.finding import (
    CRITICAL,
    NOTE,
    OK,
    UNKNOWN,
    WARNING,
    DnsFinding,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.names import (
    KINDS,
    Name,
    Names,
    under,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.resolver import (
    NOT_THERE,
    Resolver,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    RangeError,
    RangeSet,
    parse_address,
)

_WIDE = {4: 1 << (32 - 10), 6: 1 << (128 - 24)}  # As of who is named anywhere: _ranges_guards.


@dataclass(frozen=True)
class Described:
    """What the site says that DNS has to fit to."""

    mx_suffixes: tuple[str, ...] = ()
    smart_hosts: tuple[str, ...] = ()
    fetch: bool = True
    ca_path: str | None = None
    https_port: int = 443
    domains: tuple[str, ...] = field(default_factory=tuple)


def findings(
    names: Names, described: Described, resolver: Resolver, pointers: t.Mapping[str, Pointer]
) -> list[DnsFinding]:
    """Everything that is found, in the order of domains and names."""
    findings_of_domain: list[DnsFinding] = []
    for domain in described.domains:
        findings_of_domain += _mx(domain, names, described)
        findings_of_domain += _spf(domain, described, resolver)
        findings_of_domain += _dmarc(domain, resolver)
        findings_of_domain += _mta_sts(domain, names, described, resolver)
        findings_of_domain += _tls_rpt(domain, resolver)
        findings_of_domain += _wildcard(domain, names)
    for name in names.names.values():
        findings_of_domain += _name(name)
    outside = [
        f"{each.name} ({each.why}; told by {', '.join(each.sources)})"
        for each in names.outside.values()
    ]
    if outside:
        sentence = f"Not looked at: {'; '.join(outside)}."
        remedy = "Name the domain of those that are the site's own."
        findings_of_domain.append(DnsFinding("not_looked_at", NOTE, "names", sentence, remedy))
    return _in_few([*findings_of_domain, *_pointers(pointers)], resolver.over)


_NOT_IN_TIME: t.Mapping[str, str] = types.MappingProxyType(
    {
        "dmarc": "The DMARC policy of {0} domains is not known",
        "mta_sts": "The MTA-STS policy of {0} domains is not known",
        "mx": "Where mail for {0} domains goes is not known",
        "name_unknown": "Where {0} names lead is not known, which closes nothing",
        "ptr": "The PTR records of {0} addresses are not known",
        "spf": "Who may send for {0} domains is not known",
        "spf_smart_hosts": "Whether the SPF records of {0} domains name who sends is not known",
        "tls_rpt": "TLS-RPT of {0} domains is not known",
    }
)
_FEW = 3


def _in_few(all_findings: t.Sequence[DnsFinding], over: str) -> list[DnsFinding]:
    """The findings, those for which there was no time in one of each kind: a site with hundreds of
    domains has thousands of them.
    """
    late: dict[str, list[DnsFinding]] = {}
    for each in all_findings:
        if over in each.sentence and each.severity in (UNKNOWN, NOTE) and each.id in _NOT_IN_TIME:
            late.setdefault(each.id, []).append(each)
    many = {name: each for name, each in late.items() if len(each) > _FEW}
    left_out = {id(each) for those in many.values() for each in those}
    told = [each for each in all_findings if id(each) not in left_out]
    for name, those in many.items():
        what = _NOT_IN_TIME[name].format(len(those))
        about = [each.about for each in those]
        more = f" and {len(about) - _FEW} more"
        sentence = f"{what}, because {over}: {', '.join(about[:_FEW])}{more}."
        remedy = "Give it more time (time_limit), or describe fewer domains for one site."
        told.append(DnsFinding(name, those[0].severity, f"{len(about)} more", sentence, remedy))
    return told


def _mx(domain: str, names: Names, described: Described) -> t.Iterator[DnsFinding]:
    answer = names.mx[domain]
    hosts = names.hosts_of(domain)
    if not answer.known:
        sentence = f"DNS does not say where mail for {domain} goes: {answer.why}."
        remedy = "See that the DNS server answers, or name another one."
        yield DnsFinding("mx", UNKNOWN, domain, sentence, remedy)
        return
    if answer.status == NOT_THERE:
        sentence = f"DNS says that there is no domain {domain}."
        remedy = "Correct its name, or leave it out."
        yield DnsFinding("domain", CRITICAL, domain, sentence, remedy)
        return
    if hosts == ["."]:
        yield DnsFinding("mx", OK, domain, f"{domain} says that it takes no mail (null MX).")
        return
    if not hosts:
        sentence = f"{domain} has no MX record, so that mail goes to its own address."
        remedy = "Point its MX records to the filtering provider, or say that it takes no mail."
        yield DnsFinding("mx", CRITICAL, domain, sentence, remedy)
        return
    if not described.mx_suffixes:
        sentence = (
            f"Mail for {domain} goes to {', '.join(hosts)}. Whether that is the filtering provider "
            "is not known."
        )
        remedy = "Say what the names of its MX hosts end with."
        yield DnsFinding("mx", NOTE, domain, sentence, remedy)
        return
    unknown: list[str] = []
    beside: list[str] = []
    for host in hosts:
        entry = names.names.get(host)
        ends = {each.owner for each in entry.answers.values()} if entry else {host}
        if not any(under(end, described.mx_suffixes) for end in {host, *ends}):
            (unknown if entry and entry.unknown else beside).append(host)
    if beside:
        sentence = f"Mail for {domain} goes past the filter: its MX records name {_and(beside)}."
        remedy = "Remove these MX records: senders of spam take the last of them first."
        yield DnsFinding("mx", CRITICAL, domain, sentence, remedy)
    if unknown:
        sentence = f"DNS does not say where the MX hosts {_and(unknown)} of {domain} lead."
        remedy = "See that DNS answers for them."
        yield DnsFinding("mx", UNKNOWN, domain, sentence, remedy)
    if not beside and not unknown:
        sentence = f"Mail for {domain} goes to the filtering provider alone ({', '.join(hosts)})."
        yield DnsFinding("mx", OK, domain, sentence)


def _spf(domain: str, described: Described, resolver: Resolver) -> t.Iterator[DnsFinding]:
    read = spf.read(domain, resolver)
    if read.unknown:
        sentence = f"Who may send for {domain} cannot be told: {read.unknown}."
        yield DnsFinding("spf", UNKNOWN, domain, sentence, "See that DNS answers for it.")
        return
    if read.missing:
        sentence = f"{read.missing}, so that anybody may send in its name."
        remedy = "Publish a record that names who sends and ends with -all."
        yield DnsFinding("spf", WARNING, domain, sentence, remedy)
        return
    if read.error:
        sentence = f"The SPF record of {domain} is an error to who reads it: {read.error}."
        yield DnsFinding("spf", CRITICAL, domain, sentence, "Correct the record.")
        return
    wide = [str(each) for each in read.passed.intervals if each.size > _WIDE[each.version]]
    if read.ends == "+" or wide:
        who = "everybody" if read.ends == "+" else _and(wide)
        sentence = f"The SPF record of {domain} lets {who} send in its name."
        remedy = "Name only who sends, and end the record with -all."
        yield DnsFinding("spf", CRITICAL, domain, sentence, remedy)
    elif read.ends not in ("-", "~"):
        sentence = f"The SPF record of {domain} does not say that others may not send."
        yield DnsFinding("spf", WARNING, domain, sentence, "End it with -all.")
    else:
        sentence = f"The SPF record of {domain} needs {read.lookups} of {spf.LOOKUPS} lookups."
        yield DnsFinding("spf", OK, domain, sentence)
    yield from _smart_hosts(domain, read, described, resolver)


def _smart_hosts(
    domain: str, read: spf.Spf, described: Described, resolver: Resolver
) -> t.Iterator[DnsFinding]:
    """Whether the hosts that send for the domain may.

    A provider may send from other addresses than those that its smart host listens on: what is
    found is a warning.
    """
    lacking: list[str] = []
    unknown: list[str] = []
    for host in described.smart_hosts:
        addresses, untold = _addresses(host, resolver)
        if untold or not addresses:
            unknown.append(host)
        elif not all(address in read.passed for address in addresses):
            lacking.append(host)
    if unknown or (lacking and not read.whole):
        what = [*unknown, *(lacking if not read.whole else ())]
        sentence = f"Whether the SPF record of {domain} names {_and(what)} cannot be told."
        remedy = "See that DNS answers for them; terms with macros are not evaluated."
        yield DnsFinding("spf_smart_hosts", UNKNOWN, domain, sentence, remedy)
    elif lacking:
        sentence = f"The SPF record of {domain} does not let {_and(lacking)} send."
        remedy = "Add what the provider says: its mail in the domain's name is refused elsewhere."
        yield DnsFinding("spf_smart_hosts", WARNING, domain, sentence, remedy)
    elif described.smart_hosts:
        sentence = f"The SPF record of {domain} lets {_and(described.smart_hosts)} send."
        yield DnsFinding("spf_smart_hosts", OK, domain, sentence)


def _addresses(host: str, resolver: Resolver) -> tuple[list[str], bool]:
    """The addresses of a host or address, and whether DNS left one of the questions open."""
    try:
        parse_address(host)
        return [host], False
    except RangeError:
        pass
    answers = [resolver.ask(host, kind) for kind in KINDS.values()]
    addresses = [str(record.address) for answer in answers for record in answer.records]
    return addresses, any(not answer.known for answer in answers)


def _dmarc(domain: str, resolver: Resolver) -> t.Iterator[DnsFinding]:
    policy = policies.dmarc(domain, resolver)
    if policy.status == policies.UNKNOWN:
        sentence = f"The DMARC policy of {domain} is not known: {policy.why}."
        yield DnsFinding("dmarc", UNKNOWN, domain, sentence, "See that DNS answers for it.")
    elif policy.status == policies.ABSENT:
        sentence = f"{domain} has no DMARC record: nobody refuses mail that forges its name."
        remedy = "Publish one, first with p=none and somebody who reads its reports."
        yield DnsFinding("dmarc", WARNING, domain, sentence, remedy)
    elif policy.status == policies.BROKEN:
        sentence = f"The DMARC record of {domain} counts for nothing: {policy.why}."
        yield DnsFinding("dmarc", WARNING, domain, sentence, "Correct the record.")
    elif policy.tags["asked"] == "none":
        sentence = f"The DMARC record of {policy.at} asks for nothing to be done (p=none)."
        remedy = "When the reports are clean, ask for quarantine, then for reject."
        yield DnsFinding("dmarc", WARNING, domain, sentence, remedy)
    else:
        sentence = f"The DMARC record of {policy.at} asks to {policy.tags['asked']} forged mail."
        yield DnsFinding("dmarc", OK, domain, sentence)


def _mta_sts(
    domain: str, names: Names, described: Described, resolver: Resolver
) -> t.Iterator[DnsFinding]:
    if not described.fetch:
        return
    policy = policies.mta_sts(
        domain, resolver, ca_path=described.ca_path, port=described.https_port
    )
    if policy.status == policies.UNKNOWN:
        sentence = f"The MTA-STS policy of {domain} is not known: {policy.why}."
        yield DnsFinding("mta_sts", UNKNOWN, domain, sentence, "See that its web server answers.")
        return
    if policy.status == policies.ABSENT:
        sentence = f"{domain} has no MTA-STS: others may be talked out of TLS."
        yield DnsFinding("mta_sts", NOTE, domain, sentence)
        return
    if policy.status == policies.BROKEN:
        sentence = f"The MTA-STS policy of {domain} counts for nothing: {policy.why}."
        yield DnsFinding(
            "mta_sts", WARNING, domain, sentence, "Correct it, or take its record away."
        )
        return
    mode = policy.tags["mode"]
    hosts = [host for host in names.hosts_of(domain) if host != "."]
    if not names.mx[domain].known:
        return  # Said of the MX records already.
    left_out = [
        host for host in hosts if not any(policies.covers(pattern, host) for pattern in policy.mx)
    ]
    if left_out and mode != "none":
        severity = CRITICAL if mode == "enforce" else WARNING
        sentence = (
            f"The MTA-STS policy of {domain} (mode {mode}) leaves out the MX host {_and(left_out)}."
        )
        remedy = "Name it in the policy, and give the record a new id: mail to it is not sent."
        yield DnsFinding("mta_sts", severity, domain, sentence, remedy)
    elif mode != "enforce":
        sentence = f"The MTA-STS policy of {domain} is in mode {mode} and protects nothing."
        yield DnsFinding("mta_sts", NOTE, domain, sentence)
    else:
        sentence = f"The MTA-STS policy of {domain} covers its MX hosts."
        yield DnsFinding("mta_sts", OK, domain, sentence)


def _tls_rpt(domain: str, resolver: Resolver) -> t.Iterator[DnsFinding]:
    policy = policies.tls_rpt(domain, resolver)
    if policy.status == policies.PRESENT:
        sentence = f"Others report failures of TLS for {domain} to {policy.tags['rua']}."
        yield DnsFinding("tls_rpt", OK, domain, sentence)
    elif policy.status == policies.UNKNOWN:
        yield DnsFinding(
            "tls_rpt", NOTE, domain, f"TLS-RPT of {domain} is not known: {policy.why}."
        )
    elif policy.status == policies.BROKEN:
        yield DnsFinding("tls_rpt", NOTE, domain, f"TLS-RPT of {domain} is broken: {policy.why}.")
    else:
        sentence = f"Nobody reports failures of TLS for {domain} (no TLS-RPT record)."
        yield DnsFinding("tls_rpt", NOTE, domain, sentence)


def _wildcard(domain: str, names: Names) -> t.Iterator[DnsFinding]:
    wildcard = names.wildcards[domain]
    if wildcard.addresses:
        where = _and(wildcard.addresses)
        sentence = f"DNS answers for every name below {domain}, with {where}."
        remedy = "What is guessed and answered so is no sign of a server of its own."
        yield DnsFinding("wildcard", NOTE, domain, sentence, remedy)


def _name(name: Name) -> t.Iterator[DnsFinding]:
    if name.unknown and name.look:
        reasons = "; ".join(
            dict.fromkeys(f"{answer.kind}: {answer.why}" for answer in name.unknown)
        )
        sentence = f"DNS does not say where {name.name} leads ({reasons}). That closes nothing."
        remedy = "See that DNS answers for it, or leave it out if it is not the site's."
        yield DnsFinding("name_unknown", UNKNOWN, name.name, sentence, remedy)
    elif not name.look and name.addresses and not name.why.startswith("DNS answers so"):
        elsewhere = "leads to" in name.why
        identity = "alias_elsewhere" if elsewhere else "not_looked_at"
        yield DnsFinding(identity, NOTE, name.name, f"{name.name} is not looked at: {name.why}.")


class Pointer(t.NamedTuple):
    """What the PTR record of an address says: its hosts, those of them that lead back to it."""

    hosts: list[str]
    back: list[str]
    unknown: str = ""


def read_pointers(names: Names, resolver: Resolver) -> dict[str, Pointer]:
    """The PTR records of the addresses that are looked at."""
    addresses = dict.fromkeys(address for name in names.looked_at for address in name.addresses)
    pointers: dict[str, Pointer] = {}
    for address in addresses:
        answer = resolver.pointer(address)
        hosts = [record.target.to_text(omit_final_dot=True).lower() for record in answer.records]
        back = [host for host in hosts if address in _texts(_addresses(host, resolver)[0])]
        pointers[address] = Pointer(hosts, back, answer.why)
    return pointers


def _pointers(pointers: t.Mapping[str, Pointer]) -> t.Iterator[DnsFinding]:
    for address, pointer in pointers.items():
        if pointer.unknown:
            sentence = f"The PTR record of {address} is not known: {pointer.unknown}."
            yield DnsFinding("ptr", NOTE, address, sentence)
        elif not pointer.hosts:
            sentence = f"{address} has no PTR record."
            remedy = "Where the server sends by itself, others refuse its mail for that."
            yield DnsFinding("ptr", NOTE, address, sentence, remedy)
        elif pointer.back:
            sentence = f"{address} is {_and(pointer.back)}, and DNS leads back from there."
            yield DnsFinding("ptr", OK, address, sentence)
        else:
            sentence = f"{address} says that it is {_and(pointer.hosts)}, which does not lead back."
            remedy = "Let the PTR record name a host that has this address."
            yield DnsFinding("ptr", NOTE, address, sentence, remedy)


def _texts(addresses: t.Iterable[str]) -> RangeSet:
    return RangeSet.parse(list(addresses))


def _and(parts: t.Sequence[str]) -> str:
    return " and ".join(parts)
