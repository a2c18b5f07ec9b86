# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of runs as the collection writes them, made up: sites in every state, names that somebody
chose who means no good, and fleets of any size.
"""

from __future__ import annotations

import typing as t

Plain = dict[str, t.Any]

AT = "2026-11-30T10:00:00Z"
SINCE = "2026-11-23T06:30:00Z"

HOSTILE = (
    "</style><script>alert(1)</script>",
    "\"><img src=x onerror='alert(2)'>",
    "' onmouseover=alert(3) x='",
    "</title></summary></details><h1>all in order</h1>",
    "javascript:alert(4)",
    "\u202erekcah\u202c \x00\x1b[31m\ud800 \ufffe",
    "<!--",
    "]]><![CDATA[",
    "&lt;b&gt; &amp; %3Cb%3E",
    "x" * 300,
)
"""What a site, a host, or a connector may be called by who does not mean well."""


def layer(name: str, host: str, state: str, **more: t.Any) -> Plain:
    """The record of a layer."""
    empty: Plain = {
        key: [] for key in ("findings", "plan", "exposure", "before", "after", "listed")
    }
    told = {"layer": name, "host": host, "state": state, "snapshot": "", "changed": False}
    return {**told, **empty, **more}


def finding(site: str, host: str, name: str, what: str, words: str, **more: t.Any) -> Plain:
    """A finding of a layer."""
    about = str(more.get("object") or "")
    quoted = [text.replace("/", "%2F") for text in (site, host, name, what, about)]
    return {
        "id": "/".join([*quoted, str(more.get("property") or "")]),
        "layer": name,
        "host": host,
        "what": what,
        "object": about,
        "property": "",
        "severity": "warning",
        "words": words,
        "remedy": "",
        "since": "",
        "accepted_until": "",
        "accepted_reason": "",
        "controls": [],
        **more,
    }


def door(who: str, place: str, answer: str, words: str, **more: t.Any) -> Plain:
    """What a group of senders gets at a published door."""
    told = {"about": "mail", "who": who, "place": place, "name": "", "port": 25, "path": ""}
    return {
        **told,
        "answer": answer,
        "words": words,
        "by": "",
        "unseen": [],
        "passed": False,
        **more,
    }


_V4, _V6 = "203.0.113.91", "2001:db8:20:1::11"


def _doors(stranger: str, words: str, **more: t.Any) -> list[Plain]:
    return [
        door("a stranger", _V4, stranger, words, **more),
        door("the provider", _V4, "taken", "taken"),
        door("a stranger", _V6, stranger, words, **more),
        door("the provider", _V6, "taken", "taken"),
    ]


LOCKED: list[Plain] = _doors(
    "refused", "refused by the firewall, without an answer", by="the firewall"
)


def _unless(doors: list[Plain], stranger: str) -> list[Plain]:
    """The same doors at a site whose Windows Firewall nobody looks at."""
    words = "taken, unless refused by Windows Firewall (which is not managed)"
    perhaps = {"answer": "unknown", "passed": True, "unseen": ["Windows Firewall"], "words": words}
    told = []
    for each in doors:
        refused = each["who"] == "a stranger" and stranger == "refused"
        told.append(each if refused else {**each, **perhaps, "by": ""})
    return told


def _host(state: str, layers: list[Plain], **more: t.Any) -> Plain:
    doors = more.get("doors", ())
    edge = [f"{each['who']} at {each['place']} gets: {each['words']}" for each in doors]
    return {"state": state, "trouble": "", "looks": [], "edge": edge, "layers": layers, **more}


def _site(name: str, state: str, hosts: Plain, findings: list[Plain], says: str) -> Plain:
    days = [each["accepted_until"] for each in findings if each["accepted_until"]]
    return {
        "state": state,
        "line": f"{name}: {state}. {says}",
        "accepted_until": min(days) if days and state == "accepted" else "",
        "hosts": hosts,
        "findings": findings,
        "not_looked_at": [
            {"host": host, "layer": each["layer"], "state": each["state"], "why": why}
            for host, told in hosts.items()
            for each in told["layers"]
            if each["state"] in ("not managed", "not looked at")
            for why in [" ".join(each["findings"])]
        ],
    }


def open_site(name: str) -> Plain:
    """Somebody has opened both doors again."""
    host = f"{name}-ex1"
    said = "The internet may send without a login on port 25, through 'Default Frontend EX1'."
    firewall = (
        "Everybody else can reach port 25 of the virtual IP 'VIP-mail' by policy 1 'Mail in'."
    )
    change = (
        "Change the receive connector 'Default Frontend EX1': permission_groups loses "
        "AnonymousUsers."
    )
    sender = "any internet address: anonymous mail accepted"
    paths = ("ecp", "EWS", "API", "OAB", "PowerShell", "mapi", "Rpc")
    layers = [
        layer(
            "exchange",
            host,
            "open",
            findings=[said],
            plan=[change],
            exposure=[
                "the provider: anonymous mail accepted",
                f"{sender} → refused, except for Exchange servers that log in",
            ],
        ),
        layer("windows firewall", host, "not managed"),
        layer(
            "iis",
            host,
            "open",
            findings=[f"Default Web Site/{path} lets in strangers." for path in paths],
            plan=[
                f"Create the IP list of Default Web Site/{path}: 10.20.0.0/16." for path in paths
            ],
            exposure=[
                f"/{path}: {who}: let in{' → refused' if 'internet' in who else ''}"
                for path in paths
                for who in ("own networks", "any internet address")
            ],
        ),
        layer(
            "windows tls",
            host,
            "not managed",
            findings=["mailedge_windows_tls_enabled is false."],
        ),
        layer("windows posture", host, "drift", findings=["Exchange is 7 months behind."]),
        layer(
            "fortigate way in",
            host,
            "open",
            findings=[firewall],
            plan=[
                "Change the policy 1 'Mail in': srcaddr without 'all' and with 'provider', 'own'."
            ],
            before=["everybody → port 25 of the virtual IP 'VIP-mail', by policy 1 'Mail in'"],
            after=["198.51.100.0/24 → port 25 of the virtual IP 'VIP-mail', by policy 1 'Mail in'"],
        ),
        layer(
            "outside", host, "open", findings=[f"203.0.113.91:25 takes mail for {name}.example."]
        ),
    ]
    findings = [
        finding(
            name,
            host,
            "exchange",
            "strangers",
            said,
            object="Default Frontend EX1",
            severity="critical",
            remedy=f"A run would: {change}",
            since="2026-11-28T06:30:00Z",
            controls=["STIG V-259687", "BSI APP.5.2"],
        ),
        *(
            finding(
                name,
                host,
                "iis",
                "strangers",
                f"Default Web Site/{path} lets in strangers: any internet address.",
                object=path,
                severity="critical",
                since="2026-10-05T06:30:00Z",
            )
            for path in paths
        ),
        finding(
            name,
            host,
            "fortigate way in",
            "strangers",
            firewall,
            object="VIP-mail",
            severity="critical",
            since="2026-11-28T06:30:00Z",
        ),
        _behind(name, host),
    ]
    hosts = {
        host: _host(
            "open",
            layers,
            looks=[
                "a stranger on the internet at 203.0.113.91:25: open. It accepts mail from "
                f"probe@watchtower.example for postmaster@{name}.example. The answer to RCPT TO "
                "was: 250 2.1.5 Recipient OK",
                "the filtering provider at 203.0.113.91:25: open",
            ],
            doors=_unless(LOCKED, "taken"),
            doors_described=_unless(LOCKED, "refused"),
        )
    }
    says = f"{host}, exchange: {said} Not managed: windows firewall; windows tls."
    return _site(name, "open", hosts, findings, says)


def _behind(name: str, host: str) -> Plain:
    return finding(
        name,
        host,
        "windows posture",
        "exchange_build_behind",
        "Exchange 2016 is at a build of April 2026; the newest is of November 2026.",
        severity="warning",
        remedy="Install the security update of November 2026.",
        since="2026-11-12T06:30:00Z",
        controls=["BSI OPS.1.1.3", "NIS2 Art. 21 (2) e"],
    )


def unknown_site(name: str) -> Plain:
    """A server that did not answer, behind a firewall that did."""
    host = f"{name}-ex1"
    why = f"{host} could not be reached: no answer from its WinRM within 30 seconds."
    layers = [
        layer("exchange", host, "unknown", findings=[why]),
        layer("windows firewall", host, "unknown", findings=[why]),
        layer("fortigate way in", host, "in order"),
        layer("outside", host, "not looked at", findings=["mailedge_probe_targets is not set."]),
    ]
    findings = [finding(name, host, "exchange", "no_answer", why, since=AT)]
    doors = _doors(
        "unknown",
        "perhaps taken: not known enough of Windows Firewall (which is not known) or Exchange "
        "(which is not known)",
        unseen=["Windows Firewall", "Exchange"],
    )
    hosts = {host: _host("unknown", layers, trouble=why, doors=doors)}
    return _site(name, "unknown", hosts, findings, f"{host}: {why}")


def drifted_site(name: str) -> Plain:
    """Locked, but a limit is not as described; two servers."""
    hosts: Plain = {}
    findings = []
    for host in (f"{name}-ex1", f"{name}-ex2"):
        words = "The receive connector 'Mail from filter': max_message_size is not as described."
        change = "Change the receive connector 'Mail from filter': max_message_size 36 MB → 50 MB."
        hosts[host] = _host(
            "drift",
            [
                layer("exchange", host, "drift", findings=[words], plan=[change]),
                layer("windows firewall", host, "in order"),
                layer("windows posture", host, "in order"),
                layer("fortigate way in", host, "in order"),
                layer("hybrid", host, "in order"),
                layer("exchange online", host, "in order"),
                layer("outside", host, "in order"),
            ],
            doors=LOCKED,
            doors_described=LOCKED,
        )
        findings.append(
            finding(
                name,
                host,
                "exchange",
                "differs",
                words,
                object="Mail from filter",
                property="receive_connectors.max_message_size",
                remedy=f"A run would: {change}",
                since="2026-11-30T10:00:00Z",
            )
        )
    findings.append(_behind(name, f"{name}-ex2"))
    return _site(name, "drift", hosts, findings, f"{name}-ex1, exchange: It differs in 1 place.")


def accepted_site(name: str) -> Plain:
    """What differs is accepted for some weeks."""
    host = f"{name}-ex1"
    words = "The receive connector 'Scanner' is there, and is not to be."
    told = finding(
        name,
        host,
        "exchange",
        "surplus",
        words,
        object="Scanner",
        accepted_until="2026-12-31",
        accepted_reason="The scanner is replaced in December",
    )
    layers = [
        layer("exchange", host, "accepted", findings=[words]),
        layer("windows firewall", host, "in order"),
        layer("fortigate way in", host, "in order"),
        layer("outside", host, "in order"),
    ]
    hosts = {host: _host("accepted", layers, doors=LOCKED)}
    return _site(name, "accepted", hosts, [told], f"{host}, exchange: Accepted until 2026-12-31.")


def site_in_order(name: str) -> Plain:
    """Everything was looked at and is as described."""
    host = f"{name}-ex1"
    names = ("exchange", "windows firewall", "iis", "windows tls", "windows posture")
    layers = [
        layer(each, host, "in order")
        for each in (*names, "fortigate way in", "fortigate way out", "exchange online", "outside")
    ]
    at_tenant = door(
        "a stranger",
        f"the tenant's own name for {name}.example",
        "refused",
        "refused by Exchange Online",
        by="Exchange Online",
        about="Exchange Online",
        port=0,
    )
    web = {"about": "web", "port": 443, "path": "/owa"}
    mailbox = door("a stranger", _V4, "taken", "answered", **web)
    hosts = {host: _host("in order", layers, doors=[*LOCKED, mailbox, at_tenant])}
    return _site(name, "in order", hosts, [], "Looked at: exchange, windows firewall, outside.")


_MAKERS: t.Mapping[str, t.Callable[[str], Plain]] = {
    "open": open_site,
    "unknown": unknown_site,
    "drift": drifted_site,
    "accepted": accepted_site,
    "in order": site_in_order,
}

_TREES = (
    "ahorn birke buche eberesche eibe erle esche espe fichte hainbuche hasel holunder kiefer "
    "kirsche linde lärche mispel pappel quitte robinie schlehe tanne ulme weide weißdorn zeder"
)
NAMES = tuple(_TREES.split())


def report(states: t.Mapping[str, str], **more: t.Any) -> Plain:
    """The report of a drift run on some sites, name → state."""
    sites = {name: _MAKERS[state](name) for name, state in states.items()}
    return {
        "format": 1,
        "at": AT,
        "revision": "6095240b51faca20352b65219508a435db4ae337",
        "playbook": "drift",
        "check_mode": False,
        "sites": sites,
        **more,
    }


def small_fleet() -> Plain:
    """Two dozen sites, of which some need somebody."""
    states = dict.fromkeys(NAMES, "in order")
    states.update(birke="open", tanne="open", ulme="unknown", erle="drift", linde="drift")
    states.update(hasel="drift", eibe="accepted")
    return report(states)


def fleet(number: int, state: str = "") -> Plain:
    """Many sites, all in one state, or every fifth in each."""
    states = list(_MAKERS)
    return report({f"site-{place:04}": state or states[place % 5] for place in range(number)})


def hostile() -> Plain:
    """Sites, hosts and texts that want to be more than text."""
    whole = report({})
    for place, name in enumerate(HOSTILE):
        made = list(_MAKERS.values())[place % 5](name)
        for told in made["findings"]:
            told.update(words=f"{told['words']} {name}", remedy=name, controls=[name], object=name)
        for host in made["hosts"].values():
            host["looks"] = [name]
            host["trouble"] = name
            for each in host["layers"]:
                each.update(plan=[name], exposure=[f"{name} → {name}"], snapshot=name)
            for each in host.get("doors") or ():
                each.update(place=name, name=name, path=name, words=name)
        whole["sites"][name] = made
    return {**whole, "revision": HOSTILE[0], "playbook": HOSTILE[1]}


def changes(whole: Plain) -> Plain:
    """What may have changed since the report before."""
    sites = whole["sites"]
    names = {state: [name for name in sites if sites[name]["state"] == state] for state in _MAKERS}
    appeared = [
        {**told, "site": name}
        for name in [*names["open"][:1], *names["drift"][:1]]
        for told in sites[name]["findings"][:1]
    ]
    mended = names["in order"][:1]
    gone = [
        {**finding(name, f"{name}-ex1", "windows tls", "tls10", "TLS 1.0 is on."), "site": name}
        for name in mended
    ]
    return {
        "since": SINCE,
        "appeared": appeared,
        "gone": gone,
        "states": {
            **{name: ["in order", "open"] for name in names["open"][:1]},
            **{name: ["in order", "drift"] for name in names["drift"][:1]},
            **{name: ["drift", "in order"] for name in mended},
        },
        "new_sites": names["in order"][1:2],
        "missing_sites": ["vogelbeere"],
    }
