# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is another than in the report before: findings that came and went, states, sites."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.build import (
    DESCRIPTION,
    EDGE,
    FORMAT,
    RUN,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.delivery import DELIVERY
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._texts import (
    LOOKED,
    known,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    ACCEPTED,
    NOT_MANAGED,
    worst_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import OPEN

Plain = dict[str, t.Any]
Report = t.Mapping[str, t.Any]


class ReportError(Exception):
    """A text or a value is no report that this collection can compare."""


def checked(report: t.Any) -> Plain:
    """A report of another run, as far as a comparison reads it. Raises ReportError."""
    if not isinstance(report, t.Mapping) or report.get("format") != FORMAT:
        raise ReportError(f"It is no report of the form {FORMAT}.")
    sites = report.get("sites")
    if not isinstance(report.get("at"), str) or not isinstance(sites, t.Mapping):
        raise ReportError("It says neither when it was made nor of which sites.")
    for site in sites.values():
        findings = site.get("findings") if isinstance(site, t.Mapping) else None
        if not isinstance(findings, (list, tuple)) or not all(map(_is_finding, findings)):
            raise ReportError("A site of it has no list of findings.")
    return t.cast("Plain", report)


def _is_finding(entry: t.Any) -> bool:
    return isinstance(entry, t.Mapping) and isinstance(entry.get("id"), str)


def with_since(report: Report, before: Report | None) -> Plain:
    """The report, each finding with the time since when it is there: that of the report before,
    where that has it, else that of this run.
    """
    older = (before or {}).get("sites") or {}
    return {
        **report,
        "sites": {
            name: {**site, "findings": _since(site, older.get(name), str(report["at"]))}
            for name, site in report["sites"].items()
        },
    }


def _since(site: Report, before: Report | None, at: str) -> list[Plain]:
    known = {
        each["id"]: str(each.get("since") or "") for each in (before or {}).get("findings", ())
    }
    return [{**each, "since": known.get(each["id"]) or at} for each in site["findings"]]


def compared(before: Report, now: Report, *, partial: bool | None = False) -> Plain:
    """{since, appeared, gone, states, new_sites, missing_sites}; findings with their site.

    Gone is only what somebody has looked for and not found. `partial`: the run was to see some of
    the sites, or of the hosts of a site, only, so that none is missing; None where nobody knows.
    """
    older, newer = before["sites"], now["sites"]
    both = [name for name in newer if name in older]
    were = {name: {each["id"] for each in site["findings"]} for name, site in older.items()}
    then = merged(before, now, partial=partial)["sites"]
    return {
        "since": before["at"],
        "appeared": [
            {**each, "site": name}
            for name in both
            for each in newer[name]["findings"]
            if each["id"] not in were[name]
        ],
        "gone": [
            {**each, "site": name}
            for name in both
            for each in _not_there(older[name], newer[name])
            if _looked_for(
                each, older[name], newer[name], partial=_in_part(older[name], newer[name], partial)
            )
        ],
        "states": {
            name: [older[name].get("state"), then[name]["state"]]
            for name in both
            if older[name].get("state") != then[name]["state"]
        },
        "new_sites": sorted(name for name in newer if name not in older),
        "missing_sites": [] if partial else sorted(name for name in older if name not in newer),
    }


def absent(before: Report | None, now: Report) -> list[str]:
    """The sites, and the hosts of sites, that were known before and that a run does not have."""
    newer = now["sites"]
    missing = []
    for name, site in ((before or {}).get("sites") or {}).items():
        hosts = [host for host in _hosts(site) if host not in _hosts(newer.get(name) or {})]
        if name not in newer:
            missing.append(str(name))
        elif hosts:
            missing.append(f"{', '.join(hosts)} of {name}")
    return missing


def merged(before: Report | None, now: Report, *, partial: bool | None) -> Plain:
    """What is known of every site: by this run, and of the sites and hosts that it was not to see,
    and of what nobody could look at, by the report that saw it last. Each site and each host says
    when it was looked at.

    `partial`: see compared(). Where nobody knows, what the run does not have stays known: it may be
    a slice, or have another inventory.
    """
    older = (before or {}).get("sites") or {}
    sites = {
        name: _together(older.get(name), site, before, now, partial=partial)
        for name, site in now["sites"].items()
    }
    if partial is not False and before:
        unseen = {name: {"at": before["at"], **site} for name, site in older.items()}
        sites = {**unseen, **sites}
    return {**now, "sites": sites}


def _together(
    older: Report | None, site: Report, before: Report | None, now: Report, *, partial: bool | None
) -> Plain:
    """What is known of a site that the run has seen, or a part of it."""
    partial = _in_part(older, site, partial)
    at = str(now["at"])
    hosts = {name: {**host, "at": at} for name, host in _hosts(site).items()}
    whole = {**site, "at": at, "hosts": hosts}
    if older is None:
        return whole
    whole["findings"] = [
        *site["findings"],
        *(each for each in _not_there(older, site) if _stands(each, older, site, partial=partial)),
    ]
    unseen = {
        name: {"at": older.get("at") or (before or {}).get("at"), **host}
        for name, host in _hosts(older).items()
        if partial and name not in hosts
    }
    if not unseen:
        return whole
    # A site is as its worst host, and was looked at when the last of them was.
    whole["hosts"] = {**hosts, **unseen}
    state = worst_of(known(host.get("state")) for host in whole["hosts"].values())
    days = [each["accepted_until"] for each in whole["findings"] if each.get("accepted_until")]
    return {
        **whole,
        "state": state,
        "line": (site if site.get("state") == state else older).get("line", ""),
        "accepted_until": min(days) if days and state == ACCEPTED else "",
        "at": min(str(host["at"]) for host in whole["hosts"].values()),
        "not_looked_at": [
            *(site.get("not_looked_at") or ()),
            *(each for each in older.get("not_looked_at") or () if each.get("host") in unseen),
        ],
    }


def _in_part(older: Report | None, site: Report, partial: bool | None) -> bool:
    """Whether a run saw a part of a site only."""
    if partial is None:
        return any(name not in _hosts(site) for name in _hosts(older or {}))
    return partial


def _hosts(site: Report) -> t.Mapping[str, Plain]:
    return site.get("hosts") or {}


def _layers(host: Report) -> dict[str, str]:
    """Layer of a host → its state."""
    return {str(each.get("layer")): known(each.get("state")) for each in host.get("layers") or ()}


def _not_there(older: Report, site: Report) -> list[Plain]:
    there = {each["id"] for each in site["findings"]}
    return [each for each in older["findings"] if each["id"] not in there]


def _stands(each: Report, older: Report, site: Report, *, partial: bool) -> bool:
    """Whether an older finding that a run does not have stands all the same, for all that is known.

    One of a host that a whole run did not have, or of a layer that the site has stopped to manage,
    is neither there nor gone.
    """
    name = str(each.get("host") or "")
    host = _hosts(site).get(name)
    if name and host is None:
        return partial
    layer, layers = str(each.get("layer") or ""), _layers(host or {})
    if layers.get(layer) == NOT_MANAGED or (
        # A host that was looked at tells of each layer that the site asks for.
        layer not in (*layers, EDGE, DELIVERY, RUN, DESCRIPTION, "")
        and any(state in LOOKED for state in layers.values())
    ):
        return False
    return not _looked_for(each, older, site, partial=partial)


def _looked_for(each: Report, older: Report, site: Report, *, partial: bool) -> bool:
    """Whether a run has looked where an older finding was."""
    name, layer = str(each.get("host") or ""), str(each.get("layer") or "")
    if not name:
        # Of the description of the whole site, which is held against all that was found.
        states = [known(host.get("state")) for host in _hosts(site).values()]
        return not partial and all(state in (*_ALL_SEEN, NOT_MANAGED) for state in states)
    host = _hosts(site).get(name)
    if host is None:
        return False
    layers = _layers(host)
    if layer in layers:
        return layers[layer] in LOOKED
    if layer in (RUN, DESCRIPTION):
        return any(state in LOOKED for state in layers.values())
    if layer != EDGE or known(host.get("state")) not in _ALL_SEEN:
        return False
    # What all layers together say has a record only where it is bad. So it was looked for where
    # every layer was that had been.
    earlier = _layers(_hosts(older).get(name) or {})
    return all(
        state in (*LOOKED, NOT_MANAGED) or earlier.get(other) not in LOOKED
        for other, state in layers.items()
    )


# The states of a host of which all was looked at, and no door that hides others is open.
_ALL_SEEN = tuple(state for state in LOOKED if state != OPEN)
