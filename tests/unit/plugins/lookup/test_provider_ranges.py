# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ranges count for a site: the plain rule, and the lookup with options from Ansible."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import subprocess
import sys
import types
import typing as t

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.plugins.action import ActionBase

from ansible_collections.mailedge.lockdown.plugins.action import provider_ranges_lock
from ansible_collections.mailedge.lockdown.plugins.lookup import provider_ranges
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers import lockfile, sources
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import (
    ProviderError,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.lockfile import Locked
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.ranges import details_of

TODAY = datetime.date(2026, 11, 23)
HORNET_EU = ["83.246.65.0/24", "94.100.128.0/24", "94.100.136.0/22"]
UNSET = ["", None, " "]


def locked(*texts: str, leaving: tuple[tuple[RangeSet, datetime.date], ...] = ()) -> Locked:
    return Locked("url", "https://filter.example/list.txt", TODAY, RangeSet.parse(texts), leaving)


@pytest.fixture
def path(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / "ranges.lock.yml")


def keep(path: str, **providers: Locked) -> None:
    lock = {
        name.replace("_in_", "/").replace("_", "-"): provider
        for name, provider in providers.items()
    }
    lockfile.write(path, lockfile.render(lock))


# ------------------------------------------------------------ the rule


@pytest.mark.parametrize("unset", UNSET)
def test_a_site_without_a_lock_file_gets_the_catalogue(unset: str | None) -> None:
    details = details_of("hornetsecurity", "eu", unset, "B", TODAY)
    assert (details["ranges"], details["from"]) == (HORNET_EU, "catalogue")
    assert details["grade"] in ("A", "B")


def test_what_leaves_the_lock_file_counts_until_its_day(path: str) -> None:
    keep(
        path,
        own_filter=locked(
            "198.51.100.0/24", leaving=((RangeSet.parse(["203.0.113.0/24"]), TODAY),)
        ),
    )
    assert details_of("own-filter", "", path, "B", TODAY)["ranges"] == [
        "198.51.100.0/24",
        "203.0.113.0/24",
    ]
    assert details_of("own-filter", "", path, "B", TODAY + datetime.timedelta(days=1))[
        "ranges"
    ] == ["198.51.100.0/24"]


def test_the_lock_file_needs_no_grade_and_no_region_where_there_is_one(path: str) -> None:
    # Broadcom's own ranges are of grade C, and it has one region.
    entry_region = details_of("broadcom", accept_grade="C")["region"]
    keep(path, **{f"broadcom_in_{entry_region}": locked("203.0.113.0/24")})
    details = details_of("broadcom", "", path, "A", TODAY)
    assert (details["ranges"], details["from"], details["grade"]) == (
        ["203.0.113.0/24"],
        "lock",
        "",
    )
    assert (details["region"], details["as_of"]) == (entry_region, "2026-11-23")


def test_warnings_are_data() -> None:
    [warning] = details_of("microsoft-eop")["warnings"]
    assert "shared by all its customers" in warning
    assert details_of("mimecast", "us")["warnings"] == []


def test_every_answer_has_the_same_keys(path: str) -> None:
    keep(path, own_filter=locked("198.51.100.0/24"))
    own = details_of("own-filter", "", path)
    assert set(own) == set(details_of("mimecast", "us"))
    assert (own["shared"], own["tls_cert_names"], own["warnings"]) == (False, [], [])


def test_a_lock_file_that_is_not_there_stops(path: str) -> None:
    with pytest.raises(ProviderError) as refused:
        details_of("hornetsecurity", "eu", path, "B", TODAY)
    for words in (path, "is not there", "nothing was used instead", "refresh_ranges"):
        assert words in str(refused.value)


@pytest.mark.parametrize(
    ("provider", "region", "words"),
    [
        (
            "hornetsecurity",
            "eu",
            (
                "has no 'hornetsecurity/eu', and nothing was used instead. "
                "It has: mimecast/us, own-filter."
            ),
        ),
        ("mimecast", "uk", "has no 'mimecast/uk'"),
        ("mimecast", "", "Name one of its regions: us, uk"),
        ("mimcast", "", "Did you mean mimecast"),
        ("own-filter", "eu", "has no 'own-filter/eu'"),
    ],
)
def test_a_lock_file_that_lacks_the_provider_stops(
    path: str, provider: str, region: str, words: str
) -> None:
    keep(path, own_filter=locked("198.51.100.0/24"), mimecast_in_us=locked("203.0.113.0/24"))
    with pytest.raises(ProviderError) as refused:
        details_of(provider, region, path, "C", TODAY)
    assert words in str(refused.value)
    assert "refresh_ranges" in str(refused.value)


def test_a_lock_file_without_any_provider_stops(path: str) -> None:
    keep(path)
    with pytest.raises(ProviderError, match="no provider at all"):
        details_of("mimecast", "us", path, "B", TODAY)


def test_a_lock_file_in_the_home_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    keep(path, own_filter=locked("198.51.100.0/24"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLIENTS", str(tmp_path))
    for shown in ("~/ranges.lock.yml", "$CLIENTS/ranges.lock.yml"):
        assert details_of("own-filter", "", shown)["ranges"] == ["198.51.100.0/24"]


def test_a_grade_that_is_none_is_refused() -> None:
    with pytest.raises(ProviderError, match="'D' is not a grade"):
        details_of("mimecast", "us", "", "D")


# ------------------------------------------------------------ the lookup


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., list[t.Any]]:
    """The lookup; Ansible itself reads its documentation and converts the options."""
    name = "mailedge.lockdown.provider_ranges"
    defined = yaml.safe_load(provider_ranges.DOCUMENTATION)["options"]
    constants.config.initialize_plugin_configuration_definitions("lookup", name, defined)

    def looking(*terms: str, **options: t.Any) -> list[t.Any]:
        lookup = provider_ranges.LookupModule()
        # What Ansible's loader of plugins sets.
        lookup._load_name = name
        return lookup.run(list(terms), variables={}, **options)

    return looking


Look = t.Callable[..., list[t.Any]]


def test_the_lookup_without_a_lock_file(looked_up: Look) -> None:
    assert looked_up("hornetsecurity", region="eu") == HORNET_EU
    for unset in UNSET:
        assert looked_up("hornetsecurity", region="eu", lock=unset) == HORNET_EU


def test_the_lookup_answers_from_the_lock_file(looked_up: Look, path: str) -> None:
    keep(path, own_filter=locked("198.51.100.0/24"), hornetsecurity_in_eu=locked("203.0.113.0/28"))
    assert looked_up("own-filter", lock=path) == ["198.51.100.0/24"]
    [details] = looked_up("hornetsecurity", region="eu", lock=path, details=True)
    assert (details["from"], details["ranges"]) == ("lock", ["203.0.113.0/28"])


def test_the_lookup_shows_the_warnings(looked_up: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(provider_ranges.display, "warning", shown.append)
    [details] = looked_up("microsoft-eop", details=True)
    assert shown == details["warnings"]
    assert "microsoft-eop" in shown[0]


@pytest.mark.parametrize(
    ("terms", "options", "words"),
    [
        (("mimecast",), {}, "Name one of its regions"),
        (("broadcom",), {}, "grade C"),
        (("cisco",), {}, "welcome letter"),
        (("nobody",), {}, "no provider 'nobody'"),
        (
            ("mimecast",),
            {"region": "us", "lock": "/nowhere/ranges.lock.yml"},
            "/nowhere/ranges.lock.yml is not there",
        ),
    ],
)
def test_the_lookup_never_gives_nothing(
    looked_up: Look, terms: tuple[str, ...], options: dict[str, t.Any], words: str
) -> None:
    with pytest.raises(AnsibleLookupError, match=words):
        looked_up(*terms, **options)
    assert looked_up("broadcom", accept_grade="C")


def test_the_details_are_documented(looked_up: Look) -> None:
    [details] = looked_up("mimecast", region="us", details=True)
    documented = " ".join(yaml.safe_load(provider_ranges.RETURN)["_raw"]["description"])
    assert {name for name in details if f"C({name})" not in documented} == set()


def test_the_examples_run_as_they_stand(tmp_path: pathlib.Path) -> None:
    keep(
        str(tmp_path / "ranges.lock.yml"),
        **{f"microsoft_eop_in_{details_of('microsoft-eop')['region']}": locked("198.51.100.0/24")},
    )
    play = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": yaml.safe_load(provider_ranges.EXAMPLES),
        }
    ]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    paths = [path for path in sys.path if (pathlib.Path(path) / "ansible_collections").is_dir()]
    finished = subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible",
            "playbook",
            "-i",
            "localhost,",
            "-c",
            "local",
            "play.yml",
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(os.path.abspath, paths)),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, (finished.stdout, finished.stderr)
    assert details_of("mimecast", "us")["ranges"][0] in finished.stdout
    assert "198.51.100.0/24" in finished.stdout


