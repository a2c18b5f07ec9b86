# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report's page in a real browser: what it shows, to whom, and how somebody gets around in it."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import typing as t

import html5lib
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from ansible_collections.mailedge.lockdown.tests.page.conftest import SHOWN, Opener
from ansible_collections.mailedge.lockdown.tests.support import browser
from ansible_collections.mailedge.lockdown.tests.tools import picture

PHONE, DESK = 320, 1280


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")


# ------------------------------------------------------------------------------- markup


@pytest.mark.parametrize("name", ["small", "hostile", "order", "nothing"])
def test_the_standard_has_nothing_to_say_of_the_markup(
    pages: dict[str, pathlib.Path], name: str
) -> None:
    html5lib.HTMLParser(strict=True).parse(pages[name].read_text(encoding="utf-8"))


# The checker that comes with the package is of 2020. What it does not know, with who says that it
# is so now: headings beside other content in a summary
# (https://html.spec.whatwg.org/multipage/interactive-elements.html#the-summary-element), and
# styles, of which it knows those of that year.
SINCE_THEN = (r".*h4.* not allowed as child of element .summary.*", r".*CSS:.*")


def test_the_nu_checker_has_nothing_to_say_either(pages: dict[str, pathlib.Path]) -> None:
    if not shutil.which("java"):
        pytest.skip("no Java here, which the Nu HTML checker needs")
    (jar,) = pathlib.Path(sys.prefix).rglob("vnu.jar")
    command = ["java", "-jar", str(jar), "--stdout", "--filterpattern", "|".join(SINCE_THEN)]
    told = subprocess.run(
        [*command, *map(str, pages.values())],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (told.stdout, told.returncode) == ("", 0)


def test_a_page_asks_for_nothing_but_itself(opened: Opener) -> None:
    for name in ("small", "hostile"):
        opened.requests.clear()
        unfold(opened(name))
        assert [url.rpartition("/")[2] for url in opened.requests] == [f"{name}.html"]


def test_no_name_becomes_a_script(opened: Opener) -> None:
    page = opened("hostile")
    unfold(page)
    assert page.locator("script, img, iframe, object, embed, form, [onmouseover]").count() == 0
    assert page.locator("details.site").count() == 10
    assert page.locator("h1").all_inner_texts() == ["Mail edge report"]


# ------------------------------------------------------------------------- who reads it


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("small", DESK, "light"),
        ("small", DESK, "dark"),
        ("small", PHONE, "light"),
        ("hostile", PHONE, "dark"),
        ("nothing", DESK, "light"),
    ],
)
def test_axe_finds_nothing(
    opened: Opener, name: str, width: int, scheme: t.Literal["light", "dark"]
) -> None:
    page = opened(name, width, scheme=scheme)
    unfold(page)
    rules = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
    result = Axe().run(page, options={"runOnly": list(rules)})
    told = {each["id"]: each["nodes"][0]["html"] for each in result.response["violations"]}
    assert told == {}
    assert len(result.response["passes"]) > 15


Node = dict[str, t.Any]


