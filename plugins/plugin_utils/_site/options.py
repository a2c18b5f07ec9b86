# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site may say: the options of all roles, as their argument_specs.yml describe them."""

from __future__ import annotations

import difflib
import functools
import pathlib
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._yaml import read_yaml

PREFIX = "mailedge_"
_ROLES = pathlib.Path(__file__).resolve().parents[3] / "roles"
# A path may be one on another host, so that it is not expanded on the controller.
_TEXT_TYPES = {"path": "str"}

_KEYS = ("type", "elements", "choices", "no_log", "default")

Spec = dict[str, t.Any]


def _spec(described: t.Mapping[str, t.Any], *, inside: bool = False) -> Spec:
    """An option of argument_specs.yml as an argument spec.

    Required ones are asked for by who needs them.

    A dictionary gets no defaults for its own options: a module has them, and what is not said stays
    unsaid.
    """
    keys = ("type", "elements", "choices", "no_log") if inside or "options" in described else _KEYS
    spec = {key: described[key] for key in keys if key in described}
    for key in ("type", "elements"):
        if key in spec:
            spec[key] = _TEXT_TYPES.get(spec[key], spec[key])
    if "options" in described:
        spec["options"] = {
            name: _spec(option, inside=True) for name, option in described["options"].items()
        }
    return spec


@functools.lru_cache(maxsize=1)
def options() -> t.Mapping[str, Spec]:
    """Name of the variable → argument spec, of every entry point of every role."""
    specs: dict[str, Spec] = {}
    for path in sorted(_ROLES.glob("*/meta/argument_specs.yml")):
        document = read_yaml(path)
        for entry in document["argument_specs"].values():
            for name, described in (entry.get("options") or {}).items():
                specs.setdefault(name, _spec(described))
    return specs


@functools.lru_cache(maxsize=1)
def _defaults() -> t.Mapping[str, t.Any]:
    """Name of the variable → what it is where nothing is said; checked once for all hosts."""
    validation = ArgumentSpecValidator(dict(options())).validate({})
    empty: dict[str, t.Any] = {"list": [], "dict": {}}
    return {
        name: empty.get(str(spec.get("type"))) if value is None else value
        for name, spec in options().items()
        for value in [said(validation.validated_parameters.get(name))]
    }


def checked(given: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    """All options by the names of their variables, with what is given of them, and a sentence for
    each that is wrong. A list or dictionary of which nothing is said is empty.

    Few of them are given: the others cost every host a millisecond and a half if they are checked
    too.
    """
    specs = {name: spec for name, spec in options().items() if name in given}
    validation = ArgumentSpecValidator(specs).validate(dict(given))
    values = {
        name: said(value if name not in given else validation.validated_parameters.get(name))
        for name, value in _defaults().items()
    }
    return values, [f"{str(message).rstrip('.')}." for message in validation.error_messages]


def said(value: t.Any) -> t.Any:
    """A value without the options that the check filled with null; never the very same list or
    dictionary.
    """
    if isinstance(value, dict):
        return {key: said(inner) for key, inner in value.items() if inner is not None}
    return [said(inner) for inner in value] if isinstance(value, list) else value


def learn() -> None:
    """Read all of it once, for the processes that are forked from this one."""
    _defaults()


def unknown(names: t.Iterable[str]) -> list[str]:
    """A sentence for each variable of ours that no role knows, with the nearest that one does."""
    known = options()
    sentences = []
    for name in sorted(names):
        if name in known or not name.startswith(PREFIX):
            continue
        # Without the prefix, which all of them share.
        bare = {name[len(PREFIX) :]: name for name in known}
        near = difflib.get_close_matches(name[len(PREFIX) :], bare, n=1, cutoff=0.6)
        like = f" Is {bare[near[0]]} meant?" if near else ""
        sentences.append(f"No role knows the variable {name}.{like}")
    return sentences
