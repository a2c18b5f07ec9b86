# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of the documentation: every link leads somewhere, every name is one, every example is
one that would be taken.
"""

from __future__ import annotations

import re
import shlex
import typing as t
import urllib.parse
from pathlib import Path

import pytest
import yaml

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.catalogue import CHECKS
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site import options
from ansible_collections.mailedge.lockdown.tests.support.examples import (
    OURS,
    options_of,
    tasks_of,
    unknown,
)
from ansible_collections.mailedge.lockdown.tests.support.pages import (
    DOCUMENTATION,
    LABEL,
    PAGES,
    READMES,
    SITE,
    SOURCES,
    Block,
    blocks,
    every_block,
    prose,
    section_of,
    sections,
)
from ansible_collections.mailedge.lockdown.tests.tools import unverified
from ansible_collections.mailedge.lockdown.tests.tools.documentation import (
    REPOSITORY,
    modules,
    role_options,
)

ROLES = sorted(path.name for path in (REPOSITORY / "roles").iterdir())
VARIABLES = {
    name: option
    for role in ROLES
    for name, option in role_options(
        REPOSITORY / "roles" / role / "meta" / "argument_specs.yml"
    ).items()
}
PLAYBOOKS = {path.stem for path in (REPOSITORY / "playbooks").glob("*.yml")}
PLUGINS = {
    kind: {path.stem for path in (REPOSITORY / "plugins" / kind).glob("*.py")}
    for kind in ("modules", "lookup", "filter")
}
TARGETS = set(
    re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
)
ALL = [*PAGES, *READMES]


def named(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


# ---------------------------------------------------------------- the site


def test_the_navigation_holds_every_page_and_begins_with_the_night_mail_stops() -> None:
    about = yaml.safe_load((SITE / "extra-docs.yml").read_text(encoding="utf-8"))
    listed = [page for section in about["sections"] for page in section["toctree"]]
    assert listed[0] == "runbook"
    assert sorted(listed) == [path.stem for path in PAGES]


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_a_page_has_its_label(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith(f".. _{LABEL}{path.stem}:\n\n")


def test_the_night_mail_stops_is_short() -> None:
    """Whoever reads it has no time."""
    (page,) = (path for path in PAGES if path.stem == "runbook")
    text = page.read_text(encoding="utf-8")
    assert len(text.split()) < 700
    first = blocks(page)[0]
    assert text.splitlines().index(f"   {first.commands()[0]}") < 12, "first what to do"


# ---------------------------------------------------------------- links


def broken(path: Path) -> t.Iterator[str]:
    """The links of a page that lead nowhere within the repository, or are none by their form."""
    text = prose(path)
    for page in re.findall(r":doc:`(?:[^`<]*<)?([^`>]+)>?`", text):
        if not (SITE / "rst" / f"{page}.rst").is_file():
            yield page
    for label in re.findall(r":ref:`[^`<]*<([^`>]+)>`", text):
        if not is_label(label):
            yield label
    markdown = re.findall(r"\]\(([^)\s]+)\)", text) if path.suffix == ".md" else []
    for link in markdown:
        if not link.startswith(("http:", "https:")):
            target, _hash, anchor = link.partition("#")
            file = (path.parent / target).resolve() if target else path
            if not file.exists() or (anchor and anchor not in sections(file)):
                yield link
    for link in re.findall(r"https?://[^\s>)`\]]+", text):
        link = link.rstrip(".,;:")
        parts = urllib.parse.urlsplit(link)
        if not re.fullmatch(r"[a-z0-9.-]+\.[a-z]{2,}", parts.netloc) or '"' in link:
            yield link
        elif link.startswith(DOCUMENTATION):
            if not is_page(link.removeprefix(DOCUMENTATION)):
                yield link
        elif (
            link.startswith(SOURCES)
            and not (REPOSITORY / parts.path.partition("/src/main/")[2]).exists()
        ):
            yield link


def is_label(label: str) -> bool:
    """Whether the site has a page of that label: its own, or one of antsibull-docs."""
    if label.startswith(LABEL):
        return (SITE / "rst" / f"{label.removeprefix(LABEL)}.rst").is_file()
    kind = re.fullmatch(
        r"ansible_collections\.mailedge\.lockdown\.(\w+)_(module|role|lookup|filter)", label
    )
    known = {**PLUGINS, "module": PLUGINS["modules"], "role": set(ROLES)}
    return kind is not None and kind[1] in known[kind[2]]


def is_page(address: str) -> bool:
    """Whether the built site has that page, and on it that place."""
    page, _hash, anchor = address.partition("#")
    if page in ("", "index.html"):
        return not anchor
    folder, _slash, name = page.rpartition("/")
    if folder == "docsite":
        path = SITE / "rst" / f"{name.removesuffix('.html')}.rst"
        return path.is_file() and (not anchor or anchor in sections(path))
    return not folder and is_label(
        f"ansible_collections.mailedge.lockdown.{name.removesuffix('.html')}"
    )


@pytest.mark.parametrize("path", ALL, ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    assert list(broken(path)) == []


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".rst", "see :doc:`rumbook`"),
        (".rst", f"see :ref:`it <{LABEL}rumbook>`"),
        (".rst", "see :ref:`it <ansible_collections.mailedge.lockdown.exchang_role>`"),
        (".md", "see [it](docs/guards.md)"),
        (".md", f"see [it]({DOCUMENTATION}docsite/rumbook.html)"),
        (".md", f"see [it]({DOCUMENTATION}docsite/runbook.html#the-way-home)"),
        (".md", f"see [it]({DOCUMENTATION}exchang_role.html)"),
        (".md", f"see [it]({SOURCES}CONTRIBUTION.md)"),
        (".md", "see https://localhost/x"),
    ],
)
def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path, suffix: str, text: str) -> None:
    page = tmp_path / f"page{suffix}"
    page.write_text(f"{text}\n", encoding="utf-8")
    assert list(broken(page)) != []


@pytest.mark.parametrize(
    "text",
    [
        f"[a]({DOCUMENTATION}docsite/runbook.html#all-the-way-back)",
        f"[a]({DOCUMENTATION}exchange_role.html)",
        f"[a]({SOURCES}CONTRIBUTING.md)",
        "[a](https://semver.org)",
    ],
)
def test_a_link_that_leads_somewhere_is_left_alone(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{text}\n", encoding="utf-8")
    assert list(broken(page)) == []


def test_the_package_points_to_what_there_is() -> None:
    about = yaml.safe_load((REPOSITORY / "galaxy.yml").read_text(encoding="utf-8"))
    assert about["documentation"] == DOCUMENTATION.rstrip("/")
    assert SOURCES.startswith(about["repository"])
    assert (REPOSITORY / about["readme"]).is_file()


def test_an_anchor_is_made_as_the_site_makes_it() -> None:
    assert section_of("All the way back") == "all-the-way-back"
    assert section_of("OPNsense (not tested here)") == "opnsense-not-tested-here"


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("path", ALL, ids=named)
def test_a_variable_that_is_named_is_one(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    names = set(re.findall(r"(?<![\w/-])mailedge_[a-z0-9_]+", text))
    # The beginning of several, such as `mailedge_exchange_`.
    whole = {name for name in names if not name.endswith("_")}
    assert whole - set(VARIABLES) - OUTSIDE == set()


# Lists and feeds on other machines, as examples call them.
METRICS = {
    "mailedge_site_state",
    "mailedge_findings",
    "mailedge_last_look_timestamp_seconds",
}
OUTSIDE = {"mailedge_provider", "mailedge_record", *METRICS}


def test_every_module_and_role_is_in_the_readme() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    missing = [name for name in [*modules(), *ROLES] if not re.search(rf"\b{name}\b", text)]
    assert missing == []


@pytest.mark.parametrize("playbook", sorted(PLAYBOOKS - {"closing"}))
def test_every_playbook_is_described(playbook: str) -> None:
    (page,) = (path for path in PAGES if path.stem == "playbooks")
    assert f"``{playbook}``" in page.read_text(encoding="utf-8")


# ---------------------------------------------------------------- examples

YAML = every_block("yaml")


@pytest.mark.parametrize("block", YAML, ids=str)
def test_an_example_is_yaml(block: Block) -> None:
    assert yaml.safe_load(block.text), "an empty example"


def described(block: Block) -> dict[str, t.Any]:
    """The variables that an example gives: those of a site, and those of its roles."""
    content = yaml.safe_load(block.text)
    if isinstance(content, dict):
        return content
    given: dict[str, t.Any] = {}
    for play in content:
        for role in play.get("roles") or []:
            if isinstance(role, dict):
                given |= role.get("vars") or {}
    return given


@pytest.mark.parametrize("block", YAML, ids=str)
def test_the_variables_of_an_example_would_be_taken(block: Block) -> None:
    """By name and type, as site_description takes them; what is a template is not known yet."""
    values = {
        name: value
        for name, value in described(block).items()
        if name.startswith("mailedge_") and "{{" not in str(value)
    }
    _checked, problems = options.checked(values)
    wrong = [text for text in problems if "missing required" not in text]
    assert wrong == []
    assert [name for name in values if name not in VARIABLES] == []


@pytest.mark.parametrize("block", YAML, ids=str)
def test_the_tasks_of_an_example_name_what_there_is(block: Block) -> None:
    content = yaml.safe_load(block.text)
    for entry in content if isinstance(content, list) else []:
        for role in entry.get("roles") or []:
            name = role if isinstance(role, str) else role["role"]
            assert name.removeprefix(OURS) in ROLES
    for task in tasks_of(content if isinstance(content, list) else []):
        for key in task:
            if key.startswith(OURS):
                module = key.removeprefix(OURS)
                assert module in PLUGINS["modules"]
                assert list(unknown(task[key] or {}, options_of(module), str(block))) == []


COMMANDS = [
    (block, command)
    for block in every_block("console")
    for command in block.commands()
    if command.startswith(("ansible-playbook", "make", "ansible-doc", "python"))
]


@pytest.mark.parametrize(
    ("block", "command"), COMMANDS, ids=[f"{block} {command[:40]}" for block, command in COMMANDS]
)
def test_a_command_names_what_there_is(block: Block, command: str) -> None:
    words = shlex.split(command)
    for variable in re.findall(r"-e (\w+)=", command):
        assert variable in VARIABLES
    if words[0] == "make":
        assert {word for word in words[1:] if "=" not in word and word[0] != "-"} <= TARGETS
    elif words[0] == "ansible-playbook":
        names = [word for word in words if word.startswith(OURS)]
        assert len(names) == 1
        assert names[0].removeprefix(OURS) in PLAYBOOKS - {"closing"}
    elif words[0] == "ansible-doc":
        known = set(ROLES) if "role" in words else PLUGINS["modules"] | PLUGINS["lookup"]
        assert words[-1].removeprefix(OURS) in known
    elif words[:2] == ["python", "-m"]:
        name = words[2]
        if name.startswith("ansible_collections."):
            place = REPOSITORY.joinpath(*name.split(".")[3:])
            assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()


# ---------------------------------------------------------------- what is unverified


def test_the_marks_are_read_as_sentences() -> None:
    marks = unverified.marks()
    assert len(marks) > 40
    text = " ".join(mark.text for mark in marks)
    assert "What a push feed still holds after a reboot" in text
    assert not [mark for mark in marks if "version_added" in mark.text or "choices:" in mark.text]


def test_a_mark_in_any_comment_or_docstring_is_read() -> None:
    files = {mark.path for mark in unverified.marks()}
    for path in (REPOSITORY / "plugins").rglob("*.*"):
        if path.suffix in (".py", ".ps1", ".yml"):
            text = path.read_text(encoding="utf-8")
            if re.search(r"^\s*#.*\bunverified\b", text, re.IGNORECASE | re.MULTILINE):
                assert path.relative_to(REPOSITORY).as_posix() in files


def test_each_mark_is_settled_by_a_check_or_by_a_reason_why_none_can() -> None:
    checks = {check.name for check in CHECKS}
    reasons = unverified.reasons()
    marks = unverified.marks()
    for mark in marks:
        about = [settling for settling in unverified.settlings() if settling.is_of(mark)]
        assert len(about) == 1, f"tests/tools/unverified.yml says {len(about)} things of {mark}"
    for settling in unverified.settlings():
        assert any(settling.is_of(mark) for mark in marks), f"there is no such mark: {settling}"
    named = {settling.by for settling in unverified.settlings()}
    assert named - checks == set(reasons)
    assert not checks & set(reasons)
    elsewhere = {check.name for check in CHECKS if not check.marked.startswith("plugins/")}
    # iis_levels is of the same mark as iis_sections; posture tells what could not be read, and not
    # whether what was read means what it is taken for.
    assert checks - named - elsewhere == {"iis_levels", "posture"}


def test_the_list_is_written_as_the_page_has_it() -> None:
    written = unverified.page(
        [
            unverified.Mark("plugins/module_utils/_fortios/a.py", 3, "It is `-v6_` (unverified)."),
            unverified.Mark("plugins/lookup/b.py", 4, "O(x) is unverified."),
            unverified.Mark("plugins/module_utils/_iis/publish.py", 5, "By memory, unverified."),
            unverified.Mark("plugins/module_utils/_iis/senders.py", 6, "Without brackets."),
        ]
    )
    assert written == (
        "\nFortiGate\n~~~~~~~~~\n\n- It is \\`-v6\\_\\` (unverified). "
        "(``plugins/module_utils/_fortios/a.py``)\n"
        "\nIIS\n~~~\n\n- By memory, unverified. (``plugins/module_utils/_iis/publish.py``) "
        "The self-test checks it: ``iis_paths``.\n"
        "- Without brackets. (``plugins/module_utils/_iis/senders.py``) "
        "Only what becomes of a sender shows it, and the self-test sends nothing.\n"
        "\nElsewhere\n~~~~~~~~~\n\n- x is unverified. (``plugins/lookup/b.py``)\n"
    )
