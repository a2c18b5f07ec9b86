# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets through to a path: by the rules of URL Rewrite in their order, and by the IP list.

Two bounds, because not every rule that somebody wrote can be read for certain: who certainly
passes, and who could. Rules of the server come first (globalRules), then those of the levels from
above; the first that refuses, or that ends the rules, decides.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.ip_list import IpList
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.patterns import (
    ANY_URL,
    INPUT,
    below,
    blocked_path,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import (
    IP_MODULE,
    REWRITE_MODULE,
    Condition,
    Rule,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.senders import (
    EVERYBODY,
    NOBODY,
    Matched,
    matched,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.state import (
    UNSURE,
    YES,
    Place,
    State,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet

_ADDRESS = "{remote_addr}"


@dataclass(frozen=True)
class Passing:
    """Who gets through: `certain` for sure, and `at_most` could. `because`: in sentences, why
    somebody may get through that a block is meant to stop.
    """

    certain: RangeSet
    at_most: RangeSet
    because: tuple[str, ...] = ()


def passing(state: State, path: str) -> Passing:
    """Who gets through to a path or to anything in it, by all configuration paths inside."""
    parts = [_at(state, place, path) for place in state.inside(path)]
    certain, most = NOBODY, NOBODY
    for part in parts:
        certain |= part.certain
        most |= part.at_most
    because = tuple(dict.fromkeys(sentence for part in parts for sentence in part.because))
    return Passing(certain, most, because)


def _at(state: State, place: Place, path: str) -> Passing:
    inner = place.path if below(place.path, path) else path
    rules, because = _through_rules(state, place, inner)
    addresses = _through_list(place)
    return Passing(
        rules.certain & addresses.certain, rules.at_most & addresses.at_most, tuple(because)
    )


def _through_list(place: Place) -> Matched:
    if place.ip_list is None or place.modules is None:
        return Matched(NOBODY, EVERYBODY)
    if IP_MODULE not in place.modules:
        # The section can be written without the module, and nothing enforces it.
        return Matched(EVERYBODY, EVERYBODY)
    return place.ip_list.lets_through()


def _through_rules(state: State, place: Place, path: str) -> tuple[Matched, list[str]]:
    where = f"{state.site}{place.path}"
    rules = state.effective(place)
    blocks = [
        rule
        for rule in state.local
        if ours(rule) is not None and below(path, t.cast(str, ours(rule)))
    ]
    if place.modules is None or rules is None or state.global_rules is None:
        if (
            place.rules_trouble
            and place.rules_trouble.hresult == MISSING
            and not state.server.rewrite
        ):
            return Matched(EVERYBODY, EVERYBODY), []
        why = f": {place.rules_trouble.message}" if place.rules_trouble else ""
        return Matched(NOBODY, EVERYBODY), [f"The rules of {where} cannot be read{why}."]
    if REWRITE_MODULE not in place.modules:
        gone = (
            [f"URL Rewrite does not run at {where}, so that no rule stops anybody there."]
            if blocks
            else []
        )
        return Matched(EVERYBODY, EVERYBODY), gone
    because: list[str] = []
    if blocks and place.ends == YES:
        because.append(
            f"At {where} the rules of the site are ended by a <clear/>, so that none of them stops "
            "anybody there."
        )
    elif blocks and place.ends == UNSURE:
        because.append(f"{where} has rules of its own, which may end those of the site.")
    taken_away = sorted(rule.name for rule in blocks if rule.name.casefold() in place.removed)
    if taken_away:
        because.append(f"At {where} the rule '{taken_away[0]}' is removed.")
    open_certain = open_most = EVERYBODY
    out_certain = out_most = NOBODY
    for rule in (*state.global_rules, *rules):
        if not rule.enabled:
            continue
        fits = _matched(rule, path, state.site)
        if place.ends == UNSURE and rule in blocks:
            fits = Matched(NOBODY, fits.at_most)
        if rule.refuses:
            open_certain -= fits.at_most
            open_most -= fits.certain
        elif rule.stop_processing and rule.action != "Redirect" and fits.at_most:
            # Whoever it fits is past all rules that follow.
            through = fits.at_most & open_most
            if through & _refused_later(rules, rule, path, state.site):
                because.append(
                    f"The rule '{rule.name}' comes before at {where}, and may let requests past "
                    "the block."
                )
            out_most |= through
            out_certain |= fits.certain & open_certain
            open_certain -= fits.at_most
            open_most -= fits.certain
        elif rule.action == "Rewrite" and open_most & fits.at_most & _refused_later(
            rules, rule, path, state.site
        ):
            # From there on the rules see another URL.
            because.append(
                f"The rule '{rule.name}' comes before at {where}, and rewrites the URL that the "
                "block looks at."
            )
            out_most |= fits.at_most & open_most
    return Matched(out_certain | open_certain, out_most | open_most), because


MISSING = "0x8007000d"
"""The HRESULT of a section that is not declared: its module is not installed (and of other data
that is invalid).
"""


def _refused_later(rules: t.Sequence[Rule], rule: Rule, path: str, site: str) -> RangeSet:
    """Whom a rule after this one certainly refuses."""
    refused = NOBODY
    behind = rules[rules.index(rule) + 1 :] if rule in rules else rules
    for later in behind:
        if later.enabled and later.refuses:
            refused |= _matched(later, path, site).certain
    return refused


def ours(rule: Rule) -> str | None:
    """The path that a rule blocks, where it has the form that the recipe gives it; None for any
    other rule.
    """
    if (
        rule.pattern_syntax != "ECMAScript"
        or rule.url != ANY_URL
        or rule.negate
        or rule.logical_grouping != "MatchAll"
    ):
        return None
    urls = [condition for condition in rule.conditions if condition.input == INPUT]
    if (
        len(urls) != 1
        or urls[0].negate
        or urls[0].match_type != "Pattern"
        or not urls[0].ignore_case
    ):
        return None
    return blocked_path(urls[0].pattern)


def _matched(rule: Rule, path: str, site: str) -> Matched:
    """Which senders a rule fits when they ask for the path or for something in it, whatever they
    ask for.
    """
    blocked = ours(rule)
    if blocked is not None:
        if below(path, blocked):
            url = Matched(EVERYBODY, EVERYBODY)
        elif below(blocked, path):
            # A part of what is asked for: who is refused there gets in at the rest.
            url = Matched(NOBODY, NOBODY if rule.refuses else EVERYBODY)
        else:
            # Only a request that names the other path in one of its spellings.
            return Matched(NOBODY, NOBODY)
    else:
        url = _url(rule, path, site)
    if not url.at_most:
        return Matched(NOBODY, NOBODY)
    others = [
        condition for condition in rule.conditions if blocked is None or condition.input != INPUT
    ]
    senders = _conditions(others, rule.logical_grouping)
    return Matched(url.certain & senders.certain, url.at_most & senders.at_most)


def _conditions(conditions: t.Sequence[Condition], grouping: str) -> Matched:
    if not conditions:
        return Matched(EVERYBODY, EVERYBODY)
    sets = [_condition(condition) for condition in conditions]
    certain, most = sets[0]
    for senders in sets[1:]:
        if grouping == "MatchAny":
            certain, most = certain | senders.certain, most | senders.at_most
        else:
            certain, most = certain & senders.certain, most & senders.at_most
    return Matched(certain, most)


def _condition(condition: Condition) -> Matched:
    if condition.input.casefold() != _ADDRESS or condition.match_type != "Pattern":
        return Matched(NOBODY, EVERYBODY)
    held = matched(condition.pattern)
    if condition.negate:
        return Matched(EVERYBODY - held.at_most, EVERYBODY - held.certain)
    return held


def _url(rule: Rule, path: str, site: str) -> Matched:
    """Whether the pattern of a rule that is not of the recipe's form fits the URL: all requests for
    the path, none, or it cannot be said. The URL is relative to the level of the rule.
    """
    unsure, nothing = Matched(NOBODY, EVERYBODY), Matched(NOBODY, NOBODY)
    if rule.negate or rule.level is None:
        return unsure
    level = rule.level[len(site) :] if rule.level.casefold().startswith(site.casefold()) else ""
    if not below(path, level):
        return nothing if not below(level, path) else unsure
    relative = path[len(level) :].strip("/")
    if rule.pattern_syntax == "ExactMatch":
        return unsure
    if rule.pattern_syntax == "Wildcard":
        return Matched(EVERYBODY, EVERYBODY) if rule.url == "*" else unsure
    if rule.url in (".*", "(.*)", "^.*", "^.*$", "^(.*)$", ""):
        return Matched(EVERYBODY, EVERYBODY)
    head = re.match(r"\^([A-Za-z0-9_/-]+)(?![?*{|])", rule.url)
    if head and not _alternatives(rule.url):
        # The last character may belong to a quantifier that the look-ahead has not seen.
        start, asked = head.group(1).casefold(), relative.casefold()
        if not start.startswith(asked) and not asked.startswith(start):
            return nothing
    return unsure


def _alternatives(pattern: str) -> bool:
    """Whether a bar outside of every group gives the pattern another beginning."""
    depth = 0
    for sign in re.sub(r"\\.", "", pattern):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(sign, 0)
        if sign == "|" and depth <= 0:
            return True
    return False


def rewrites_into(state: State, paths: t.Iterable[str]) -> list[Rule]:
    """Rules of others that rewrite a URL to one of the paths, after which no block is looked at
    again.
    """
    named = [path.casefold().strip("/") for path in paths]
    held: dict[str, Rule] = {}
    for place in state.places.values():
        for rule in (*(state.global_rules or ()), *(place.rules or ())):
            target = rule.action_url.casefold()
            if (
                rule.enabled
                and rule.action == "Rewrite"
                and any(re.search(rf"(?:^|/){re.escape(name)}(?:[/?]|$)", target) for name in named)
            ):
                held[rule.name] = rule
    return list(held.values())


def list_at(place: Place) -> IpList:
    """The IP list in effect at a place; an empty one where it cannot be read."""
    return place.ip_list or IpList()
