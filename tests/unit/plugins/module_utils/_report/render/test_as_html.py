# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a report, as text. How it looks, and what a browser makes of it, tests/page asks."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge import fold
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render import (
    _drawing,
    _shown,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render.as_html import render
from ansible_collections.mailedge.lockdown.tests.support import reports

VOID = {"link", "meta"}
KNOWN = (
    "html head meta title link style body svg symbol path circle rect use text g defs a header h1 "
    "h2 h3 h4 h5 p span time code main section ul ol li b div table caption thead tbody tr th td "
    "details summary figure figcaption footer"
)
WITHIN_WORDS = {"a", "b", "code", "time"}


class Reader(html.parser.HTMLParser):
    """The elements of a page with their attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.style = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _value in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        self.part(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        assert tag not in VOID
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.part(tag)

    def part(self, tag: str) -> None:
        if tag not in WITHIN_WORDS:
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["style"]:
            self.style += data
        else:
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(report: reports.Plain, changes: reports.Plain | None = None) -> Reader:
    return Reader(render(report, changes))


def test_what_somebody_has_named_stays_text() -> None:
    whole = reports.hostile()
    page = render(whole, reports.changes(whole))
    reader = Reader(page)
    assert {tag for tag, _attributes in reader.elements} <= set(KNOWN.split())
    for tag, attributes in reader.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in ("style", "src", "srcdoc", "action"), (tag, name)
            assert name != "href" or re.fullmatch(r"#[a-z0-9-]+|data:,", value), (tag, value)
    for name in reports.HOSTILE:
        shown = re.sub(r"[\x00-\x1f\x7f-\x9f\u202c\u202e\ud800\ufffe]", _named, name)
        assert " ".join(shown.split()) in reader.text, name
    assert re.search(r"[\x00-\x08\x0b-\x1f\u202e\ud800\ufffe]", page) is None
    page.encode("utf-8")


def _named(char: re.Match[str]) -> str:
    return f"\\u{{{ord(char.group()):X}}}"


def test_only_what_the_format_has_is_written() -> None:
    """What a report carries beside it, nobody has looked at for secrets."""
    whole = reports.small_fleet()
    whole["password"] = whole["sites"]["birke"]["secret"] = "hunter2"
    for site in whole["sites"].values():
        for told in site["findings"]:
            told["raw"] = "hunter2"
        for host in site["hosts"].values():
            host["vars"] = {"ansible_password": "hunter2"}
    assert "hunter2" not in render(whole, {**reports.changes(whole), "token": "hunter2"})


def test_a_page_loads_nothing_and_its_style_is_the_only_one() -> None:
    page = render(reports.small_fleet())
    reader = Reader(page)
    (policy,) = [
        meta["content"]
        for meta in reader.of("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    digest = base64.b64encode(hashlib.sha256(reader.style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in reader.style
    assert "@import" not in reader.style


def test_the_worst_comes_first_and_every_place_is_linked() -> None:
    whole = reports.small_fleet()
    reader = read(whole, reports.changes(whole))
    text = reader.text
    assert text.index("2 sites are open to strangers.") < text.index("Where to go first")
    assert text.index("Where to go first") < text.index("What changed since Monday 23 Nov 2026")
    headings = [
        text.index(heading)
        for heading in ("Open to strangers 2", "Not known 1", "Not as described 3", "In order 19")
    ]
    assert headings == sorted(headings)
    places = [attributes["id"] for _tag, attributes in reader.elements if "id" in attributes]
    assert len(places) == len(set(places))
    assert {link["href"][1:] for link in reader.of("a")} <= set(places)
    first = [link["href"] for link in reader.of("a") if link["href"].startswith("#site-")][:3]
    assert first == ["#site-birke", "#site-tanne", "#site-ulme"]


def test_who_has_more_that_is_critical_comes_first_among_the_open() -> None:
    whole = reports.report({"ahorn": "open", "birke": "open"})
    whole["sites"]["ahorn"]["findings"] = whole["sites"]["ahorn"]["findings"][:1]
    assert [each for each in read(whole).of("details") if "site" in each["class"].split()]
    page = render(whole)
    assert page.index('id="site-birke"') < page.index('id="site-ahorn"')


@pytest.mark.parametrize("state", ["in  order", "green", "", "IN ORDER", None])
def test_a_state_that_nobody_knows_is_not_in_order(state: t.Any) -> None:
    whole = reports.report({"birke": "in order"})
    whole["sites"]["birke"]["state"] = state
    whole["sites"]["birke"]["hosts"]["birke-ex1"]["layers"][0]["state"] = state
    text = read(whole).text
    assert "1 site could not be judged." in text
    assert "1 in order" not in text
    assert "site is in order" not in text
    assert "Exchange: unknown" in render(whole)


def test_a_run_without_a_site_says_so() -> None:
    text = read(reports.report({})).text
    assert "No site was looked at." in text
    assert "Nowhere" not in text
    assert "The run had no site." in text


def test_a_fleet_in_order_says_what_of_it_nobody_looked_at() -> None:
    whole = reports.report({"birke": "in order", "buche": "in order"})
    assert "Both sites are in order." in read(whole).text
    assert "that nobody looked at" not in read(whole).text
    whole["sites"]["birke"]["not_looked_at"] = [
        {"host": "birke-ex1", "layer": "outside", "why": "mailedge_probe_targets is not set."}
    ]
    text = read(whole).text
    assert "Of the sites in order, 1 has a layer that nobody looked at." in text
    assert "outside: mailedge_probe_targets is not set." in text


def test_a_site_that_is_missing_is_told_at_the_top() -> None:
    whole = reports.small_fleet()
    text = read(whole, reports.changes(whole)).text
    missing = "1 site of the report before was not looked at this time: vogelbeere."
    assert text.index(missing) < text.index("Where to go first")


def test_what_changed_names_the_worse_before_the_better() -> None:
    whole = reports.small_fleet()
    text = read(whole, reports.changes(whole)).text
    assert "birke in order → open" in text
    assert text.index("birke in order → open") < text.index("ahorn drift → in order")
    assert "New findings: 2" in text
    assert "No longer there: 1" in text
    nothing = {"since": reports.SINCE, "appeared": [], "gone": [], "states": {}}
    assert "What changed since Monday 23 Nov 2026 Nothing." in read(whole, nothing).text
    assert "There is no report before this one" in read(whole).text


def test_what_several_sites_share_is_one_cause() -> None:
    text = read(reports.small_fleet()).text
    causes = text[text.index("By cause") : text.index("The sites, worst first")]
    assert "the newest is of November 2026. Install the security update" in causes
    assert re.search(r"windows posture 5 birke, tanne, erle, hasel, linde", causes)
    assert "Scanner" not in causes  # accepted, and of one site alone
    assert "By cause" not in read(reports.report({"birke": "open", "eibe": "accepted"})).text


def test_what_is_accepted_says_until_when_and_why() -> None:
    text = read(reports.report({"eibe": "accepted"})).text
    assert "accepted until 31 Dec 2026: The scanner is replaced in December" in text
    assert "What was noted" in text
    assert "What to do" not in text


def test_how_long_something_is_so_is_told_in_days() -> None:
    assert "since 12 Nov 2026 (18 days)" in read(reports.report({"birke": "open"})).text
    assert "since 30 Nov 2026 " in read(reports.report({"birke": "drift"})).text


def test_what_would_change_is_not_told_as_done() -> None:
    text = read(reports.report({"birke": "open"})).text
    assert "exchange, a run would: Change the receive connector" in text
    assert "Next: run apply in check mode for birke-ex1" in text
    whole = reports.report({"birke": "open"}, playbook="apply")
    for each in whole["sites"]["birke"]["hosts"]["birke-ex1"]["layers"]:
        each["changed"] = True
    assert "exchange, done: Change the receive connector" in read(whole).text
    whole["check_mode"] = True
    assert "exchange, a run would: Change the receive connector" in read(whole).text


def test_an_open_site_without_a_plan_does_not_promise_that_a_run_helps() -> None:
    whole = reports.report({"birke": "open"})
    for each in whole["sites"]["birke"]["hosts"]["birke-ex1"]["layers"]:
        each["plan"] = []
    text = read(whole).text
    assert "No run of its description would shut this" in text
    assert "Next: run" not in text


def test_the_drawing_says_who_passes_now_and_as_described() -> None:
    pictures = [
        svg["aria-label"]
        for svg in read(reports.report({"birke": "open"})).of("svg")
        if svg.get("role") == "img"
    ]
    assert pictures == [
        "Now, birke-ex1. Seen from outside: open; Firewall: open; Windows: drift; "
        "Exchange: open; Cloud: not managed; stranger: taken?; provider: taken?.",
        "As described, birke-ex1. stranger: refused by Firewall; provider: taken?.",
    ]
    (picture,) = [
        svg["aria-label"]
        for svg in read(reports.report({"birke": "in order"})).of("svg")
        if svg.get("role") == "img"
    ]
    assert picture.endswith(
        "stranger: refused by Firewall; provider: taken; "
        "at the tenant's own name, stranger: refused."
    )


@pytest.mark.parametrize(
    ("who", "answer", "passed", "style"),
    [
        ("a stranger", "taken", False, "open"),
        ("a stranger", "relays", False, "open"),
        ("a stranger", "refused", False, "order"),
        ("a stranger", "unknown", False, "unknown"),
        ("a stranger", "unknown", True, "open"),
        ("a stranger", "closed, I promise", False, "unknown"),
        ("the provider", "taken", False, "order"),
        ("the provider", "refused", False, "open"),
        ("the provider", "unknown", True, "unknown"),
    ],
)
def test_what_is_good_for_a_stranger_is_bad_for_the_provider(
    who: str, answer: str, passed: bool, style: str
) -> None:
    door = reports.door(who, "203.0.113.91 port 25", answer, "", passed=passed, by="Exchange")
    (lane,) = _drawing.lanes([door])
    assert lane.style == style


def test_every_stage_that_the_whole_edge_knows_is_a_row_of_the_drawing() -> None:
    for stage in (*fold.STAGES, *fold.WEB_STAGES, fold.TENANT):
        (lane,) = _drawing.lanes([reports.door("a stranger", "25", "refused", "", by=stage)])
        named = {"the firewall": "Firewall", "Windows Firewall": "Windows", "IIS": "Exchange"}
        place = named.get(stage, "Cloud" if stage == fold.TENANT else "Exchange")
        assert lane.words == f"stranger: refused by {place}"
    assert set(fold.ANSWERS) == {"relays", "taken", "unknown", "refused"}


def test_what_the_web_answers_is_told_and_not_drawn() -> None:
    whole = reports.report({"birke": "in order"})
    reader = read(whole)
    assert "a stranger at 203.0.113.91 port 443: /owa answered" in reader.text
    (doors,) = [host["doors"] for host in whole["sites"]["birke"]["hosts"].values()]
    assert [lane.who for lane in _drawing.lanes(doors)] == ["stranger", "provider"]
    hint = "Drawn is the way of mail alone"
    assert hint in reader.text
    (host,) = whole["sites"]["birke"]["hosts"].values()
    host["doors"] = [door for door in doors if door.get("about") != "web"]
    assert hint not in read(whole).text


@pytest.mark.parametrize(
    ("seen", "delivered", "drawn"),
    [
        ("in order", "in order", "in order"),
        ("in order", "unknown", "unknown"),
        ("in order", "drift", "drift"),
        ("in order", "not looked at", "in order"),
        ("open", "unknown", "open"),
        # The provider's mail vouches for nothing else.
        ("not managed", "in order", "not managed"),
        (None, "in order", "not managed"),
    ],
)
def test_mail_of_the_provider_that_does_not_come_is_in_the_drawing(
    seen: str | None, delivered: str, drawn: str
) -> None:
    layers = [{"layer": "delivery", "state": delivered}]
    layers += [{"layer": "outside", "state": seen}] if seen else []
    text = str(_drawing.drawing(layers, [], "Now"))
    assert f'aria-label="Now. Seen from outside: {drawn}; Firewall: not managed;' in text
    assert f">seen: {drawn}<" in text


def test_doors_that_become_different_are_rows_of_their_own() -> None:
    whole = reports.report({"birke": "in order"})
    now, then = (
        [
            reports.door("a stranger", "203.0.113.91", "unknown", words, port=port)
            for port, words in ((25, first), (465, second), (587, second))
        ]
        for first, second in (("perhaps", "perhaps"), ("no", "perhaps"))
    )
    whole["sites"]["birke"]["hosts"]["birke-ex1"].update(doors=now, doors_described=then)
    text = read(whole).text
    assert "a stranger at 203.0.113.91 port 25 perhaps no" in text
    assert "a stranger at 203.0.113.91 port 465, 587 perhaps perhaps" in text
    assert "not told" not in text


def test_every_layer_has_its_stage() -> None:
    stages = {
        layer: _drawing.stage_of(layer)
        for layer in (
            "outside",
            "delivery",
            "dns",
            "fortigate way in",
            "windows tls",
            "exchange way out",
        )
    }
    assert stages == {
        "outside": "Internet",
        "delivery": "Internet",
        "dns": "Internet",
        "fortigate way in": "Firewall",
        "windows tls": "Windows",
        "exchange way out": "Exchange",
    }
    assert _drawing.stage_of("iis") == "Exchange"
    assert _drawing.stage_of("exchange online") == _drawing.stage_of("hybrid") == "Cloud"
    assert _drawing.stage_of("description") == ""


def test_a_site_without_doors_does_not_draw_any() -> None:
    whole = reports.report({"birke": "in order"})
    host = whole["sites"]["birke"]["hosts"]["birke-ex1"]
    host.update(doors=[], edge=[])
    reader = read(whole)
    assert "What a sender gets at each door is not known from this run." in reader.text
    (picture,) = [svg["aria-label"] for svg in reader.of("svg") if svg.get("role") == "img"]
    assert "stranger" not in picture


@pytest.mark.parametrize("state", ["", "open"])
def test_three_hundred_sites_are_small(state: str) -> None:
    whole = reports.fleet(300, state)
    page = render(whole, reports.changes(whole))
    assert len(page.encode()) < 3_000_000


def test_a_fleet_on_which_everything_is_wrong_is_small_as_well() -> None:
    whole = reports.fleet(300, "open")
    for site in whole["sites"].values():
        for host in site["hosts"].values():
            for each in host["layers"]:
                each["plan"] = [f"Change {number}, and say in words what." for number in range(20)]
                each["exposure"] = [f"sender {number} → another one" for number in range(20)]
    page = render(whole, reports.changes(whole))
    assert len(page.encode()) < 3_000_000
    assert "and 19 more, in the JSON report." in page


def test_what_is_left_out_is_counted() -> None:
    whole = reports.report({"birke": "open"})
    plan = [f"Change {number}." for number in range(100)]
    whole["sites"]["birke"]["hosts"]["birke-ex1"]["layers"][0]["plan"] = plan
    text = read(whole).text
    assert "Change 23. and 76 more, in the JSON report." in text
    assert "What changes, step by step (108)" in text


def test_every_finding_is_told_or_counted() -> None:
    whole = reports.report({"birke": "open"})
    site = whole["sites"]["birke"]
    site["findings"] = [
        reports.finding("birke", "birke-ex1", "iis", f"kind-{number}", f"Number {number}.")
        for number in range(100)
    ]
    text = read(whole).text
    told = len(set(re.findall(r"Number \d+\.", text)))
    assert f"and {100 - told} findings more, in the JSON report" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-30T10:00:00Z", "30 Nov 2026"),
        ("2026-03-01", "1 Mar 2026"),
        ("2026-11-30T10:00:00+01:00", "30 Nov 2026"),
        ("soon", "soon"),
        ("<b>", "&lt;b&gt;"),
        (None, ""),
    ],
)
def test_a_day_is_told_in_words(text: t.Any, words: str) -> None:
    assert re.sub(r"</?time[^>]*>", "", _shown.day(text)) == words