def tree(page: Page) -> list[Node]:
    """What the browser tells a screen reader, in its order."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    return [node for node in nodes if not node.get("ignored")]


def named(nodes: t.Iterable[Node], role: str) -> list[str]:
    return [
        str(node.get("name", {}).get("value", ""))
        for node in nodes
        if node["role"]["value"] == role
    ]


def test_a_screen_reader_finds_its_way(opened: Opener) -> None:
    page = opened("small")
    nodes = tree(page)
    for landmark in ("banner", "main", "contentinfo"):
        assert len(named(nodes, landmark)) == 1, landmark
    levels = [
        next(each["value"]["value"] for each in node["properties"] if each["name"] == "level")
        for node in nodes
        if node["role"]["value"] == "heading"
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))
    headings = named(nodes, "heading")
    assert headings[1:3] == ["Where to go first", "What changed since Monday 23 Nov 2026"]
    assert "" not in [*headings, *named(nodes, "link"), *named(nodes, "image")]
    assert {"Cause", "Sites", "Where"} <= set(named(nodes, "columnheader"))


def test_each_site_says_its_state_and_name_to_who_does_not_see_it(opened: Opener) -> None:
    nodes = tree(opened("small"))
    triangles = named(nodes, "DisclosureTriangle")
    assert any(text.startswith("open birke") for text in triangles), triangles
    assert any(text.startswith("in order ahorn") for text in triangles), triangles


def test_the_drawing_says_who_passes_to_who_does_not_see_it(opened: Opener) -> None:
    page = opened("small")
    pictures = named(tree(page), "image")
    assert "As described, birke-ex1. stranger: refused by Firewall; provider: taken?." in pictures
    assert page.locator("#site-birke table", has_text="a stranger at").count() == 1


def test_nothing_is_said_by_colour_alone(opened: Opener) -> None:
    page = opened("small")
    unfold(page)
    states = "open unknown drift accepted order none note"
    without_words = page.evaluate(
        """states => states.split(' ').flatMap(state =>
          [...document.querySelectorAll(`body .${state}:not(svg):not(svg *)`)]
            .filter(each => !each.innerText.trim()).map(each => each.outerHTML))""",
        states,
    )
    assert without_words == []
    lanes = page.evaluate("[...document.querySelectorAll('.lane')].map(each => each.textContent)")
    assert len(lanes) > 50
    ends = ("taken", "taken?", "refused", "relayed", "unknown")
    assert [words for words in lanes if not words.endswith(ends)] == []


# ------------------------------------------------------------------------- how it looks


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_nothing_runs_off_the_page(
    opened: Opener, width: int, scheme: t.Literal["light", "dark"]
) -> None:
    for name in ("small", "hostile"):
        page = opened(name, width, scheme=scheme)
        page.screenshot(path=SHOWN / f"{name}-{width}-{scheme}.png", full_page=True)
        unfold(page)
        widest = page.evaluate("document.documentElement.scrollWidth")
        assert widest <= width, name
        off = page.evaluate(
            """width => [...document.querySelectorAll('body *:not(svg *):not(.skip):not(.defs)')]
              .filter(each => each.getBoundingClientRect().right > width + 1)
              .map(each => each.outerHTML.slice(0, 200))""",
            width,
        )
        assert off == [], name


def test_the_drawing_stays_readable_on_a_phone(opened: Opener) -> None:
    page = opened("small", PHONE)
    heights = page.evaluate(
        """[...document.querySelectorAll('#site-birke .edge text')]
          .map(each => each.getBoundingClientRect().height)"""
    )
    assert heights
    assert min(heights) > 9


def test_words_of_a_drawing_do_not_run_into_each_other(opened: Opener) -> None:
    page = opened("small")
    unfold(page)
    together = page.evaluate(
        """[...document.querySelectorAll('svg.edge')].flatMap(svg => {
          const words = [...svg.querySelectorAll('text')];
          const boxes = words.map(each => each.getBoundingClientRect());
          return boxes.flatMap((a, i) => boxes.slice(i + 1)
            .filter(b => a.left < b.right && b.left < a.right && a.top < b.bottom - 2
              && b.top < a.bottom - 2)
            .map(() => words[i].textContent));
        })"""
    )
    assert together == []


@pytest.mark.parametrize(("width", "height", "sites"), [(DESK, 800, 5), (PHONE, 640, 2)])
def test_where_to_go_first_is_seen_without_scrolling(
    opened: Opener, width: int, height: int, sites: int
) -> None:
    page = opened("small", width, height)

    def seen(place: t.Any) -> bool:
        box = place.bounding_box()
        return bool(box) and box["y"] >= 0 and box["y"] + box["height"] <= height

    assert seen(page.locator(".verdict"))
    links = page.locator(".first a")
    assert sum(seen(links.nth(place)) for place in range(links.count())) >= sites
    if width == DESK:
        assert seen(page.get_by_role("heading", name="What changed since"))


def test_light_and_dark_are_two_pages(opened: Opener) -> None:
    colours = [
        opened("small", scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    assert colours == ["rgb(246, 245, 242)", "rgb(20, 22, 26)"]


def test_on_paper_every_site_that_needs_somebody_is_whole(opened: Opener) -> None:
    page = opened("small", scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") in (
        "rgb(255, 255, 255)",
        "rgba(0, 0, 0, 0)",
    )
    for name in ("birke", "ulme", "erle", "linde", "hasel"):
        assert page.locator(f"#site-{name} h5").first.is_visible(), name
    assert not page.locator("#site-ahorn h5").first.is_visible()
    plan = page.locator("#site-linde .fold li").first
    assert plan.is_visible()
    page.pdf(path=SHOWN / "small.pdf", format="A4", print_background=True)
    assert (SHOWN / "small.pdf").stat().st_size > 50_000


# ------------------------------------------------------------------- how somebody moves


def test_a_keyboard_is_enough(opened: Opener) -> None:
    page = opened("small")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the sites"
    assert page.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "sites"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    assert not page.locator("details.site").first.get_attribute("open")
    page.keyboard.press("Enter")
    assert page.locator("details.site").first.evaluate("each => each.open")


def test_a_link_opens_the_site_that_it_leads_to(opened: Opener) -> None:
    page = opened("small")
    assert not page.locator("#site-linde").is_visible()
    page.locator(".first a", has_text="linde").click()
    assert page.locator("#site-linde").is_visible()
    summary = page.locator("details.site", has=page.locator("#site-linde")).locator("> summary")
    page.wait_for_function(
        "each => Math.abs(each.getBoundingClientRect().top - 150) < 150",
        arg=summary.element_handle(),
    )


def test_three_hundred_sites_are_shown(opened: Opener) -> None:
    page = opened("fleet")
    page.locator(".verdict").wait_for()
    page.locator("footer").scroll_into_view_if_needed()
    assert page.locator("details.site").count() == 300


def test_the_picture_for_the_readme_is_taken_and_small(tmp_path: pathlib.Path) -> None:
    if not browser.chromium():
        pytest.skip(browser.NONE_HERE)
    path = tmp_path / "report.png"
    assert picture.main([str(path)]) == 0
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    assert (width, height) == (1200, 860)
    assert 20_000 < len(content) < 200_000
    assert picture.main(["report.gif"]) == 2
