# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets what of a site: the lab's own reading of the configuration, for one request at a time.

The order: HTTP.sys, configuration errors (500.19), Request Filtering, global rules, IP
restrictions, rules, and then what is behind. That IP restrictions judge the URL as it came, and not
the one that rules made of it, is not verified: the other way round would close more.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.iis import sections
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.errors import (
    ConfigError,
    unrecognised,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.layers import (
    Layer,
    declarations,
    layers,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.patterns import BrokenPattern
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.rewriting import (
    Outcome,
    RewriteError,
    Rules,
    Sent,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.store import (
    APPHOST,
    Session,
    Site,
    Store,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.urls import (
    BadUrl,
    cooked,
    escaped_twice,
    way,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.view import SectionView, View


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a client gets. `passed`: it reached what is behind, at `directory` of the site.
    `kernel`: HTTP.sys answers by itself, because no site is bound to what was asked for.
    """

    status: int
    substatus: int = 0
    passed: bool = False
    aborted: bool = False
    location: str = ""
    directory: str = ""
    kernel: bool = False

    def __str__(self) -> str:
        if self.aborted:
            return "aborted"
        return f"{self.status}.{self.substatus}" if self.substatus else str(self.status)


class Judge:
    """Answers requests by the configuration as it is on the disk when the judge is made."""

    def __init__(self, store: Store) -> None:
        self._session = Session(store, lasting=True)
        self._scopes: dict[str, Scope] = {}
        self._known: dict[str, set[str]] = {}
        try:
            self.sites = self._session.sites()
            self.broken = False
        except ConfigError:
            # The service that starts the sites cannot read them: nothing listens that says more
            # than 503.
            self.sites, self.broken = [], True

    def request(
        self,
        target: str,
        client: str,
        host: str = "mail.example.test",
        method: str = "GET",
        port: int = 443,
        headers: t.Mapping[str, str] | None = None,
        at: str = "",
    ) -> Answer:
        """The answer to a request line's target, as sent, from a client's address. `at`: the
        address of the server that it came to, one that no binding names where not said.
        """
        if self.broken:
            return Answer(503)
        path, _sign, query = target.partition("?")
        try:
            url = cooked(path)
        except BadUrl:
            return Answer(400)
        site = self._site(port, host, at)
        if site is None:
            return Answer(404, kernel=True)
        sent = Sent(target, url, query, client, host, method, port, headers or {})
        segments = way(url)
        scope = self._scope(site, segments.names)
        if scope.broken:
            return Answer(500, 19)
        return self._answer(site, scope, sent, path)

    def _answer(self, site: Site, scope: Scope, sent: Sent, raw: str) -> Answer:
        filtered = scope.filter.refusal(raw, sent) if scope.filter is not None else None
        if filtered is not None:
            return filtered
        for rules, fault in ((scope.global_rules, 51), (None, 0), (scope.rules, 50)):
            if rules is None and not fault:
                denied = scope.denied(sent)
                if denied is not None:
                    return denied
                continue
            try:
                outcome = rules().run(sent) if rules is not None else Outcome("passed")
            except (BrokenPattern, RewriteError):
                return Answer(500, fault)
            except ConfigError:
                return Answer(500, 19)
            if outcome.kind == "abort":
                return Answer(0, aborted=True)
            if outcome.kind == "answer":
                return Answer(outcome.status, outcome.substatus, location=outcome.location)
        return behind(site, sent)

    def _site(self, port: int, host: str, at: str) -> Site | None:
        """The site of a binding: one that names the host, else the address that the request came
        to, else neither (learn.microsoft.com: UrlPrefix Strings).
        """
        name = host.partition(":")[0].casefold()
        fitting: list[tuple[int, Site]] = []
        for site in self.sites:
            for protocol, information in site.bindings:
                parts = information.rsplit(":", 2)
                if protocol not in ("http", "https") or len(parts) != 3 or parts[1] != str(port):
                    continue
                anywhere = parts[0] in ("", "*", "0.0.0.0")
                if (anywhere or parts[0].strip("[]") == at) and parts[2].casefold() in ("", name):
                    fitting.append((2 * bool(parts[2]) + (not anywhere), site))
        return max(fitting, key=lambda pair: pair[0])[1] if fitting else None

    def _scope(self, site: Site, names: t.Sequence[str]) -> Scope:
        """What is in effect for a path: that of the deepest path about which anything is said."""
        if site.name not in self._known:
            self._known[site.name] = special(self._session, site)
        known = self._known[site.name]
        depth = next(
            (
                number
                for number in range(len(names), 0, -1)
                if "/".join(names[:number]).casefold() in known
            ),
            0,
        )
        path = "/".join([APPHOST, site.name, *names[:depth]])
        if path.casefold() not in self._scopes:
            self._scopes[path.casefold()] = Scope(self._session, path)
        return self._scopes[path.casefold()]


def special(session: Session, site: Site) -> set[str]:
    """The paths of a site, without case, about which a file or a location says something."""
    held: set[str] = set()
    store = session.store

    def note(url: str) -> None:
        held.add(url.strip("/").casefold())

    def locations(content: bytes | None, prefix: str, within: str) -> None:
        # By text, because a file that is broken is told of where it is read.
        text = (content or b"").decode("utf-8", "replace")
        for named in re.finditer(r"""<location\b[^>]*?\spath\s*=\s*(["'])(.*?)\1""", text):
            path = named[2].strip("/")
            if path.casefold().startswith(within.casefold()):
                note(f"{prefix}/{path[len(within) :]}")

    locations(store.disk.read(f"{store.folder}\\applicationHost.config"), "", f"{site.name}/")
    for directory in site.directories:
        note(directory.url)
        root = store.disk.place(directory.physical)
        for file in root.rglob("*") if root.is_dir() else ():
            if file.name.casefold() == "web.config":
                url = "/".join([directory.url, *file.parent.relative_to(root).parts])
                note(url)
                locations(file.read_bytes(), url, "")
    return held


class Scope:
    """The sections that are in effect at one path, and what they say of a request."""

    def __init__(self, session: Session, path: str) -> None:
        self._session = session
        self._path = path
        self._rules: dict[str, Rules] = {}
        self.broken = False
        try:
            place = session.place(path)
            for layer in layers(session, place):
                refuse_undeclared(session, layer)
            self.modules = {
                str(item.value("name")) for item in self._section(sections.MODULES).items()
            }
            filtering = self._section(sections.REQUEST_FILTERING)
            self.filter = Filter(filtering) if "RequestFilteringModule" in self.modules else None
            self._addresses = self._ip_security()
            if "RewriteModule" in self.modules:
                self._section(sections.RULES)
        except ConfigError:
            self.broken = True

    def _section(self, name: str, path: str | None = None) -> SectionView:
        return SectionView(self._session, name, path or self._path)

    # --- URL Rewrite ------------------------------------------------------------------------------

    @property
    def global_rules(self) -> t.Callable[[], Rules] | None:
        return self._compiled(sections.GLOBAL_RULES, APPHOST)

    @property
    def rules(self) -> t.Callable[[], Rules] | None:
        return self._compiled(sections.RULES, self._path)

    def _compiled(self, name: str, path: str) -> t.Callable[[], Rules] | None:
        if "RewriteModule" not in self.modules:
            return None

        def compiled() -> Rules:
            if name not in self._rules:
                maps = {
                    str(item.value("name")): {
                        "": str(item.value("defaultValue")),
                        **{
                            str(entry.value("key")).casefold(): str(entry.value("value"))
                            for entry in item.items()
                        },
                    }
                    for item in self._section(f"{sections.REWRITE}rewriteMaps").items()
                }
                allowed = [
                    str(item.value("name"))
                    for item in self._section(f"{sections.REWRITE}allowedServerVariables").items()
                ]
                self._rules[name] = Rules(self._section(name, path), maps, allowed, self._there)
            return self._rules[name]

        return compiled

    def _there(self, kind: str, text: str) -> bool:
        place = self._session.store.disk.place(text)
        return place.is_file() if kind == "IsFile" else place.is_dir()

    # --- ipSecurity -------------------------------------------------------------------------------

    def _ip_security(self) -> Addresses | None:
        section = self._section(sections.IP_SECURITY)
        # Without its module the section is there to be written, and nothing enforces it (from
        # memory).
        return Addresses(section) if "IpRestrictionModule" in self.modules else None

    def denied(self, sent: Sent) -> Answer | None:
        """A refusal by the client's address."""
        return self._addresses.denied(sent) if self._addresses is not None else None


class Addresses:
    """The list of ipSecurity, top to bottom, the first entry that fits (iis.net, "IP Security")."""

    def __init__(self, section: View) -> None:
        self._unlisted = bool(section.value("allowUnlisted"))
        known = section.schema.attributes
        self._action = str(section.value("denyAction")) if "denyAction" in known else "Forbidden"
        self._proxies = (
            bool(section.value("enableProxyMode")) if "enableProxyMode" in known else False
        )
        self._entries = [
            (network, zone, bool(item.value("allowed")))
            for item in section.items()
            for network, zone in [
                _network(str(item.value("ipAddress")), str(item.value("subnetMask")))
            ]
            if network is not None
        ]

    def denied(self, sent: Sent) -> Answer | None:
        clients = [sent.client]
        if self._proxies:
            forwarded = sent.variable("HTTP_X_FORWARDED_FOR").replace(",", " ").split()
            clients = [*forwarded, sent.client]
        for client in clients:
            if not self._allows(client):
                status = sections.DENIALS[self._action]
                substatus = 6 if status == 403 else 0
                return Answer(status, substatus, aborted=self._action == "AbortRequest")
        return None

    def _allows(self, client: str) -> bool:
        text, _sign, zone = client.strip("[]").partition("%")
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return self._unlisted
        for network, wanted, allowed in self._entries:
            if address in network and (not wanted or wanted == zone):
                return allowed
        return self._unlisted


def _network(
    text: str, mask: str
) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network | None, str]:
    """An entry's network and zone. One that cannot be read (such ones exist) fits nobody."""
    address, _sign, zone = text.partition("%")
    try:
        if ":" in address:
            # The default mask is one of IPv4, and means the address alone; a script of Microsoft's
            # passes a length.
            length = mask if mask.isdigit() else "128"
            return ipaddress.IPv6Network(f"{address}/{length}", strict=False), zone
        return ipaddress.IPv4Network(f"{address}/{mask}", strict=False), zone
    except ValueError:
        return None, zone


class Filter:
    """Request Filtering (iis.net, "Request Filtering", with the sub-status codes)."""

    def __init__(self, section: View) -> None:
        limits = section.child("requestLimits")
        self._path, self._query = int(limits.value("maxUrl")), int(limits.value("maxQueryString"))
        self._twice = bool(section.value("allowDoubleEscaping"))
        self._high = bool(section.value("allowHighBitCharacters"))
        self._verbs = _allowed(section.child("verbs"), "verb")
        self._extensions = _allowed(section.child("fileExtensions"), "fileExtension")
        self._hidden = _texts(section.child("hiddenSegments"), "segment")
        self._sequences = _texts(section.child("denyUrlSequences"), "sequence")

    def refusal(self, raw: str, sent: Sent) -> Answer | None:
        """The answer to what it does not let through."""
        if not self._verbs(sent.method):
            return Answer(404, 6)
        if len(raw) > self._path:
            return Answer(404, 14)
        if len(sent.query) > self._query:
            return Answer(404, 15)
        # A plus sign counts as an escape (KB 942076).
        if not self._twice and (escaped_twice(raw) or "+" in raw):
            return Answer(404, 11)
        if not self._high and not sent.path.isascii():
            return Answer(404, 12)
        lower = sent.path.casefold()
        if any(sequence in lower for sequence in self._sequences):
            return Answer(404, 5)
        if self._hidden & set(lower.split("/")):
            return Answer(404, 8)
        _stem, dot, extension = lower.rpartition("/")[2].rpartition(".")
        if dot and not self._extensions(f".{extension}"):
            return Answer(404, 7)
        return None


def _texts(view: View, name: str) -> set[str]:
    return {str(item.value(name)).casefold() for item in view.items()}


def _allowed(view: View, key: str) -> t.Callable[[str], bool]:
    """What a list of Request Filtering says of a text."""
    listed = {str(item.value(key)).casefold(): bool(item.value("allowed")) for item in view.items()}
    unlisted = bool(view.value("allowUnlisted"))
    return lambda text: listed.get(text.casefold(), unlisted)


def refuse_undeclared(session: Session, layer: Layer) -> None:
    """Raises ConfigError for an element of system.webServer that no file declares: IIS's 500.19,
    such as `<rewrite>` where URL Rewrite is not installed.
    """
    document = session.document(session.place(APPHOST), 0)
    declared = set(declarations(document)) if document else set()
    groups = {
        "/".join(name.split("/")[:depth])
        for name in declared
        for depth in range(1, name.count("/") + 1)
    }

    def walk(element: t.Any, prefix: str) -> None:
        for child in element.elements():
            name = f"{prefix}/{child.name}"
            if name in groups:
                walk(child, name)
            elif name not in declared:
                raise unrecognised("element", child.name, **layer.place(child))

    for group in layer.container.elements("system.webServer"):
        walk(group, "system.webServer")


FORMS = ("owa", "ecp")


def behind(site: Site, sent: Sent) -> Answer:
    """What Exchange says to somebody who is not logged in: as web.py, which names the source."""
    segments = way(sent.path)
    names = [directory.url.casefold() for directory in site.directories if directory.url]
    url = segments.url.casefold()
    reached = [name for name in names if url == name or url.startswith(f"{name}/")]
    if not reached:
        # The root of a site redirects to Outlook on the web.
        return (
            Answer(302, passed=True, location="/owa/")
            if not segments.names
            else Answer(404, passed=True)
        )
    directory = max(reached, key=len).strip("/")
    if directory.split("/")[0] in FORMS:
        return Answer(302, passed=True, location="/owa/auth/logon.aspx", directory=directory)
    return Answer(401, passed=True, directory=directory)
