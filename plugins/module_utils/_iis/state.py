# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One site of a server as the agent read it: rules and IP lists at each configuration path."""

from __future__ import annotations

import dataclasses
import types
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis import raw
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.bindings import (
    Binding,
    read_bindings,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.ip_list import (
    IpList,
    read_list,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.patterns import below
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import (
    APPHOST,
    GLOBAL_RULES,
    IP_SECURITY,
    MODULES,
    PREFIX,
    REDIRECTION,
    RULES,
    Rule,
    inherited_rule,
    read_rule,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    LOOPBACK,
    RangeError,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

NO, YES, UNSURE = "no", "yes", "unsure"


@dataclass(frozen=True)
class Trouble:
    """Why a section cannot be read: the HRESULT, and what IIS said."""

    hresult: str
    message: str


@dataclass(frozen=True)
class Place:
    """One configuration path of the site: its root (path empty), a virtual directory, or something
    in one.

    `rules` and `ip_list` are those in effect, None where they cannot be read, and `rules_trouble`
    and `ip_trouble` then say why. `modules`: None where they cannot be read. `ends`: whether rules
    of the site end above (`<clear/>`); `removed`: the names of those that do, or that another one
    of the same name stands in for. `rules_locked`,
    `ip_locked`: the section cannot be written for this path.
    """

    path: str
    rules: tuple[Rule, ...] | None = ()
    ip_list: IpList | None = None
    modules: frozenset[str] | None = frozenset()
    rules_trouble: Trouble | None = None
    ip_trouble: Trouble | None = None
    rules_locked: bool = False
    ip_locked: bool = False
    ends: str = NO
    removed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Server:
    """What runs the site. `iis` is (major, minor), None where the registry does not say; `rewrite`
    is the version of URL Rewrite, empty where there is none. `itself`: the server's own addresses,
    loopback included.
    """

    name: str
    iis: tuple[int, int] | None = None
    rewrite: str = ""
    itself: RangeSet = LOOPBACK
    addresses: tuple[str, ...] = ()
    shared: str = ""


@dataclass(frozen=True)
class State:
    """The site. `places` are by their paths without case, the root first; `local` are the rules
    that stand in the site's own location of applicationHost.config; `global_rules`: None where they
    cannot be read. `above` are the rules of the server that every site inherits. `directories`: the
    paths of virtual directories and applications. `locations`: for each location of
    applicationHost.config its path and the sections in it. `others` are the server's other sites,
    each with its directories. `bindings` are where the site listens, and `other_bindings` where
    the others do; None where they were not read.
    """

    server: Server
    site: str
    places: t.Mapping[str, Place]
    local: tuple[Rule, ...] = ()
    global_rules: tuple[Rule, ...] | None = ()
    above: tuple[Rule, ...] = ()
    directories: tuple[str, ...] = ()
    locations: tuple[tuple[str, frozenset[str]], ...] = field(default=())
    bindings: tuple[Binding, ...] | None = None
    other_bindings: tuple[Binding, ...] | None = None
    others: t.Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def root(self) -> Place:
        """The site itself."""
        return self.places[""]

    def place_of(self, path: str) -> Place:
        """The configuration path that decides about a path: the nearest one that was read."""
        held = [place for place in self.places.values() if below(path, place.path)]
        return max(held, key=lambda place: len(place.path))

    def inside(self, path: str) -> list[Place]:
        """All configuration paths that requests for `path`, or for anything in it, are under."""
        first = self.place_of(path)
        return [
            first,
            *(
                place
                for place in self.places.values()
                if place is not first and below(place.path, path)
            ),
        ]

    def effective(self, place: Place) -> tuple[Rule, ...] | None:
        """The rules that a request meets there, in their order, after the server's own. None: not
        known.
        """
        if place.rules is None:
            return None
        inherited = [rule for rule in place.rules if rule.level is not None and not rule.level]
        site = self.site.casefold()
        names = {rule.name.casefold() for rule in self.local} - place.removed
        rest = [
            rule
            for rule in place.rules
            if rule.level or (rule.level is None and rule.name.casefold() not in names)
        ]
        others = [
            rule for rule in rest if (rule.level or "").casefold() != site or rule.in_web_config
        ]
        # A rule whose level IIS does not tell is taken where it stands.
        ours = (
            []
            if place.ends == YES
            else [rule for rule in self.local if rule.name.casefold() not in place.removed]
        )
        return (*inherited, *ours, *others)

    def location_of(self, path: str) -> frozenset[str] | None:
        """The sections in the location of a path in applicationHost.config; None without one."""
        wanted = f"{self.site}{path}".casefold()
        return next(
            (sections for held, sections in self.locations if held.casefold() == wanted), None
        )


Rows = t.Sequence[t.Mapping[str, t.Any]]


def read_state(host: t.Mapping[str, t.Any], rows: Rows, site: str) -> State:
    """The state of the rows of ``iis_read``. Raises PlanError, in one sentence, where there is no
    such site or nothing of IIS can be read.
    """
    of_kind: dict[str, list[t.Mapping[str, t.Any]]] = {}
    for row in rows:
        of_kind.setdefault(str(row["kind"]), []).append(row)
    process = of_kind["process"][0]
    # Before anything else: the objects of IIS are not there for a process of 32 bits.
    if process["bits"] != 64:
        raise PlanError(
            "PowerShell runs with 32 bits on the server, where Windows shows it another "
            "configuration of IIS. Nothing was changed. "
            "Use the 64-bit PowerShell."
        )
    if process["error"]:
        raise PlanError(_no_objects(process["error"], of_kind.get("registry", [])))
    sites = of_kind["sites"][0]
    if sites["error"]:
        denied = sites["error"]["hresult"] == _DENIED
        raise PlanError(
            f"The configuration of IIS cannot be read: {one_line(sites['error']['message'])} "
            f"({sites['error']['hresult']}). Nothing was "
            f"changed. {_AS_ADMINISTRATOR if denied else 'Mend applicationHost.config first.'}"
        )
    names = [str(row["name"]) for row in sites["sites"]]
    wanted = next(
        (row for row in sites["sites"] if str(row["name"]).casefold() == site.casefold()), None
    )
    if wanted is None:
        raise PlanError(
            f"There is no site '{site}' in IIS on the server. Nothing was changed. Its sites are: "
            f"{', '.join(names) or 'none'}."
        )
    name = str(wanted["name"])
    sections = {
        (str(row["section"]), str(row["path"]).casefold()): row
        for row in of_kind.get("section", [])
    }
    locations = tuple(
        (str(location["path"]), frozenset(map(str, location["sections"])))
        for row in of_kind.get("locations", [])
        for location in row["locations"]
    )
    texts = _texts(of_kind.get("web_config", []), name)
    places: dict[str, Place] = {}
    prefix = f"{APPHOST}/{name}"
    known = _known(sections)
    for row in of_kind.get("path", []):
        path = str(row["path"])[len(prefix) :]
        places[path.casefold()] = _place(path, sections, prefix, known)
    globals_row = sections.get((GLOBAL_RULES, APPHOST.casefold()))
    local = _local(places[""], name)
    state = State(
        server=_server(host, of_kind.get("registry", []), sections),
        site=name,
        places=types.MappingProxyType(places),
        local=local,
        global_rules=_rules(globals_row, known),
        above=_rules(sections.get((RULES, APPHOST.casefold())), known) or (),
        directories=_directories(wanted),
        others=types.MappingProxyType(
            {str(site["name"]): _directories(site) for site in sites["sites"] if site is not wanted}
        ),
        locations=locations,
        bindings=read_bindings(wanted.get("bindings")),
        other_bindings=_together(
            read_bindings(site.get("bindings")) for site in sites["sites"] if site is not wanted
        ),
    )
    ended = {key: _ends(place, state, texts) for key, place in places.items()}
    return dataclasses.replace(state, places=types.MappingProxyType(ended))


_DENIED = "0x80070005"
_AS_ADMINISTRATOR = "Connect as an administrator of the server, with all of his rights."


def _no_objects(error: t.Mapping[str, t.Any], registry: Rows) -> str:
    """Why the administration objects of IIS cannot be made, and what to install, in sentences.

    Microsoft.Web.Administration works by the same objects (mvolo.com, "Connecting to IIS 7.0
    configuration remotely with Microsoft.Web.Administration"), so that it is no other way in.
    """
    said = one_line(error["message"])
    values = {str(row["name"]): row["value"] for row in registry}
    if values.get("MajorVersion") in (None, ""):
        return (
            "IIS is not installed on the server: the registry does not tell its version, and its "
            f"administration objects are not there ({said}). Nothing was changed. Leave the server "
            "out, or name the one that clients come to."
        )
    version = f"{values['MajorVersion']}.{values.get('MinorVersion') or 0}"
    return (
        f"IIS {version} is on the server, but its administration objects "
        f"(Microsoft.ApplicationHost.AdminManager) cannot be made: {said}. Nothing was changed. "
        "Install the role service IIS Management Scripts and Tools (Web-Scripting-Tools). "
        f"{_AS_ADMINISTRATOR}"
    )


def _together(bindings: t.Iterable[tuple[Binding, ...] | None]) -> tuple[Binding, ...] | None:
    """All bindings of several sites; None where those of one are not known."""
    every: tuple[Binding, ...] = ()
    for of_site in bindings:
        if of_site is None:
            return None
        every += of_site
    return every


def _directories(site: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    paths = [
        (str(application["path"]).rstrip("/") + str(directory["path"])).rstrip("/")
        for application in site.get("applications") or ()
        for directory in application["directories"]
    ]
    return tuple(dict.fromkeys(path for path in paths if path))


def _server(
    host: t.Mapping[str, t.Any],
    registry: Rows,
    sections: t.Mapping[tuple[str, str], t.Mapping[str, t.Any]],
) -> Server:
    values = {str(row["name"]): row["value"] for row in registry}
    major, minor = values.get("MajorVersion"), values.get("MinorVersion")
    shared = ""
    for (section, _path), row in sections.items():
        held = (row["node"] or {}).get("values") or {}
        if section == REDIRECTION and str(held.get("enabled")).casefold() == "true":
            shared = str(held.get("path") or "another place")
    addresses = tuple(str(address).partition("%")[0] for address in host.get("addresses") or ())
    itself = LOOPBACK
    for address in addresses:
        try:
            itself |= RangeSet.parse([address])
        except RangeError:
            continue
    return Server(
        name=str(host["name"]),
        iis=(int(str(major)), int(str(minor or 0))) if str(major or "").isdigit() else None,
        rewrite=str(values.get("Version") or ""),
        itself=itself,
        addresses=addresses,
        shared=shared,
    )


def _trouble(row: t.Mapping[str, t.Any] | None) -> Trouble | None:
    if row is None:
        return Trouble("", "It was not read.")
    error = row["error"]
    return Trouble(str(error["hresult"]), one_line(error["message"])) if error else None


def one_line(message: t.Any) -> str:
    """What IIS says, which is several lines, for a sentence."""
    return " ".join(str(message).split()).rstrip(".")


_Known = dict[tuple[str, bool, str], Rule]


def _known(sections: t.Mapping[tuple[str, str], t.Mapping[str, t.Any]]) -> _Known:
    """The rules that were read in full, each at its own level."""
    known: _Known = {}
    for (section, _path), row in sections.items():
        for item in ((row["node"] or {}).get("items") or ()) if section == RULES else ():
            if "children" in item:
                rule = read_rule(item)
                known[(rule.level or "").casefold(), rule.in_web_config, rule.name.casefold()] = (
                    rule
                )
    return known


def _rules(row: t.Mapping[str, t.Any] | None, known: _Known) -> tuple[Rule, ...] | None:
    if row is None or row["node"] is None:
        return None
    items = row["node"].get("items") or ()
    return tuple(
        read_rule(item) if "children" in item else inherited_rule(item, known) for item in items
    )


def _locked(row: t.Mapping[str, t.Any] | None) -> bool:
    metadata = ((row or {}).get("node") or {}).get("metadata") or {}
    return metadata.get("isLocked") is True


def _place(
    path: str,
    sections: t.Mapping[tuple[str, str], t.Mapping[str, t.Any]],
    prefix: str,
    known: _Known,
) -> Place:
    def row(section: str) -> t.Mapping[str, t.Any] | None:
        return sections.get((section, f"{prefix}{path}".casefold()))

    rules, addresses, modules = map(row, (RULES, IP_SECURITY, MODULES))
    above = path
    while modules is None and above:
        # Where nothing says anything of the section, it is as it is one level up.
        above = above.rpartition("/")[0]
        modules = sections.get((MODULES, f"{prefix}{above}".casefold()))
    names = None
    if modules is not None and modules["node"] is not None:
        names = frozenset(
            str(item["values"].get("name")) for item in modules["node"].get("items") or ()
        )
    return Place(
        path=path,
        rules=_rules(rules, known),
        ip_list=None
        if addresses is None or addresses["node"] is None
        else read_list(addresses["node"]),
        modules=names,
        rules_trouble=_trouble(rules),
        ip_trouble=_trouble(addresses),
        rules_locked=_locked(rules),
        ip_locked=_locked(addresses),
    )


def _local(root: Place, site: str) -> tuple[Rule, ...]:
    """The rules of the site's own location. Where IIS does not tell the levels, those that carry
    the name of this collection, which writes nowhere else.
    """

    def is_local(rule: Rule) -> bool:
        if rule.level is None:
            return rule.name.casefold().startswith(PREFIX)
        return rule.level.casefold() == site.casefold() and not rule.in_web_config

    return tuple(filter(is_local, root.rules or ()))


_Texts = dict[str, "tuple[str, ...] | None"]


def _texts(rows: Rows, site: str) -> _Texts:
    """The web.configs by the paths of their folders without case; None where a folder could not be
    searched.
    """
    prefix = f"{APPHOST}/{site}"
    texts: _Texts = {}
    for row in rows:
        path = str(row["path"])[len(prefix) :].casefold()
        held = texts.get(path, ())
        texts[path] = None if row["text"] is None or held is None else (*held, str(row["text"]))
    return texts


def _inherited_names(rules: t.Iterable[Rule], state: State) -> frozenset[str]:
    """The names, without case, of the site's own rules that reach a path below it as they are.

    Who changes an inherited rule at a path, or disables it, makes another one of the same name
    there. Where IIS does not tell the levels, that one shows by what it says.
    """
    local = {rule.name.casefold(): rule.row() for rule in state.local}

    def is_inherited(rule: Rule) -> bool:
        if rule.level is None:
            return local.get(rule.name.casefold()) == rule.row()
        return rule.level.casefold() == state.site.casefold() and not rule.in_web_config

    return frozenset(rule.name.casefold() for rule in filter(is_inherited, rules))


def _ends(place: Place, state: State, texts: _Texts) -> Place:
    """Whether the site's rules end before this path: seen where there are any, else read in the
    web.configs.
    """
    if place.rules is None:
        return place
    if state.local and place.path:
        inherited = frozenset(rule.name.casefold() for rule in state.local)
        missing = inherited - _inherited_names(place.rules, state)
        if missing == inherited:
            return dataclasses.replace(place, ends=YES)
        return dataclasses.replace(place, removed=missing)
    ends = NO
    for folder, held in texts.items():
        if not below(place.path, folder):
            continue
        rules_end = UNSURE if held is None else raw.ends_rules(held, place.path[len(folder) :])
        ends = YES if YES in (ends, rules_end) else UNSURE if UNSURE in (ends, rules_end) else NO
    if ends == NO and place.path:
        # What stands in a location of applicationHost.config, and begins with <clear/>, shows only
        # where there is something to end.
        for path, sections in state.locations:
            relative = path[len(state.site) :]
            if (
                RULES in sections
                and path.casefold().startswith(f"{state.site}/".casefold())
                and below(place.path, relative)
            ):
                ends = UNSURE
    return dataclasses.replace(place, ends=ends)
