# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation: what repeats something is generated from it, and nothing that a user may set is
missing.
"""

from __future__ import annotations

import ast
import collections
import importlib
import io
import pathlib
import re
import tokenize
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import argspec
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.argspec import BLOCK_OPTIONS
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import (
    ARGUMENTS as PROBE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.argspec import (
    POSTURE_MODULE,
    TLS_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_outbound_lock,
    fortios_range_feed,
)
from ansible_collections.mailedge.lockdown.tests.tools import documentation
from ansible_collections.mailedge.lockdown.tests.tools.documentation import (
    REPOSITORY,
    DocumentationError,
)

ROLES = sorted(path.name for path in (REPOSITORY / "roles").iterdir())
SPECS = {role: REPOSITORY / "roles" / role / "meta" / "argument_specs.yml" for role in ROLES}
OPTIONS = {role: documentation.role_options(path) for role, path in SPECS.items()}


# ---------------------------------------------------------------- what is generated


def test_what_is_generated_says_what_its_source_says() -> None:
    assert [str(path) for path in documentation.outdated()] == [], "Run `make docs-generate`."


@pytest.mark.parametrize(
    ("path", "said", "instead"),
    [
        ("plugins/modules/exchange_mail_flow.py", "What the guard found.", "What would happen."),
        ("plugins/doc_fragments/_fortios.py", '      - "V(no_source): ', '      - "V(no_sauce): '),
        ("roles/exchange/meta/argument_specs.yml", "The name of the send connector.", "The name."),
        ("roles/fortigate/defaults/main.yml", "mailedge_fortigate_vdom: root\n", ""),
        ("docs/docsite/rst/guards.rst", "- ``open_relay``: ", "- ``open_delay``: "),
    ],
)
def test_what_is_changed_by_hand_is_written_again(path: str, said: str, instead: str) -> None:
    file = REPOSITORY / path
    text = documentation.read(file)
    changed = text.replace(said, instead)
    assert changed != text
    assert documentation.render(changed, file) == text


@pytest.mark.parametrize(
    "block",
    ["returns exchange.plam", "guards exchang", "options exchange_mail_flow.inbound", "rumours x"],
)
def test_a_block_without_a_source_is_refused(block: str) -> None:
    text = f"# generated: {block}\n# end of generated\n"
    with pytest.raises(DocumentationError, match=block):
        documentation.render(text, SPECS["exchange"])


def test_no_key_of_return_is_written_twice_by_hand() -> None:
    modules: dict[str, list[str]] = collections.defaultdict(list)
    for path in sorted((REPOSITORY / "plugins/modules").glob("*.py")):
        text = (
            documentation.by_hand(documentation.read(path))
            .partition('\nRETURN = r"""\n')[2]
            .partition('\n"""')[0]
        )
        for key in re.split(r"^(?=\w+:$)|^(?=#)", text, flags=re.MULTILINE):
            if key and not key.startswith("#"):
                modules[key.strip()].append(path.stem)
    assert modules, "nothing was read"
    assert {key: names for key, names in modules.items() if len(names) > 1} == {}


