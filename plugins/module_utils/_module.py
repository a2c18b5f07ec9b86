# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AnsibleModule as the modules of this collection use it: it fails without telling a secret."""

from __future__ import annotations

import contextlib
import contextvars
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mailedge.lockdown.plugins.module_utils._secrets import (
    secrets_in,
    without_secrets,
)


class Module(AnsibleModule):
    """AnsibleModule, without the values of unknown options, such as a misspelt token."""

    def exit_json(self, **kwargs: t.Any) -> t.NoReturn:
        """End without any secret."""
        self.no_log_values.update(secrets_in(self.params))
        super().exit_json(**kwargs)
        raise SystemExit(0)

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
        """Fail without any secret."""
        self.no_log_values.update(secrets_in(self.params))
        kwargs.setdefault("invocation", {"module_args": without_secrets(self.params)})
        super().fail_json(msg, **kwargs)
        raise SystemExit(1)


_maker: contextvars.ContextVar[t.Callable[..., t.Any]] = contextvars.ContextVar(
    "maker", default=Module
)


def made(**arguments: t.Any) -> t.Any:
    """The module that is about to run: a process of its own as Ansible starts one, or part of the
    controller's. `arguments` are those of AnsibleModule.
    """
    return _maker.get()(**arguments)


@contextlib.contextmanager
def made_by(maker: t.Callable[..., t.Any]) -> t.Iterator[None]:
    """Modules of this thread are made by `maker` meanwhile."""
    token = _maker.set(maker)
    try:
        yield
    finally:
        _maker.reset(token)


def tell_warnings(module: t.Any, result: dict[str, t.Any]) -> None:
    """Hand the warnings of a result over: ansible-core 2.23 takes none from a result."""
    for warning in result.pop("warnings", ()):
        module.warn(warning)
