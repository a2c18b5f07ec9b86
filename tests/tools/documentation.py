# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the documentation that repeats what stands elsewhere, from where it stands.

A block begins with ``# generated: KIND NAME...`` and ends with ``# end of generated``, in Markdown
between ``<!--`` and ``-->``, in reStructuredText behind ``..``. Its indentation is that of the
first mark. Kinds:

``returns FAMILY.KEY...``
    keys of RETURN, from returns.yml beside this file
``guards LAYER``
    every guard of a layer, from its registry
``findings LAYER``
    every finding of a layer, from its catalogue
``options MODULE.OPTION NAME...``
    options of an option, or of the module itself, from its documentation; all of them where none is
    named, or all but those that follow the name ``without``
``defaults``
    what roles/ROLE/defaults has to say, from meta/argument_specs.yml
``failing``
    which states of a site fail which playbook
``providers``
    the catalogue of filtering providers
``selftest``
    every check of the self-test, from its docstring

``documentation.py`` writes them all (`make docs-generate`); a unit test calls `outdated`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import textwrap
import typing as t
from pathlib import Path

import yaml

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._yaml import parse_yaml, read_yaml

REPOSITORY = Path(__file__).resolve().parents[2]
WIDTH = 100
# What opens a block, by the markup of its file.
MARKDOWN, RST = "<!--", ".."
PLUGINS = "ansible_collections.mailedge.lockdown.plugins"

# Layer → the module with its registry of guards.
REGISTRIES: t.Mapping[str, str] = {
    "exchange": f"{PLUGINS}.module_utils._exchange.guards",
    "exchange_online": f"{PLUGINS}.module_utils._exchange_online.guards",
    "fortios": f"{PLUGINS}.module_utils._fortios.guards",
    "iis": f"{PLUGINS}.module_utils._iis.guards",
    "provider": f"{PLUGINS}.plugin_utils._providers.refresh",
    "windows_firewall": f"{PLUGINS}.module_utils._windows_firewall.guards",
    "windows_tls": f"{PLUGINS}.module_utils._windows.guards",
}
# Layer → the module with its catalogue of findings.
CATALOGUES: t.Mapping[str, str] = {
    "dns": f"{PLUGINS}.module_utils._dns.finding",
    "windows": f"{PLUGINS}.module_utils._windows.catalogue",
}
_PLACES = (
    "plugins/modules/*.py",
    "plugins/doc_fragments/*.py",
    "roles/*/*/*.yml",
    "docs/**/*.md",
    "docs/**/*.rst",
)

