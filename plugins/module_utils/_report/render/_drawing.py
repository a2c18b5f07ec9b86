# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge of a server as a drawing: its stages from outside in, and how far senders come.

Drawn in the size in which it is shown, so that its words stay readable on a phone. Each line ends
in a word and a sign; its colour only says it again. What all drawings have in common a page has
once.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.fold import (
    EXCHANGE,
    FIREWALL,
    IIS,
    REFUSED,
    RELAYS,
    TAKEN,
    TENANT,
    UNKNOWN,
    WINDOWS_FIREWALL,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.proof import MAIL_DOOR
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.delivery import DELIVERY
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._html import (
    Html,
    element,
    together,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._shown import (
    Plain,
    known,
    look,
    worst,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import DRIFT
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    UNKNOWN as UNKNOWN_STATE,
)

INTERNET, CLOUD = "Internet", "Cloud"
_STAGES = (INTERNET, "Firewall", "Windows", "Exchange", CLOUD)
"""Outside in, as the drawing calls them."""
_ROWS = {FIREWALL: 1, WINDOWS_FIREWALL: 2, EXCHANGE: 3, IIS: 3, TENANT: 4}
_LAYERS = {
    "outside": 0,
    "dns": 0,
    # The provider's mail has come all the way, or has not.
    DELIVERY: 0,
    "ranges": 0,
    "published ranges": 0,
    "iis": 3,
    "hybrid": 4,
    "exchange online": 4,
}
_FAMILIES = {"fortigate": 1, "windows": 2, "exchange": 3}

_WIDTH, _LABELS = 290, 94
_BAND, _STEP = 38, 54
_HEIGHT = 4 * _STEP + _BAND + 2
# So many lines beside each other are readable; a table tells of all doors.
_LANES = 4
STRANGER = "stranger"

_SAYS = {RELAYS: "relayed", TAKEN: "taken", UNKNOWN: "unknown", REFUSED: "refused"}


def stage_of(layer: str) -> str:
    """The stage that a layer belongs to; empty for what is none."""
    row = _LAYERS.get(layer, _FAMILIES.get(layer.partition(" ")[0]))
    return "" if row is None else _STAGES[row]


@dataclass(frozen=True)
class Lane:
    """How far a group of senders comes: `row` is the stage that stops them, or the last one; from
    the row `doubt` on nobody knows.
    """

    who: str
    answer: str
    row: int
    doubt: int = 9
    # Whether every stage that was looked at lets them through.
    passed: bool = False

    @property
    def style(self) -> str:
        """Good where strangers are refused, and the provider is not. What might be is as bad as it
        would be, and never good.
        """
        if self.answer == UNKNOWN:
            return "open" if self.passed and self.who == STRANGER else "unknown"
        stopped, stranger = self.answer == REFUSED, self.who == STRANGER
        return "order" if stopped == stranger else "open"

    @property
    def words(self) -> str:
        """The same for who does not see the drawing."""
        by = f" by {_STAGES[self.row]}" if self.answer == REFUSED else ""
        return f"{self.who}: {self.says}{by}"

    @property
    def says(self) -> str:
        """The answer in a word."""
        return "taken?" if self.answer == UNKNOWN and self.passed else _SAYS[self.answer]


def lanes(doors: t.Iterable[Plain]) -> list[Lane]:
    """What the senders of mail of each group get, each answer once, the worst for the site first.

    What a stranger gets of the web is not drawn: some of it is meant for everybody.
    """
    told: dict[Lane, None] = {}
    for door in doors:
        if door.get("about", MAIL_DOOR) != MAIL_DOOR:
            continue
        answer = str(door.get("answer"))
        answer = answer if answer in _SAYS else UNKNOWN
        row = _ROWS.get(str(door.get("by")), 3) if answer == REFUSED else 3
        unseen = [_ROWS.get(str(stage), 3) for stage in door.get("unseen") or ()]
        doubt = min(unseen, default=3) if answer == UNKNOWN else 9
        who = str(door.get("who") or "").rsplit(" ", maxsplit=1)[-1]
        told[Lane(who, answer, row, doubt, bool(door.get("passed")))] = None
    styles = ("open", "unknown", "order")
    return sorted(told, key=lambda lane: (lane.who != STRANGER, styles.index(lane.style), lane.row))


def _of_the_tenant(doors: t.Iterable[Plain]) -> Lane | None:
    """The worst that a stranger gets at the tenant's own name, which no drawn way leads to."""
    told = lanes({**door, "about": MAIL_DOOR} for door in doors if door.get("about") == TENANT)
    return next((lane for lane in told if lane.who == STRANGER), None)


def drawing(layers: t.Iterable[Plain] | None, doors: t.Iterable[Plain], title: str) -> Html:
    """The drawing. `title` says of what and when; the states are those of `layers`, and there are
    none of what is only described.
    """
    states: dict[str, list[str]] = {stage: [] for stage in _STAGES}
    for layer in layers or ():
        stage = stage_of(str(layer.get("layer")))
        state = known(layer.get("state"))
        # That the provider's mail comes says nothing of strangers: it may spoil the stage, and does
        # not vouch for it.
        spoils = layer.get("layer") != DELIVERY or state in (DRIFT, UNKNOWN_STATE)
        if stage and spoils:
            states[stage].append(state)
    doors = list(doors)
    told, tenant = lanes(doors), _of_the_tenant(doors)
    shown = told[:_LANES]
    bands = [
        _band(row, None if layers is None else worst(states[stage]))
        for row, stage in enumerate(_STAGES)
    ]
    words = [lane.words for lane in told]
    if tenant:
        words.append(f"at the tenant's own name, {tenant.who}: {tenant.says}")
    if layers is not None:
        stages = [f"{stage}: {worst(states[stage])}" for stage in _STAGES[1:]]
        words = [f"Seen from outside: {worst(states[INTERNET])}", *stages, *words]
    return element(
        "svg",
        element("use", href="#e-link"),
        bands,
        element("use", href="#e-plain" if layers is None else "#e-now"),
        [_lane(_across(place, len(shown)), lane) for place, lane in enumerate(shown)],
        _past_the_servers(tenant) if tenant else None,
        class_="edge",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"{title}. {'; '.join(words)}.",
    )


def _top(row: int) -> int:
    return row * _STEP + 1


def _across(place: int, number: int) -> int:
    """The middle of a line, of so many beside each other."""
    room = _WIDTH - _LABELS - 4
    return _LABELS + round(room * (2 * place + 1) / (2 * number))


def _band(row: int, state: str | None) -> Html:
    """The band of a stage, and how it is."""
    style = look(state).style if state else "plain"
    band = element("use", href=f"#b-{style}", y=_top(row))
    if not state:
        return band
    words = state if row else f"seen: {state}"
    return together(band, element("text", words, class_="state", x=30, y=_top(row) + 31))


def shared() -> Html:
    """What a page has once for all of its drawings."""
    styles = ("open", "unknown", "drift", "accepted", "order", "none", "plain")
    rect = {"x": 1, "width": _WIDTH - 2, "height": _BAND, "rx": 7}
    bands = [
        element(
            "g",
            element("rect", class_=f"band {style}", **rect),
            element("use", href=f"#s-{style}", class_=style, x=9, y=11, width=15, height=15)
            if style != "plain"
            else None,
            id=f"b-{style}",
        )
        for style in styles
    ]
    names = [
        element(
            "g",
            [
                element("text", stage, class_="stage", x=x, y=_top(row) + below)
                for row, stage in enumerate(_STAGES)
            ],
            id=f"e-{kind}",
        )
        for kind, x, below in (("now", 30, 17), ("plain", 14, 24))
    ]
    link = element("path", class_="link", d=f"M16 {_top(0)}V{_top(4)}", id="e-link")
    ends = {
        "stop": element("path", class_="end-stop", d="M-7 0h14", id="d-stop"),
        "arrow": element("path", class_="end-arrow", d="M-6-6h12L0 2z", id="d-arrow"),
        "ask": element("path", class_="end-ask", d="M-6-6h12L0 2z", id="d-ask"),
    }
    return element("defs", link, bands, names, ends.values())


def _past_the_servers(lane: Lane) -> Html:
    """What a stranger gets at the tenant, in words alone: that way is beside the servers."""
    words = f"{lane.who}: {lane.says}"
    text = element("text", words, class_="who end", x=_across(0, 1), y=_top(4) + 23)
    return element("g", text, class_=f"lane {lane.style}")


def _lane(x: int, lane: Lane) -> Html:
    start, end = _top(0) + 24, _top(lane.row) - 2
    turn = _top(lane.doubt) if lane.doubt < lane.row + 1 else end
    parts = [element("text", lane.who, class_="who", x=x, y=_top(0) + 17)]
    if turn > start:
        parts.append(element("path", class_="way", d=f"M{x} {start}V{min(turn, end)}"))
    if turn < end:
        parts.append(element("path", class_="way doubt", d=f"M{x} {turn}V{end}"))
    mark = {REFUSED: "stop", UNKNOWN: "ask"}.get(lane.answer, "arrow")
    parts.append(element("use", href=f"#d-{mark}", x=x, y=end))
    parts.append(element("text", lane.says, class_="who end", x=x, y=_top(lane.row) + 23))
    return element("g", parts, class_=f"lane {lane.style}")