# ------------------------------------------------------------ who writes the lock file


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., dict[str, t.Any]]:
    monkeypatch.setattr(ActionBase, "run", lambda self, tmp=None, task_vars=None: {})

    def writing(**options: t.Any) -> dict[str, t.Any]:
        action = provider_ranges_lock.ActionModule.__new__(provider_ranges_lock.ActionModule)
        action._task = types.SimpleNamespace(args=options, check_mode=False, diff=False)
        return action.run(task_vars={})

    return writing


Write = t.Callable[..., dict[str, t.Any]]


def test_the_first_lock_file_is_written_where_none_is_there(write: Write, path: str) -> None:
    assert write(path=path, provider="own-filter", ranges=["198.51.100.0/24"])["changed"]
    assert details_of("own-filter", "", path)["ranges"] == ["198.51.100.0/24"]


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_path_is_no_file(write: Write, empty: str) -> None:
    failed = write(path=empty, provider="own-filter", ranges=["198.51.100.0/24"])
    assert failed["failed"]
    assert failed["msg"].startswith("Path is empty, and names no lock file.")


def test_an_empty_resolver_is_the_system_s_own(
    write: Write, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[t.Any] = []

    def names(resolver: str | None, _timeout: float) -> t.NoReturn:
        asked.append(resolver)
        raise ProviderError("No DNS here.")

    monkeypatch.setattr(sources, "Names", names)
    write(
        path=path, provider="own-filter", mechanism="dns", source="mx.filter.example", resolver=""
    )
    assert asked == [None]