_BLOCK = re.compile(
    r"^(?P<begin>(?P<indent>[ ]*)(?P<open>\#|<!--|\.\.)[ ]generated:[ ](?P<kind>[a-z]+)(?P<names>[ "
    r"\w.]*?)(?:[ ]-->)?\n)"
    r"(?P<body>.*?)"
    r"(?P<end>^[ ]*(?:\#|<!--|\.\.)[ ]end[ ]of[ ]generated)",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


class DocumentationError(Exception):
    """A block that asks for something that there is not."""


def files() -> list[Path]:
    """The files that may have such blocks."""
    return sorted(path for place in _PLACES for path in REPOSITORY.glob(place))


def render(text: str, path: Path) -> str:
    """`text` with every block as it has to be."""

    def block(match: re.Match[str]) -> str:
        names = match["names"].split()
        try:
            kind = _KINDS[match["kind"]]
            lines = kind(path, *names, markup=match["open"], width=WIDTH - len(match["indent"]))
        except (KeyError, TypeError) as error:
            raise DocumentationError(
                f"{path}: '{match['begin'].strip()}' cannot be written: {error!r}"
            ) from error
        if match["open"] == RST:  # where a comment ends at an empty line
            lines = ["", *lines, ""]
        body = "".join(f"{match['indent']}{line}".rstrip() + "\n" for line in lines)
        return f"{match['begin']}{body}{match['end']}"

    return _BLOCK.sub(block, text)


def outdated() -> list[Path]:
    """The files whose blocks differ from what they are to be."""
    return [path for path in files() if render(read(path), path) != read(path)]


def read(path: Path) -> str:
    """The text of a file."""
    return path.read_text(encoding="utf-8")


def by_hand(text: str) -> str:
    """`text` without what stands in its blocks."""
    return _BLOCK.sub(lambda match: match["begin"] + match["end"], text)


# ---------------------------------------------------------------- the documentation of modules


@functools.cache
def documentation(module: str) -> dict[str, t.Any]:
    """The documentation of a module, with the options and attributes of its fragments as Ansible
    merges them.
    """
    loaded = importlib.import_module(f"{PLUGINS}.modules.{module}")
    text: dict[str, t.Any] = parse_yaml(loaded.DOCUMENTATION)
    for name in text.get("extends_documentation_fragment") or []:
        file, _dot, variable = name.removeprefix("mailedge.lockdown.").partition(".")
        fragments = importlib.import_module(f"{PLUGINS}.doc_fragments.{file}").ModuleDocFragment
        fragment = parse_yaml(getattr(fragments, (variable or "documentation").upper()))
        for section in ("options", "attributes"):
            merged = text.setdefault(section, {})
            for key, value in (fragment.get(section) or {}).items():
                merged[key] = {**value, **merged.get(key, {})}
    return text


def modules() -> list[str]:
    """The names of all modules."""
    return sorted(path.stem for path in (REPOSITORY / "plugins/modules").glob("*.py"))


def registry(layer: str) -> t.Mapping[str, str]:
    """The guards of a layer: id → what would happen."""
    guards: t.Mapping[str, str] = importlib.import_module(REGISTRIES[layer]).GUARDS
    return guards


# ---------------------------------------------------------------- what blocks hold


def _wrapped(head: str, text: str, *, under: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=head,
        subsequent_indent=under,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _scalar(head: str, text: str, *, under: str, width: int) -> list[str]:
    """`text` as YAML behind `head`, wrapped, in quotes where it would mean something else
    without.
    """
    for written in (text, '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'):
        lines = _wrapped(head, written, under=under, width=width)
        try:
            value = parse_yaml("\n".join(lines))
        except yaml.YAMLError:
            continue
        if (value if isinstance(value, list) else list(value.values())) == [text]:
            return lines
    raise DocumentationError(f"There is no way to write '{text}'.")


def _returns(path: Path, *names: str, markup: str, width: int) -> list[str]:
    return [line for name in names for line in _shared_returns()[name]]


@functools.lru_cache(maxsize=1)
def _shared_returns() -> dict[str, list[str]]:
    """FAMILY.KEY → its lines, word for word."""
    shared: dict[str, list[str]] = {}
    family, lines = "", []
    for line in read(Path(__file__).with_name("returns.yml")).splitlines():
        if re.fullmatch(r"\w+:", line):
            family = line[:-1]
        elif re.fullmatch(r"  \w+:", line):
            lines = shared.setdefault(f"{family}.{line.strip()[:-1]}", [line[2:]])
        elif line.startswith("    "):
            lines.append(line[2:])
    return shared


def findings(layer: str) -> dict[str, str]:
    """The findings that a layer can have: id → what each is about."""
    catalogue = importlib.import_module(CATALOGUES[layer]).FINDINGS
    return {
        name: entry if isinstance(entry, str) else entry.sentence
        for name, entry in catalogue.items()
    }


def _guards(path: Path, layer: str, *, markup: str, width: int) -> list[str]:
    return _listed(registry(layer), markup=markup, width=width)


def _findings(path: Path, layer: str, *, markup: str, width: int) -> list[str]:
    return _listed(findings(layer), markup=markup, width=width)


def _listed(sentences: t.Mapping[str, str], *, markup: str, width: int) -> list[str]:
    lines: list[str] = []
    for guard, sentence in sorted(sentences.items()):
        if markup == RST:
            lines += _wrapped("- ", f"``{guard}``: {escaped(sentence)}", under="  ", width=width)
        elif markup == MARKDOWN:
            lines += _wrapped("- ", f"`{guard}`: {sentence}", under="  ", width=width)
        else:
            lines += _scalar("- ", f"V({guard}): {sentence}", under="  ", width=width)
    return lines


def escaped(text: str) -> str:
    """Plain text as reStructuredText has it, on a line."""
    return re.sub(r"([\\*`|])|(?<=\w)_(?=\W|$)", lambda match: f"\\{match[0]}", text)


def _failing(path: Path, *, markup: str, width: int) -> list[str]:
    """Which states of a site fail which playbook."""
    verdict = importlib.import_module(f"{PLUGINS}.module_utils._report.verdict")
    lines = []
    for playbook, broken_by in verdict._BROKEN_BY.items():
        broken = [state for state in verdict._WORST_FIRST if state in broken_by]
        named = ", ".join(f"*{state}*" for state in broken)
        lines += _wrapped("- ", f"``{playbook}``: {named}", under="  ", width=width)
    return lines


_MECHANISMS = {
    "customer": "the customer is told them",
    "dns": "names in DNS",
    "json": "a web service of the provider",
    "spf": "the provider's SPF record",
    "static": "a page for people",
}


def _providers(path: Path, *, markup: str, width: int) -> list[str]:
    """The catalogue: what a site writes, who it is, how sure, as of when, and how it is read."""
    entries = importlib.import_module(f"{PLUGINS}.plugin_utils._providers.catalogue").load()
    products: dict[str, list[t.Any]] = {}
    for entry in entries:
        products.setdefault(entry.provider, []).append(entry)
    lines: list[str] = []
    for provider, regions in products.items():
        lines += _wrapped(
            "", f"``{provider}``: {escaped(regions[0].product)}", under="  ", width=width
        )
        for entry in regions:
            region = f"region ``{entry.region}``, " if entry.region else ""
            known = (
                f"grade {entry.grade}, as of {entry.as_of}, read from "
                if entry.ranges
                else "no ranges in the catalogue: "
            )
            text = f"{region}{known}{_MECHANISMS[entry.mechanism]}"
            lines += _wrapped("  - ", text, under="    ", width=width)
        if regions[0].ask:
            lines += _wrapped("  - ", f"ask: {escaped(regions[0].ask)}", under="    ", width=width)
    return lines


def _options(path: Path, source: str, *names: str, markup: str, width: int) -> list[str]:
    module, *parts = source.split(".")
    option: dict[str, t.Any] = {"suboptions": documentation(module)["options"]}
    for part in parts:
        option = option["suboptions"][part]
    suboptions = option["suboptions"]
    if names[:1] == ("without",):
        names = tuple(name for name in suboptions if name not in names[1:])
    return [
        line
        for name in names or suboptions
        for line in _option(module, name, suboptions[name], width)
    ]


def _option(module: str, name: str, option: t.Mapping[str, t.Any], width: int) -> list[str]:
    """An option of a role that is handed to a module.

    Without the module's default, because what is not said is not handed over; never required,
    because site_description asks for what a playbook needs.
    """
    lines = [f"{name}:"]
    description = option["description"]
    described = [
        _of_module(module, text)
        for text in ([description] if isinstance(description, str) else description)
    ]
    if len(described) == 1:
        lines += _scalar("  description: ", described[0], under="    ", width=width)
    else:
        lines.append("  description:")
        for text in described:
            lines += _scalar("    - ", text, under="      ", width=width)
    lines.append(f"  type: {option['type']}")
    if "elements" in option:
        lines.append(f"  elements: {option['elements']}")
    if "choices" in option:
        choices = ", ".join(
            f"'{choice}'" if parse_yaml(choice) != choice else choice
            for choice in option["choices"]
        )
        lines.append(f"  choices: [{choices}]")
    if name == "password":
        # As the argument specs have it. Documentation has no word for it.
        lines.append("  no_log: true")
    if "suboptions" in option:
        lines.append("  options:")
        for inner, details in option["suboptions"].items():
            lines += [f"    {line}" for line in _option(module, inner, details, width - 4)]
    return lines


def _of_module(module: str, text: str) -> str:
    """`text` with its references to options of the module in full, since a role has others."""
    return re.sub(r"\bO\((\w+)(=[^)]*)?\)", rf"O(mailedge.lockdown.{module}#module:\1\2)", text)


def role_options(path: Path) -> dict[str, dict[str, t.Any]]:
    """Every option of a role: name → as its argument_specs.yml describes it. `path` is a file in a
    folder of the role.
    """
    specs = read_yaml(path.parents[1] / "meta" / "argument_specs.yml")["argument_specs"]
    return {
        name: option
        for entry in specs.values()
        for name, option in (entry.get("options") or {}).items()
    }


def _defaults(path: Path, *, markup: str, width: int) -> list[str]:
    lines: list[str] = []
    for name, option in role_options(path).items():
        if "default" in option:
            value = option["default"]
            plain = not isinstance(value, str) or (value and parse_yaml(value) == value)
            written = yaml.safe_dump(value, default_flow_style=True) if plain else f'"{value}"'
            lines.append(f"{name}: {written.removesuffix(chr(10)).removesuffix('...').strip()}")
    return lines


def _selftest(path: Path, *, markup: str, width: int) -> list[str]:
    catalogue = importlib.import_module(f"{PLUGINS}.plugin_utils._selftest.catalogue")
    lines: list[str] = []
    for check in catalogue.CHECKS:
        text = (inspect.getdoc(check) or "").replace("`", "``")
        text = re.sub(r"\bC\(([^)]*)\)", r"``\1``", text)
        title = f"``{check.name}``"
        lines += [*([""] if lines else []), title, "~" * len(title), "", *text.splitlines()]
        lines += ["", f"Marked as unverified in ``{check.marked}``."]
    return lines


_KINDS: dict[str, t.Callable[..., list[str]]] = {
    "returns": _returns,
    "guards": _guards,
    "findings": _findings,
    "options": _options,
    "defaults": _defaults,
    "failing": _failing,
    "providers": _providers,
    "selftest": _selftest,
}


def main() -> None:
    """Write every block, and say which files changed."""
    for path in outdated():
        path.write_text(render(read(path), path), encoding="utf-8")
        print(path.relative_to(REPOSITORY))


if __name__ == "__main__":
    main()
