# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""provider_ranges_lock against a web server and a DNS server of the lab: each bad feed leaves the
lock file as it was and says why.
"""

from __future__ import annotations

import concurrent.futures
import json
import pathlib
import types
import typing as t

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.mailedge.lockdown.plugins.action import provider_ranges_lock
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers import sources
from ansible_collections.mailedge.lockdown.tests.lab.feeds import Answer, Dns, Web

LIST = "198.51.100.0/24\n203.0.113.0/28\n2001:db8:100::/48\n"


@pytest.fixture
def web() -> t.Iterator[Web]:
    with Web() as running:
        running.answers["/list.txt"] = Answer(LIST)
        yield running


@pytest.fixture
def names() -> t.Iterator[Dns]:
    with Dns() as running:
        yield running


class Site:
    """A lock file, and the action on it."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8") if self.path.exists() else ""

    def run(self, *, check: bool = False, diff: bool = False, **options: t.Any) -> dict[str, t.Any]:
        given = {"path": str(self.path), "provider": "own-filter", "timeout": 2, **options}
        task = types.SimpleNamespace(
            args=given, check_mode=check, diff=diff, async_val=0, environment=None
        )
        action = provider_ranges_lock.ActionModule.__new__(provider_ranges_lock.ActionModule)
        action._task = task
        action._task.no_log = False
        action._connection = types.SimpleNamespace(_shell=None, become=None)
        action._supports_check_mode = True
        return action.run(task_vars={})