def twice(node: t.Any) -> list[str]:
    """The keys that a mapping within a YAML document has twice: the first of both is dropped."""
    nodes = [node] if node else []
    repeated = []
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            counts = collections.Counter(key.value for key, _value in node.value)
            repeated += [key for key, count in counts.items() if count > 1]
            nodes += [value for _key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
    return repeated


def test_no_mapping_of_a_module_s_documentation_has_a_key_twice() -> None:
    assert twice(yaml.compose("[{a: 1, b: {c: 1, c: 2}}]")) == ["c"]
    for module in documentation.modules():
        texts = importlib.import_module(f"{documentation.PLUGINS}.modules.{module}")
        for text in (texts.DOCUMENTATION, texts.EXAMPLES, texts.RETURN):
            assert twice(yaml.compose(text)) == [], module


# ---------------------------------------------------------------- attributes and guards


@pytest.mark.parametrize("module", documentation.modules())
def test_a_module_says_what_it_supports(module: str) -> None:
    attributes = documentation.documentation(module)["attributes"]
    assert {"check_mode", "diff_mode", "idempotent", "platform"} <= set(attributes)
    for name, attribute in attributes.items():
        assert attribute.get("description"), name
        assert attribute.get("support") in ("full", "partial", "none", "N/A"), name


def test_a_module_names_the_action_group_that_it_is_in() -> None:
    runtime = yaml.safe_load(documentation.read(REPOSITORY / "meta" / "runtime.yml"))
    named: dict[str, list[str]] = collections.defaultdict(list)
    for module in documentation.modules():
        for group in (
            documentation.documentation(module)["attributes"]
            .get("action_group", {})
            .get("membership", [])
        ):
            named[group.removeprefix("mailedge.lockdown.")].append(module)
    assert named == runtime["action_groups"]


def layer_of(option: str) -> str:
    """The registry whose guards a module, or a variable of a role, accepts."""
    for layer in (
        "exchange_online",
        "fortios",
        "iis",
        "provider",
        "windows_firewall",
        "windows_tls",
    ):
        if option.startswith(
            (layer, f"mailedge_{layer}", f"mailedge_{layer.replace('fortios', 'fortigate')}")
        ):
            return layer
    return "exchange"


def guards_in(description: t.Iterable[str]) -> dict[str, str]:
    """Guard → sentence, of the entries of a description that have that form."""
    matches = (re.fullmatch(r"V\((\w+)\): (.*)", text) for text in description)
    return {match[1]: match[2] for match in matches if match}


ACCEPTED = {
    **{
        module: documentation.documentation(module)["options"]["accept_risks"]
        for module in documentation.modules()
        if "accept_risks" in documentation.documentation(module)["options"]
    },
    **{
        name: option
        for options in OPTIONS.values()
        for name, option in options.items()
        if "accept_risks" in name
    },
}


@pytest.mark.parametrize("option", ACCEPTED)
def test_every_guard_that_may_be_accepted_is_documented(option: str) -> None:
    assert guards_in(ACCEPTED[option]["description"]) == dict(
        documentation.registry(layer_of(option))
    )


def test_every_registry_of_guards_is_documented() -> None:
    assert {layer_of(option) for option in ACCEPTED} == set(documentation.REGISTRIES)
    registries = {
        str(path.relative_to(REPOSITORY))
        for path in (REPOSITORY / "plugins").rglob("*.py")
        if re.search(r"^GUARDS = Registry\(", documentation.read(path), re.MULTILINE)
    }
    known = {
        name.partition(".plugins.")[2].replace(".", "/")
        for name in documentation.REGISTRIES.values()
    }
    assert registries == {f"plugins/{name}.py" for name in known}


# ---------------------------------------------------------------- roles

# Dictionaries whose options stand elsewhere.
ELSEWHERE = {
    "mailedge_exchange_receive_connectors": (
        "as exchange_mail_flow takes them: exchange_receive_connector documents the options"
    ),
    "mailedge_exchange_send_connectors": (
        "as exchange_mail_flow takes them: exchange_send_connector documents the options"
    ),
    "mailedge_snapshots": "its keys are hosts, and a run hands it on",
}

# Dictionary of a role → the argument spec of what it is handed to.
HANDED_TO: dict[str, t.Mapping[str, t.Any]] = {
    "mailedge_exchange_inbound": argspec.INBOUND_LOCK_OPTIONS,
    "mailedge_exchange_outbound": argspec.OUTBOUND_LOCK_OPTIONS,
    "mailedge_exchange_outbound_credential": argspec.OUTBOUND_LOCK_OPTIONS[
        "authentication_credential"
    ]["options"],
    "mailedge_fortigate_feed": fortios_range_feed.ARGUMENTS["argument_spec"],
    "mailedge_iis_blocks": BLOCK_OPTIONS,
    "mailedge_windows_tls": TLS_MODULE["argument_spec"],
    "mailedge_hybrid": {
        "kind": POSTURE_MODULE["argument_spec"]["hybrid"],
        "https_needed": {"type": "bool"},
    },
    "mailedge_windows_posture_exchange_builds": POSTURE_MODULE["argument_spec"]["exchange_builds"][
        "options"
    ],
    "mailedge_windows_posture_windows_versions": POSTURE_MODULE["argument_spec"][
        "windows_versions"
    ]["options"],
    "mailedge_fortigate_outbound": fortios_outbound_lock.ARGUMENTS["argument_spec"],
    "mailedge_probe_looks": PROBE["looks"]["options"],
}

DICTIONARIES = {
    name: option
    for options in OPTIONS.values()
    for name, option in options.items()
    if "dict" in (option["type"], option.get("elements"))
}


# What no module is given.
OF_THE_SITE = {"mailedge_accepted_drift"}


def test_every_dictionary_has_its_options() -> None:
    assert {name for name, option in DICTIONARIES.items() if not option.get("options")} == set(
        ELSEWHERE
    )
    assert set(DICTIONARIES) == {*ELSEWHERE, *HANDED_TO, *OF_THE_SITE}


# Options that a role has for itself.
OF_THE_ROLE = {"mailedge_probe_looks": {"from", "expect", "stands_for"}}


@pytest.mark.parametrize("name", HANDED_TO)
def test_the_options_of_a_dictionary_are_those_of_its_module(name: str) -> None:
    options = DICTIONARIES[name]["options"]
    for option in set(options) - OF_THE_ROLE.get(name, set()):
        spec, described = HANDED_TO[name][option], options[option]
        for key in ("type", "elements"):
            assert described.get(key) == spec.get(key, "str" if key == "type" else None), option
        assert sorted(described.get("choices") or []) == sorted(spec.get("choices") or []), option
        assert bool(described.get("no_log")) == bool(spec.get("no_log")), option


# Options without a default, by the reason why they have none.
WITHOUT_DEFAULT: dict[str, set[str]] = {
    "handed on by an earlier job of a workflow": {
        "mailedge_plan",
        "mailedge_report",
        "mailedge_snapshots",
    },
    "follows from other variables, which site_description looks up": {
        "mailedge_exchange_online_enabled",
        "mailedge_exchange_online_name",
        "mailedge_exchange_online_owner",
        "mailedge_fortigate_enabled",
        "mailedge_iis_enabled",
        "mailedge_offline_server",
        "mailedge_windows_firewall_enabled",
        "mailedge_fortigate_inbound_enabled",
        "mailedge_fortigate_name",
        "mailedge_fortigate_outbound_enabled",
        "mailedge_fortigate_owner",
        "mailedge_exchange_outbound_enabled",
        "mailedge_exchange_outbound_owner",
        "mailedge_probe_looks",
        "mailedge_provider_ranges",
        "mailedge_published_name",
        "mailedge_site",
        "mailedge_site_hosts",
        "mailedge_site_owner",
    },
    "the module has a default of its own, or leaves it as it is": {
        "mailedge_dns_resolver",
        "mailedge_exchange_domain_controller",
        "mailedge_exchange_online_enhanced_filtering",
        "mailedge_exchange_online_reject_direct_send",
        "mailedge_exchange_username",
        "mailedge_fortigate_ca_path",
        "mailedge_probe_address_family",
        "mailedge_probe_connect_timeout",
        "mailedge_probe_control_port",
        "mailedge_probe_starttls",
        "mailedge_probe_timeout",
        "mailedge_windows_posture_exchange_builds_as_of",
        "mailedge_provider_mechanism",
        "mailedge_provider_resolver",
        "mailedge_provider_source",
        "mailedge_published_group",
        "mailedge_published_owner",
    },
    "not set, nobody has said whether a run sees every site": {"mailedge_report_partial"},
    "not set, everything is kept": {"mailedge_report_keep_days"},
    "a secret": {
        "mailedge_exchange_online_certificate_passphrase",
        "mailedge_exchange_online_client_secret",
        "mailedge_exchange_password",
        "mailedge_fortigate_token",
        "mailedge_exchange_outbound_credential",
    },
    "only the site knows it, and without it nothing of the kind is done": {
        "mailedge_approved_plan",
        "mailedge_probe_control_host",
        "mailedge_probe_web_control_host",
        "mailedge_probe_own_domain_sender",
        "mailedge_probe_recipient",
        "mailedge_probe_relay_recipient",
        "mailedge_probe_sender",
        "mailedge_probe_targets",
        "mailedge_published_folder",
        "mailedge_fortigate_backup",
        "mailedge_offline_folder",
        "mailedge_report_folder",
        "mailedge_exchange_snapshot_copy",
        "mailedge_iis_snapshot_copy",
        "mailedge_windows_firewall_snapshot_copy",
        "mailedge_windows_tls_snapshot_copy",
        "mailedge_windows_firewall_domain_controllers",
    },
    "that it is named at all says which layer is rolled back": {
        "mailedge_exchange_online_snapshot",
        "mailedge_exchange_online_snapshot_content",
        "mailedge_fortigate_snapshot",
        "mailedge_fortigate_snapshot_content",
        "mailedge_exchange_snapshot",
        "mailedge_iis_snapshot",
        "mailedge_windows_firewall_snapshot",
        "mailedge_windows_tls_snapshot",
    },
    "read by a playbook before any role is there": {"mailedge_hosts"},
}


@pytest.mark.parametrize("role", ROLES)
def test_every_option_stands_in_the_defaults_or_has_a_reason_not_to(role: str) -> None:
    excepted = set().union(*WITHOUT_DEFAULT.values())
    defaults = yaml.safe_load(
        documentation.read(REPOSITORY / "roles" / role / "defaults" / "main.yml")
    )
    assert defaults == {
        name: option["default"] for name, option in OPTIONS[role].items() if "default" in option
    }
    assert set(OPTIONS[role]) - set(defaults) - excepted == set(), "no default and no reason"
    assert set(defaults) & excepted == set(), "a default, and a reason not to have one"


def test_every_exception_is_one_of_an_option_that_there_is() -> None:
    known = {name for options in OPTIONS.values() for name in options}
    assert set().union(*WITHOUT_DEFAULT.values()) - known == set()


# ---------------------------------------------------------------- lines


TEXTS = (
    "*.md",
    "docs/**/*.md",
    "docs/**/*.rst",
    "docs/**/*.yml",
    "roles/**/*.md",
    "roles/*/[md]*/*.yml",
    "meta/*",
)
# Written by the collection itself.
NOT_OURS = {
    REPOSITORY / "docs" / folder / "ranges.lock.yml"
    for folder in ("example_inventory", "awx/site-repository/inventory")
}
STRINGS = re.compile(r'^ *[A-Z_]+ = r?"""\n.*?^"""', re.DOTALL | re.MULTILINE)


def documentation_lines() -> t.Iterator[tuple[pathlib.Path, int, str]]:
    """The lines of documentation and YAML: file, number, text."""
    for pattern in TEXTS:
        for path in set(REPOSITORY.glob(pattern)) - NOT_OURS:
            for number, line in enumerate(documentation.read(path).splitlines(), 1):
                yield path, number, line
    for folder in ("modules", "doc_fragments", "lookup", "filter"):
        for path in (REPOSITORY / "plugins" / folder).glob("*.py"):
            text = documentation.read(path)
            for block in STRINGS.finditer(text):
                first = text.count("\n", 0, block.start()) + 1
                for number, line in enumerate(block[0].splitlines(), first):
                    yield path, number, line


def comment_lines() -> t.Iterator[tuple[pathlib.Path, int, str]]:
    """The lines of comments and docstrings: file, number, text."""
    plugins = REPOSITORY / "plugins"
    for path in [*REPOSITORY.glob("playbooks/**/*.yml"), *REPOSITORY.glob("roles/*/tasks/*.yml")]:
        for number, line in enumerate(documentation.read(path).splitlines(), 1):
            if line.lstrip().startswith("#"):
                yield path, number, line
    for path in plugins.rglob("*.py"):
        text = documentation.read(path)
        lines = text.splitlines()
        numbers = {
            token.start[0]
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type == tokenize.COMMENT
        }
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
                node
            ):
                numbers.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
        for number in sorted(numbers):
            yield path, number, lines[number - 1]


def test_documentation_has_at_most_100_columns() -> None:
    lines = [*documentation_lines(), *comment_lines()]
    assert len(lines) > 4000
    wide = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path, number, line in lines
        if len(line) > documentation.WIDTH
    ]
    assert wide == []
