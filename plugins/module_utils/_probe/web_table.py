# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer to a request without a login means: closed, open or inconclusive.

`open`: a stranger reaches Exchange at that path, though no further than its demand for a login.
`closed`: the path is refused while the same server answers this host at another path, which tells
a block from a server that is down and from a host that is refused as a whole. Everything else is
inconclusive: a false `closed` leaves a door open that somebody believes to be shut.
"""

from __future__ import annotations

import re
import types
import typing as t
import urllib.parse

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.table import CONTROL
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import (
    CLOSED,
    INCONCLUSIVE,
    OPEN,
    Judgement,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web_session import Answer

# Exchange's virtual directories of the Default Web Site, and what is asked for in each.
TARGETS: t.Mapping[str, str] = types.MappingProxyType(
    {
        "/owa": "/owa/",
        "/ecp": "/ecp/",
        "/EWS": "/EWS/Exchange.asmx",
        "/Autodiscover": "/Autodiscover/Autodiscover.xml",
        "/Microsoft-Server-ActiveSync": "/Microsoft-Server-ActiveSync/",
        "/mapi": "/mapi/emsmdb/",
        "/Rpc": "/rpc/rpcproxy.dll",
        "/OAB": "/OAB/",
        "/PowerShell": "/PowerShell/",
        "/API": "/api/",
    }
)
_BY_NAME = {path.casefold(): target for path, target in TARGETS.items()}

# What Exchange signs with: scanners of exposure go by the first three (righel/ms-exchange-version-
# nse), the others are unverified.
_SIGNATURES = (
    "x-feserver",
    "x-owa-version",
    "x-calculatedbetarget",
    "x-beserver",
    "x-diaginfo",
    "ms-server-activesync",
)
_FORM = re.compile(r"/owa/auth/|/owa/auth\.owa", re.IGNORECASE)
# Where the forms of Outlook on the web take their pictures from.
_THEMES = re.compile(r"/owa/(?:auth/)?(1[45]|8|15)\.([0-9]{1,2}\.[0-9]{1,5}(?:\.[0-9]{1,4})?)/")
_BUILD = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,5}){2,3}")

# Pages and headers of what stands in front (unverified: public collections of fingerprints).
_FRONT_HEADERS = re.compile(
    r"^(?:cf-mitigated|x-sucuri-id|x-iinfo|x-cdn|x-waf[\w-]*|x-denied-reason|x-akamai[\w-]*)$"
)
_FRONT_SERVERS = re.compile(
    r"cloudflare|akamaighost|incapsula|sucuri|barracuda|fortiweb|big-?ip|awselb|waf", re.IGNORECASE
)
_FRONT_PAGES = re.compile(
    r"support id is|the requested url was rejected|incapsula incident|attention required! \|"
    r"|web application firewall|fortiguard|web page blocked|access denied by .{0,40}policy"
    r"|captive portal",
    re.IGNORECASE,
)
_KERNEL = re.compile(r"microsoft-httpapi", re.IGNORECASE)
# 410 is what some proxies say in place of 404.
_REFUSED, _REDIRECTIONS = frozenset({403, 404, 410}), frozenset({301, 302, 303, 307, 308})

REFUSED = "path_refused"
_CONTROL = f"No other path there answers this host as Exchange. {CONTROL}"
_WHERE = {
    403: "It refuses this path",
    404: "Nothing is there for a stranger",
    410: "Nothing is there for a stranger",
}


def target_of(path: str) -> str:
    """What is asked for where a description names a path.

    Without the slash at the end, IIS only answers that the slash is missing.
    """
    known = _BY_NAME.get(path.rstrip("/").casefold())
    if known is not None:
        return known
    last = path.rpartition("/")[2]
    return path if "." in last or "?" in path or not last else f"{path}/"


def shows_exchange(answer: Answer) -> bool:
    """Whether Exchange has signed it: a header, its form to log in, or a page that names it."""
    return (
        any(answer.header(name) for name in _SIGNATURES)
        or (answer.status in _REDIRECTIONS and bool(_FORM.search(answer.header("location"))))
        or (answer.status == 200 and bool(_THEMES.search(answer.body)))
    )


def build_of(answer: Answer) -> str | None:
    """The build of Exchange that it gives away, such as `15.2.1544.9`; None where it does not."""
    said = answer.header("x-owa-version")
    if _BUILD.fullmatch(said):
        return said
    shown = _THEMES.search(answer.header("location")) or _THEMES.search(answer.body)
    return f"{shown.group(1)}.{shown.group(2)}" if shown else None


def _in_front(answer: Answer) -> bool:
    """Whether a firewall for web applications, or a network that asks for a login, answers."""
    return (
        any(_FRONT_HEADERS.search(name) for name in answer.headers)
        or bool(_FRONT_SERVERS.search(answer.header("server")))
        or bool(_FRONT_PAGES.search(answer.body))
    )


def judge_answer(answer: Answer, host: str) -> Judgement:
    """What an answer means in itself. `host`: the name that was asked.

    A refusal is half of a proof, `REFUSED`: `beside()` makes it whole.
    """
    status = answer.status
    if status == 407:
        return _unclear("proxy", "A proxy of this host's own network answers.")
    if shows_exchange(answer):
        return _of_exchange(answer)
    if status == 401 and answer.header("www-authenticate"):
        return Judgement(OPEN, "login_asked", "It answers a stranger and asks for a login.")
    if status == 440:
        return Judgement(OPEN, "login_asked", "It answers a stranger and asks for a login.")
    if _in_front(answer):
        return _unclear(
            "in_front",
            "That is a page of something in front of the server (a firewall for web applications, a"
            " content network), which may refuse this host for what it is.",
        )
    if status in _REDIRECTIONS:
        return _redirected(answer, host)
    if status in _REFUSED:
        if _KERNEL.search(answer.header("server")):
            return _unclear(
                "no_site",
                f"Windows answers before any web site does: none is bound to the name {host}.",
            )
        return Judgement(INCONCLUSIVE, REFUSED, f"{_WHERE[status]}. {_CONTROL}", True)
    if status in (408, 429):
        return _unclear("try_later", "That is a refusal for now, never a lock. Look again later.")
    if status >= 500:
        return _unclear("down", "It does not work for the moment, which says nothing of a lock.")
    if status in (400, 405, 501):
        return _unclear("not_understood", "It does not take such a request, whoever sends it.")
    if 200 <= status < 300:
        return _unclear("page", "It answers with a page that is not Exchange's by any sign.")
    return _unclear("unexpected", "That is no answer to what was asked.")


def _of_exchange(answer: Answer) -> Judgement:
    if answer.status >= 500 or answer.status in (408, 429):
        return _unclear("down", "Exchange is there, and does not work for the moment.")
    if answer.status in (401, 440) or _FORM.search(answer.header("location")):
        return Judgement(OPEN, "login_asked", "Exchange answers a stranger and asks for a login.")
    return Judgement(OPEN, "answered", "Exchange itself answers a stranger.")


def _redirected(answer: Answer, host: str) -> Judgement:
    try:
        there = urllib.parse.urlsplit(answer.header("location")).hostname or host
    except ValueError:
        there = ""
    if there.lower() != host.lower():
        return _unclear(
            "redirected_elsewhere",
            f"It sends a stranger to {there or 'another server'}, before anything of Exchange "
            "answers: a login in front of it, or a page that blocks.",
        )
    return _unclear("redirected", "It sends a stranger to another path, and is not Exchange yet.")


def judge_dropped() -> Judgement:
    """What it means that a request was dropped on each of two new connections after the TLS
    handshake, as a rule of IIS does (AbortRequest).
    """
    sentence = f"It drops requests for this path without an answer. {_CONTROL}"
    return Judgement(INCONCLUSIVE, REFUSED, sentence, True)


def beside(judgement: Judgement, path: str) -> Judgement:
    """A refusal where the same server, asked for another path, answers this host as Exchange."""
    if judgement.reason != REFUSED:
        return judgement
    sentence = judgement.sentence.replace(
        _CONTROL, f"The same server answers this host at {path}, so that it is the path."
    )
    return Judgement(CLOSED, REFUSED, sentence)


def _unclear(reason: str, sentence: str) -> Judgement:
    return Judgement(INCONCLUSIVE, reason, sentence)