@pytest.fixture
def site(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(ActionBase, "run", lambda self, tmp=None, task_vars=None: {})
    return Site(tmp_path / "ranges.lock.yml")


@pytest.mark.core
def test_a_list_is_kept_and_no_news_is_no_change(site: Site, web: Web) -> None:
    wish: dict[str, t.Any] = {"mechanism": "url", "source": web.url("/list.txt")}
    checked = site.run(**wish, check=True, diff=True)
    assert checked["changed"]
    assert site.text == ""
    made = site.run(**wish, diff=True)
    assert made["diff"] == checked["diff"]
    assert made["diff"]["after"] == site.text
    assert made["ranges"] == ["198.51.100.0/24", "203.0.113.0/28", "2001:db8:100::/48"]
    text = site.text
    again = site.run(**wish)
    assert not again["changed"]
    assert (again["added"], again["removed"]) == ([], [])
    assert site.text == text


def test_a_range_that_goes_is_kept_for_a_while(site: Site, web: Web) -> None:
    wish: dict[str, t.Any] = {"mechanism": "url", "source": web.url("/list.txt")}
    site.run(**wish)
    web.answers["/list.txt"] = Answer("198.51.100.0/24\n192.0.2.0/28\n2001:db8:100::/48\n")
    made = site.run(**wish)
    assert (made["added"], made["removed"]) == (["192.0.2.0/28"], ["203.0.113.0/28"])
    assert made["leaving"][0]["range"] == "203.0.113.0/28"
    assert "203.0.113.0/28" in made["ranges"]
    assert "leaving:" in site.text


BAD: list[tuple[Answer, str]] = [
    (Answer(""), "empty"),
    (Answer("# nothing today\n"), "empty"),
    (Answer("[]", kind="application/json"), "empty"),
    (Answer("198.51.100.0/24\n198.51.100.0/33\n"), "'198.51.100.0/33', which is not a range"),
    (Answer("198.51.100.0/24\nsee our page\n"), "which is not a range"),
    (Answer("198.51.100.0\u201324\n"), "which is not a range"),
    (Answer('["198.51.100.0/24", 7, null]', kind="application/json"), "which is not a range"),
    (Answer('{"error": "quota"}', kind="application/json"), "not a list"),
    (Answer('["198.51.100.0/24"', kind="application/json"), "JSON that cannot be read"),
    (Answer("<html><body>Maintenance</body></html>"), "a page for people"),
    (Answer(LIST, kind="text/html; charset=utf-8"), "a page for people"),
    (Answer(b"\xff\xfe1\x009\x008\x00"), "does not answer with text"),
    (Answer("10.0.0.0/8\n"), "nobody on the internet sends"),
    (Answer("0.0.0.0/0\n"), "wider than any provider's"),
    (Answer("0.0.0.0/1\n128.0.0.0/1\n"), "wider than any provider's"),
    (
        Answer("".join(f"198.18.{n // 250}.{n % 250}\n" for n in range(0, 6000, 2))),
        "not more than 2000 are believed",
    ),
    (Answer("203.0.113.0/28\n2001:db8:100::/48\n"), "lacks 94 %"),
    (Answer("198.51.100.0/24\n203.0.113.0/28\n"), "lacks 100 %"),
    (Answer(LIST, cut=20), "ended after"),
    (Answer(LIST, status=500), "HTTP 500"),
    (Answer(LIST, status=404), "HTTP 404"),
    (Answer(LIST, status=204), "HTTP 204"),
    (
        Answer("", status=301, headers={"Location": "https://elsewhere.example/"}),
        "elsewhere.example/, which is not followed",
    ),
    (Answer("198.51.100.0/24\n" * 400_000), "more than 5000000 bytes"),
]


@pytest.mark.parametrize(("answer", "words"), BAD, ids=[words[:30] for _answer, words in BAD])
def test_a_bad_list_leaves_the_file_as_it_was(
    site: Site, web: Web, answer: Answer, words: str
) -> None:
    wish: dict[str, t.Any] = {"mechanism": "url", "source": web.url("/list.txt")}
    assert site.run(**wish)["changed"]
    text, stamp = site.text, site.path.stat().st_mtime_ns
    web.answers["/list.txt"] = answer
    for check in (True, False):
        failed = site.run(**wish, check=check)
        assert failed.get("failed"), failed
        assert words in failed["msg"]
        assert failed["msg"].endswith("The lock file is as it was.")
    assert (site.text, site.path.stat().st_mtime_ns) == (text, stamp)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of half a second, which the option `timeout`, in whole seconds, cannot name."""
    fetch, names = sources._fetch, sources.Names
    monkeypatch.setattr(
        sources, "_fetch", lambda url, timeout, **more: fetch(url, timeout / 4, **more)
    )
    monkeypatch.setattr(sources, "Names", lambda resolver, timeout: names(resolver, timeout / 4))


def test_a_list_that_comes_too_late_leaves_the_file_as_it_was(
    site: Site, web: Web, impatient: None
) -> None:
    wish: dict[str, t.Any] = {"mechanism": "url", "source": web.url("/list.txt")}
    assert site.run(**wish)["changed"]
    text = site.text
    web.answers["/list.txt"] = Answer(LIST, seconds=1.0)
    failed = site.run(**wish)
    assert "cannot be read" in failed["msg"]
    assert "timed out" in failed["msg"]
    assert site.text == text


def test_a_risk_that_is_known_is_accepted(site: Site, web: Web) -> None:
    wish: dict[str, t.Any] = {"mechanism": "url", "source": web.url("/list.txt")}
    site.run(**wish)
    web.answers["/list.txt"] = Answer("198.51.100.0/24\n")
    failed = site.run(**wish)
    assert "sharply_shrunken in accept_risks" in failed["msg"]
    assert site.run(**wish, accept_risks=["sharply_shrunken"])["changed"]


def test_microsofts_web_service(site: Site, web: Web) -> None:
    document = [
        {
            "id": 1,
            "serviceArea": "Exchange",
            "urls": ["outlook.office.com"],
            "ips": ["192.0.2.0/24"],
            "tcpPorts": "80,443",
        },
        {
            "id": 9,
            "urls": ["*.protection.outlook.com"],
            "ips": ["192.0.2.88/32"],
            "tcpPorts": "443",
        },
        {
            "id": 10,
            "urls": ["*.mail.protection.outlook.com"],
            "ips": ["198.51.100.0/24", "2001:db8:100::/48"],
            "tcpPorts": "25",
        },
    ]
    web.answers["/endpoints/worldwide"] = Answer(json.dumps(document), kind="application/json")
    wish: dict[str, t.Any] = {
        "provider": "microsoft-eop",
        "mechanism": "json",
        "source": web.url("/endpoints/worldwide"),
    }
    made = site.run(**wish)
    assert made["ranges"] == ["198.51.100.0/24", "2001:db8:100::/48"]
    assert made["shared"]
    assert "ServiceAreas=Exchange&clientrequestid=" in web.asked[0]
    text = site.text
    for bad, words in (
        ("{}", "not that of Microsoft"),
        ("[1]", "not that of Microsoft"),
        ("[]", "names no addresses"),
        ("<", "people"),
    ):
        web.answers["/endpoints/worldwide"] = Answer(bad, kind="application/json")
        failed = site.run(**wish)
        assert words in failed["msg"], failed
    del document[2]
    web.answers["/endpoints/worldwide"] = Answer(json.dumps(document), kind="application/json")
    assert "names no addresses" in site.run(**wish)["msg"]
    assert site.text == text


def test_the_addresses_of_a_name(site: Site, names: Dns) -> None:
    host = "delivery.filter.example"
    names.records[host, "A"] = ["198.51.100.7", "198.51.100.9"]
    names.records[host, "AAAA"] = ["2001:db8:100::7"]
    wish: dict[str, t.Any] = {"mechanism": "dns", "source": host, "resolver": names.resolver}
    assert site.run(**wish)["ranges"] == [
        "198.51.100.7/32",
        "198.51.100.9/32",
        "2001:db8:100::7/128",
    ]
    text = site.text
    names.records[host, "A"].reverse()
    assert not site.run(**wish)["changed"]
    names.records.clear()
    assert "no addresses" in site.run(**wish)["msg"]
    names.broken.add(host)
    assert "DNS does not answer" in site.run(**wish)["msg"]
    assert site.text == text


def test_the_addresses_of_several_names_of_which_none_may_be_missing(
    site: Site, names: Dns
) -> None:
    """As a provider lists them for a pair of MX records."""
    hosts = ["cloudb.spamtitan.com", "cloudc.spamtitan.com", "cloudd.spamtitan.com"]
    for number, host in enumerate(hosts):
        names.records[host, "A"] = [f"198.51.100.{number}"]
    wish: dict[str, t.Any] = {
        "provider": "spamtitan",
        "region": "cloud1-cloud2",
        "resolver": names.resolver,
    }
    made = site.run(**wish)
    assert made["ranges"] == ["198.51.100.0/31", "198.51.100.2/32"]
    assert "spamtitan/cloud1-cloud2:" in site.text
    text = site.text
    del names.records[hosts[1], "A"]
    failed = site.run(**wish)
    assert failed["msg"].startswith(f"DNS has no addresses for {hosts[1]}.")
    assert (
        "Name one of its regions: cloud1-cloud2"
        in site.run(provider="spamtitan", resolver=names.resolver)["msg"]
    )
    assert (
        "No host name is given"
        in site.run(mechanism="dns", source=" ", resolver=names.resolver)["msg"]
    )
    assert site.text == text


def test_a_list_that_a_provider_only_links_is_given_by_the_site(site: Site, web: Web) -> None:
    assert "technical questions" in site.run(provider="mx-guarddog")["msg"]
    assert site.text == ""
    assert site.run(provider="mx-guarddog", mechanism="url", source=web.url("/list.txt"))["changed"]
    assert "mx-guarddog:" in site.text
    # A page for people holds addresses of all kinds, such as the reader's own.
    web.answers["/list.html"] = Answer("<html><li>198.51.100.7</li></html>", kind="text/html")
    failed = site.run(provider="mx-guarddog", mechanism="url", source=web.url("/list.html"))
    assert "a page for people" in failed["msg"]


def test_a_dns_server_that_says_nothing(site: Site, names: Dns, impatient: None) -> None:
    names.silent.add("delivery.filter.example")
    failed = site.run(mechanism="dns", source="delivery.filter.example", resolver=names.resolver)
    assert "DNS does not answer" in failed["msg"]
    assert site.text == ""


def spf(names: Dns, **records: str) -> None:
    for name, text in records.items():
        names.records[f"{name}.filter.example", "TXT"] = [f'"{text}"']


def test_an_spf_chain(site: Site, names: Dns) -> None:
    spf(
        names,
        top=(
            "v=spf1 ip4:198.51.100.0/25 ~ip4:192.0.2.0/24 include:inner.filter.example "
            "a:mx.filter.example/28 mx -all"
        ),
        inner="v=spf1 ip6:2001:db8:100::/48 redirect=last.filter.example",
        last="v=spf1 +ip4:198.51.100.128/25 ?all",
    )
    names.records["top.filter.example", "TXT"].insert(0, '"some other text"')
    names.records["mx.filter.example", "A"] = ["203.0.113.3"]
    names.records["top.filter.example", "MX"] = ["10 mx.filter.example."]
    wish: dict[str, t.Any] = {
        "mechanism": "spf",
        "source": "top.filter.example",
        "resolver": names.resolver,
    }
    assert site.run(**wish)["ranges"] == ["198.51.100.0/24", "203.0.113.0/28", "2001:db8:100::/48"]


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ({}, "no SPF record"),
        ({"top": "v=spf10 ip4:198.51.100.0/24"}, "no SPF record"),
        ({"top": "v=spf1 -all"}, "empty"),
        ({"top": "v=spf1 +all"}, "passes everybody"),
        ({"top": "v=spf1 ip4:198.51.100.0/24 include:top.filter.example -all"}, "includes itself"),
        ({"top": "v=spf1 include:missing.filter.example -all"}, "no SPF record"),
        ({"top": "v=spf1 exists:%{i}.filter.example -all"}, "macro"),
        ({"top": "v=spf1 ptr -all"}, "no fixed addresses"),
        ({"top": "v=spf1 ip4:198.51.100.0/40 -all"}, "not a range"),
        ({"top": "v=spf1 ip4:: -all"}, "not a range"),
        (
            {
                "top": (
                    "v=spf1 a:no.filter.example a:nor.filter.example a:nowhere.filter.example -all"
                )
            },
            "no address",
        ),
        ({"top": "v=spf1 ip4:0.0.0.0/0 -all"}, "wider than"),
        (
            {"top": "v=spf1 include:n0.filter.example -all"}
            | {
                f"n{number}": (
                    f"v=spf1 ip4:198.51.100.{number} include:n{number + 1}.filter.example -all"
                )
                for number in range(12)
            },
            "10 lookups",
        ),
    ],
)
def test_a_bad_spf_chain(site: Site, names: Dns, records: dict[str, str], words: str) -> None:
    spf(names, **records)
    failed = site.run(mechanism="spf", source="top.filter.example", resolver=names.resolver)
    assert failed.get("failed"), failed
    assert words in failed["msg"]
    assert site.text == ""


def test_ranges_of_the_catalogue_and_of_the_welcome_letter(site: Site) -> None:
    assert site.run(provider="hornetsecurity", region="eu")["changed"]
    assert "hornetsecurity/eu:" in site.text
    assert "grade C" in site.run(provider="broadcom")["msg"]
    assert site.run(provider="broadcom", accept_grade="C")["changed"]
    assert "welcome letter" in site.run(provider="cisco")["msg"]
    assert site.run(provider="cisco", ranges=["203.0.113.16/28"])["changed"]
    assert site.run(provider="broadcom", state="absent")["changed"]
    assert not site.run(provider="broadcom", state="absent")["changed"]
    assert "broadcom" not in site.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"provider": "mimcast"}, "Did you mean mimecast"),
        ({"provider": "Own Filter"}, "small letters"),
        ({"ranges": []}, "list of ranges is empty"),
        ({"ranges": ["x"]}, "'x'"),
        ({"mechanism": "url"}, "source"),
        ({"mechanism": "url", "source": "file:///etc/passwd"}, "not an http or https"),
        ({"ranges": ["203.0.113.0/28"], "accept_risks": ["sleep"]}, "no guard"),
        ({"ranges": ["203.0.113.0/28"], "grace_days": -1}, "grace_days"),
        ({"ranges": ["203.0.113.0/28"], "max_removed_percent": 101}, "max_removed_percent"),
        ({"ranges": ["203.0.113.0/28"], "nonsense": 1}, "nonsense"),
    ],
)
def test_bad_input_writes_nothing(site: Site, options: dict[str, t.Any], words: str) -> None:
    failed = site.run(**options)
    assert failed.get("failed"), failed
    assert words in failed["msg"]
    assert site.text == ""


def test_a_file_that_cannot_be_read_or_written_is_left(site: Site, tmp_path: pathlib.Path) -> None:
    site.path.write_text("<<<<<<< HEAD\n", encoding="utf-8")
    assert "cannot be read" in site.run(ranges=["203.0.113.0/28"])["msg"]
    assert site.text == "<<<<<<< HEAD\n"
    site.path = tmp_path / "nowhere" / "x.yml"
    assert "cannot be opened" in site.run(ranges=["203.0.113.0/28"])["msg"]


def test_the_mode_of_the_file_stays(site: Site) -> None:
    site.run(provider="one", ranges=["203.0.113.0/28"])
    site.path.chmod(0o600)
    site.run(provider="two", ranges=["203.0.113.16/28"])
    assert site.path.stat().st_mode & 0o777 == 0o600


def test_runs_at_once_lose_nothing(site: Site) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda number: site.run(provider=f"p{number}", ranges=[f"203.0.113.{number}"]),
                range(24),
            )
        )
    assert all(f"p{number}:" in site.text for number in range(24))
