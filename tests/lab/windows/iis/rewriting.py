# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URL Rewrite: what the inbound rules that are in effect make of a request.

iis.net, "URL Rewrite Module Configuration Reference", "Using Global and Distributed Rewrite Rules".
Not verified: what rules of a level do once an earlier rule has taken the URL out
of it (here: they are passed over), and that the rest of the set goes on with the rules of the URL
as it came.
"""

from __future__ import annotations

import dataclasses
import typing as t
import urllib.parse

from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.patterns import (
    Match,
    Matcher,
    matcher,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.schema import Plain
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.sections import REDIRECTS
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.urls import BadUrl, decoded, way
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.view import Item, View

NOTHING = Match(("",))


class RewriteError(Exception):
    """A rule cannot be carried out: 500.50, of a global rule 500.51 (iis.net, "HTTP status codes in
    IIS").
    """


@dataclasses.dataclass
class Sent:
    """A request as HTTP.sys hands it on. `path` and `query` are what rules may change; `target` is
    as sent.
    """

    target: str
    path: str
    query: str
    client: str
    host: str = "mail.example.test"
    method: str = "GET"
    port: int = 443
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def variable(self, name: str) -> str:
        """A server variable; one that is not there is empty."""
        upper = name.upper()
        if upper.startswith("HTTP_") and upper not in ("HTTP_HOST", "HTTP_METHOD"):
            wanted = upper[5:].replace("_", "-")
            return next((value for key, value in self.headers.items() if key.upper() == wanted), "")
        known = {
            "REMOTE_ADDR": self.client,
            "REMOTE_HOST": self.client,
            "HTTP_HOST": self.host,
            "SERVER_NAME": self.host.partition(":")[0],
            "URL": self.path,
            "SCRIPT_NAME": self.path,
            "PATH_INFO": self.path,
            # EOMTv2 decodes it itself, so that it comes encoded; not verified.
            "REQUEST_URI": self.target,
            "UNENCODED_URL": self.target,
            "QUERY_STRING": self.query,
            "REQUEST_METHOD": self.method,
            "HTTP_METHOD": self.method,
            "HTTPS": "on" if self.port in (443, 444) else "off",
            "SERVER_PORT": str(self.port),
            "SERVER_PORT_SECURE": "1" if self.port in (443, 444) else "0",
            "SERVER_PROTOCOL": "HTTP/1.1",
        }
        return known.get(upper, "")


class Outcome(t.NamedTuple):
    """How the rules end: passed, abort, or an answer with its status."""

    kind: str
    status: int = 0
    substatus: int = 0
    location: str = ""


@dataclasses.dataclass(frozen=True)
class Condition:
    """One condition of a rule."""

    input: str
    matches: str
    test: Matcher
    negate: bool


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule that is in effect. `depth` is how many segments of the URL belong to the level that it
    stands at.
    """

    name: str
    depth: int
    stop: bool
    url: Matcher
    negate: bool
    conditions: tuple[Condition, ...]
    any: bool
    all_captures: bool
    action: t.Mapping[str, Plain]
    variables: tuple[tuple[str, str], ...]


class Rules:
    """The rules that are in effect at one path, compiled. Raises BrokenPattern for any that is
    enabled and broken.
    """

    def __init__(
        self,
        section: View,
        maps: t.Mapping[str, t.Mapping[str, str]],
        allowed: t.Collection[str],
        there: t.Callable[[str, str], bool],
    ) -> None:
        self.rules = [_rule(item) for item in section.items() if item.value("enabled")]
        self._maps = maps
        self._allowed = {name.casefold() for name in allowed}
        # Whether a file (or a directory) is where a path leads: for IsFile and IsDirectory.
        self._there = there

    def run(self, request: Sent) -> Outcome:
        """Evaluate every rule in order; `request` carries on with the URL that they leave. Raises
        RewriteError.
        """
        for rule in self.rules:
            relative = _relative(request.path, rule.depth)
            if relative is None:
                continue
            matched = rule.url(relative)
            if (matched is None) != rule.negate:
                continue
            held, captured = self._conditions(rule, request, matched or NOTHING)
            if not held:
                continue
            outcome = self._act(rule, request, matched or NOTHING, captured)
            if outcome is not None:
                return outcome
            if rule.stop:
                break
        return Outcome("passed")

    def _conditions(self, rule: Rule, request: Sent, matched: Match) -> tuple[bool, Match]:
        captured: list[str] = []
        last = NOTHING
        for condition in rule.conditions:
            text = self._expand(condition.input, request, matched, last)
            match = condition.test(text)
            if condition.matches != "Pattern":
                match = Match((text,)) if self._there(condition.matches, text) else None
            holds = (match is None) == condition.negate
            if holds and match is not None:
                captured += match.groups[1:] if captured else match.groups
                last = Match(tuple(captured)) if rule.all_captures else match
            if holds == rule.any:
                return holds, last
        return not rule.any or not rule.conditions, last

    def _act(self, rule: Rule, request: Sent, matched: Match, captured: Match) -> Outcome | None:
        kind = str(rule.action["type"])
        if kind == "AbortRequest":
            return Outcome("abort")
        if kind == "CustomResponse":
            return Outcome(
                "answer", int(rule.action["statusCode"]), int(rule.action["subStatusCode"])
            )
        for name, _rest in rule.variables:
            if name.casefold() not in self._allowed:
                raise RewriteError(f"The server variable {name} is not allowed to be set.")
        if kind == "None":
            return None
        url = self._expand(str(rule.action["url"]), request, matched, captured)
        append = bool(rule.action["appendQueryString"]) and request.query
        if append:
            url += ("&" if "?" in url else "?") + request.query
        base = "/" + "/".join(way(request.path).names[: rule.depth])
        absolute = url if url.startswith("/") or "://" in url else f"{base.rstrip('/')}/{url}"
        if kind == "Redirect":
            return Outcome("answer", REDIRECTS[str(rule.action["redirectType"])], 0, absolute)
        if "://" in absolute:
            # Without Application Request Routing nothing can take it on.
            return Outcome("answer", 404, 4)
        request.path, _sign, request.query = absolute.partition("?")
        return None

    def _expand(self, text: str, request: Sent, matched: Match, captured: Match) -> str:
        """A text with its back-references, server variables, functions and maps. Raises
        RewriteError.
        """
        out: list[str] = []
        at = 0
        while at < len(text):
            start = text.find("{", at)
            if start < 0:
                break
            out.append(text[at:start])
            end = _closing(text, start)
            out.append(self._replaced(text[start + 1 : end], request, matched, captured))
            at = end + 1
        return "".join(out) + text[at:]

    def _replaced(self, inner: str, request: Sent, matched: Match, captured: Match) -> str:
        name, colon, rest = inner.partition(":")
        if colon and name in ("R", "C") and rest.isdigit():
            match = matched if name == "R" else captured
            if int(rest) < len(match.groups):
                return match.groups[int(rest)]
            if match is NOTHING:
                return ""
            # From memory: IIS says that the expression cannot be expanded.
            raise RewriteError(f"There is no group {rest} to refer to.")
        if colon:
            argument = self._expand(rest, request, matched, captured)
            if name.casefold() == "tolower":
                return argument.lower()
            if name.casefold() == "urlencode":
                return urllib.parse.quote(argument, safe="")
            if name.casefold() == "urldecode":
                try:
                    return decoded(argument)
                except BadUrl:
                    return argument
            for known, entries in self._maps.items():
                if known.casefold() == name.casefold():
                    return entries.get(argument.casefold(), entries.get("", ""))
            raise RewriteError(f"There is no function and no map named {name}.")
        return request.variable(inner)


def _closing(text: str, start: int) -> int:
    depth = 0
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    raise RewriteError(f"The expression {text} is not complete.")


def _relative(path: str, depth: int) -> str | None:
    """A path as a level sees it: without what leads there, and one slash less. None where it is not
    below.
    """
    if depth == 0:
        return path[1:]
    segments = way(path)
    if len(segments.names) < depth:
        return None
    return path[segments.ends[depth - 1] :].removeprefix("/")


def _rule(item: Item) -> Rule:
    syntax = str(item.value("patternSyntax"))
    match, conditions, action = item.child("match"), item.child("conditions"), item.child("action")
    tests = []
    for condition in conditions.items():
        kind = str(condition.value("matchType"))
        pattern = str(condition.value("pattern")) if kind == "Pattern" else ""
        test = matcher(syntax, pattern, bool(condition.value("ignoreCase")))
        tests.append(
            Condition(str(condition.value("input")), kind, test, bool(condition.value("negate")))
        )
    return Rule(
        str(item.value("name")),
        max(item.source.layer.target - 1, 0),
        bool(item.value("stopProcessing")),
        matcher(syntax, str(match.value("url")), bool(match.value("ignoreCase"))),
        bool(match.value("negate")),
        tuple(tests),
        conditions.value("logicalGrouping") == "MatchAny",
        bool(conditions.value("trackAllCaptures")),
        {name: action.value(name) for name in action.schema.attributes},
        tuple(
            (str(variable.value("name")), str(variable.value("value")))
            for variable in item.child("serverVariables").items()
        ),
    )
