# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that runs in the worker itself where its task runs on the controller anyway.

Ansible would pack the module, start a Python and compile all of it there: a second of processor
time, measured on ansible-core 2.19 for a module of the FortiGate, beside a tenth of a second for
what the module does. Nothing changes where the task runs on another host, as another user, with an
environment or in another Python of its own: then Ansible does as always.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
import typing as t

from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import normal
from ansible.utils.display import Display

from ansible_collections.mailedge.lockdown.plugins.module_utils._module import made_by
from ansible_collections.mailedge.lockdown.plugins.module_utils._secrets import (
    secrets_in,
    without_secrets,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._profile import profiled

MODULES = "ansible_collections.mailedge.lockdown.plugins.modules."
_ANY_PYTHON = ("", "auto", "auto_legacy", "auto_legacy_silent", "auto_silent")


class _Ended(SystemExit):
    """What ends a module, as sys.exit() does in a process of its own."""

    def __init__(self, result: dict[str, t.Any]) -> None:
        super().__init__(int(bool(result.get("failed"))))
        self.result = result


class ControllerModule:
    """What a module of this collection uses of AnsibleModule, for one task."""

    def __init__(
        self, options: dict[str, t.Any], check_mode: bool, diff: bool, verbosity: int = 0
    ) -> None:
        self.params, self.check_mode, self._diff = options, check_mode, diff
        self._verbosity = verbosity
        self._warnings: list[str] = []
        # Before anything is judged: an error that quotes an option must not quote a secret.
        self._secrets: set[str] = secrets_in(options)

    def begin(
        self, argument_spec: dict[str, t.Any], supports_check_mode: bool, **more: t.Any
    ) -> ControllerModule:
        """Check the options, as AnsibleModule does when it is made."""
        if self.check_mode and not supports_check_mode:
            raise _Ended({"skipped": True, "msg": "This module does not support check mode."})
        validation = ModuleArgumentSpecValidator(argument_spec, **more).validate(self.params)
        self.params = validation.validated_parameters
        self._secrets.update(map(str, validation._no_log_values))
        if validation.error_messages:
            self.fail_json(" ".join(map(_sentence, validation.errors.errors)))
        return self

    def warn(self, text: str) -> None:
        """A warning beside the result."""
        self._warnings.append(text)

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        """End with this result."""
        raise _Ended(self._told(result))

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        """End, and fail the task."""
        raise _Ended(self._told({"failed": True, "msg": msg, **result}))

    def result_of(self, main: t.Callable[[], None]) -> dict[str, t.Any]:
        """Run a module to its end."""
        try:
            with made_by(self.begin):
                main()
        except _Ended as ended:
            return ended.result
        except Exception as error:
            return self._broken_off(error)
        return self._told({"failed": True, "msg": "The module ended without a result."})

    def _broken_off(self, error: Exception) -> dict[str, t.Any]:
        return self._told(
            {
                "failed": True,
                "msg": f"The module broke off: {type(error).__name__}: {error}",
                "exception": "".join(traceback.format_exception(error)),
            }
        )

    def _told(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        whole = {"changed": False, "invocation": {"module_args": without_secrets(self.params)}}
        if self._warnings:
            whole["warnings"] = self._warnings
        told = json.loads(json.dumps({**whole, **result}))
        return t.cast("dict[str, t.Any]", remove_values(told, self._secrets))


def _sentence(error: Exception) -> str:
    unsupported = "Unsupported parameters: " if isinstance(error, UnsupportedError) else ""
    return f"{unsupported}{str(error).rstrip('.')}."


class ControllerModuleAction(normal.ActionModule):
    """The action of a module that mostly runs on the controller, for one file of that name."""

    @profiled
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """The module's result."""
        if not self._is_here(task_vars or {}):
            return t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        name = type(self).__module__.rpartition(".")[2]
        task = self._task
        module = ControllerModule(
            plain(task.args), bool(task.check_mode), bool(task.diff), Display().verbosity
        )
        return module.result_of(importlib.import_module(f"{MODULES}{name}").main)

    def _is_here(self, task_vars: t.Mapping[str, t.Any]) -> bool:
        """Whether Ansible would run the module in this machine, by this user and this Python."""
        delegate = self._task.delegate_to
        delegated = (task_vars.get("ansible_delegated_vars") or {}).get(delegate) or {}
        python = str((delegated or task_vars).get("ansible_python_interpreter") or "")
        if "{{" in python:
            # As an inventory of AWX says it: '{{ ansible_playbook_python }}'.
            python = str(self._templar.template(python))
        return (
            self._connection.transport == "local"
            and not self._connection.become
            and not self._task.async_val
            and not any(self._task.environment or ())
            and python in (*_ANY_PYTHON, sys.executable)
        )


def plain(value: t.Any) -> t.Any:
    """Options as a module gets them, which come to it as JSON: nothing of Ansible's own types."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, t.Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
