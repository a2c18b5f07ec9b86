# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of every host-side action: options checked, the agent called, results scrubbed."""

from __future__ import annotations

import functools
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase

from ansible_collections.mailedge.lockdown.plugins.module_utils._secrets import (
    secrets_in,
    without_secrets,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import shortened
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import (
    Agent,
    AgentError,
    AgentNoise,
    AgentTimeout,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import (
    BOOTSTRAP_SCRIPT,
    Credential,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._connection import (
    command_for,
    login,
    reason_not_private,
    send_in_pieces,
    too_large,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._profile import profiled

# Of any option time_limit, in seconds: a day.
_LONGEST = 86400


class Failure(Exception):
    """A failure to report as it stands: sentences for the operator, and facts for the result."""

    def __init__(self, message: str, **facts: t.Any) -> None:
        super().__init__(message)
        self.facts = facts


class HostAction(ActionBase):
    """An action whose module runs on the controller and reaches the host by the agent.

    A subclass names its `arguments` (keyword arguments of ArgumentSpecValidator) and implements
    `execute`.
    """

    _supports_check_mode = True
    _supports_async = False

    arguments: t.ClassVar[t.Mapping[str, t.Any]] = {}

    @classmethod
    @functools.cache
    def validator(cls) -> ArgumentSpecValidator:
        """What checks the options. It keeps nothing of what it has checked."""
        return ArgumentSpecValidator(**cls.arguments)

    def execute(self, params: dict[str, t.Any], agent: Agent) -> dict[str, t.Any]:
        """Do the task with checked `params`; give its result. Raise Failure to fail it."""
        raise AnsibleError(f"{type(self).__name__} does not say what it executes.")

    def check(self, params: dict[str, t.Any]) -> list[str]:
        """What else is wrong with `params`, one sentence each; called when they fit the arguments.

        May complete them.

        Secrets that the arguments do not know of go into ``self._secrets``.
        """
        return []

    @profiled
    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Check the options, refuse become, execute; scrub every secret from whatever leaves."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        self.begin(task_vars or {}, args)
        params, errors = self.understand(args)
        result["invocation"] = {"module_args": without_secrets(params)}
        result.update(self.guarded(lambda: self._execute(params, errors)))
        return self.scrubbed(result)

    def begin(self, variables: dict[str, t.Any], args: t.Mapping[str, t.Any]) -> None:
        """Know the task's variables, and what is secret.

        Before anything is judged: an error that quotes an option must not quote a secret.
        """
        self._variables = variables
        self._secrets: set[str] = secrets_in(args)
        self._secrets.update(value for value in login(self._connection)[1:] if value)

    def understand(self, args: dict[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
        """Check options: what they are, and a sentence for each that is wrong."""
        validation = self.validator().validate(args)
        self._secrets.update(map(str, validation._no_log_values))
        params = validation.validated_parameters
        errors = [f"{str(message).rstrip('.')}." for message in validation.error_messages]
        seconds = params.get("time_limit")
        if not errors and isinstance(seconds, int) and not 1 <= seconds <= _LONGEST:
            # It would say that the server did not answer, which nobody had asked; and no clock
            # holds a time that is far away.
            errors = [f"The option time_limit is {seconds}: name 1 to {_LONGEST} seconds."]
        return params, errors or self.check(params)

    def agent(self, errors: t.Sequence[str], *params: t.Mapping[str, t.Any]) -> Agent:
        """The agent of this task's host, with the longest time limit of these options. Raises
        Failure for errors, and for become.
        """
        if errors:
            raise Failure(f"{' '.join(errors)} Nothing was sent to the server.")
        if self._connection.become:
            raise Failure(
                "become is set for this task, but it would have no effect here: the server is "
                "reached as the user of the connection. Nothing was sent to the server. Log in as "
                "a user with the rights needed, and set 'become: false'."
            )
        return Agent(self._exec, max(float(options.get("time_limit") or 300) for options in params))

    def _execute(self, params: dict[str, t.Any], errors: t.Sequence[str]) -> dict[str, t.Any]:
        return self.execute(params, self.agent(errors, params))

    def guarded(self, action: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
        """The result of an action, also where it fails. Raises AnsibleConnectionFailure."""
        try:
            return action()
        except Failure as error:
            return {**shortened(error.facts), "failed": True, "msg": str(error)}
        except AgentError as error:
            return {"failed": True, "msg": str(error), "error": error.as_result()}
        except (AgentTimeout, AgentNoise) as error:
            return {"failed": True, "msg": str(error)}
        except AnsibleConnectionFailure as error:
            # Raised again, so that the host is UNREACHABLE as with every other module, but never
            # with a secret in it.
            raise AnsibleConnectionFailure(self._scrub(str(error))) from None

    def scrubbed(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        """A result without a secret."""
        return t.cast("dict[str, t.Any]", remove_values(result, self._secrets))

    def _scrub(self, text: str) -> str:
        return str(remove_values(text, self._secrets))

    def _exec(self, stdin: bytes) -> tuple[int, bytes, bytes]:
        """One PowerShell on the host.

        Whatever the transport's libraries raise becomes a connection failure.
        """
        send_in_pieces(self._connection)
        try:
            outcome = self._connection.exec_command(
                command_for(self._connection, BOOTSTRAP_SCRIPT), in_data=stdin, sudoable=False
            )
        except AnsibleConnectionFailure:
            raise
        except Exception as error:
            # pywinrm, pypsrp and requests raise classes of their own when a connection breaks in
            # the middle of a call; the plugins let several of them through, which Ansible would
            # report as a crash of the task.
            raise AnsibleConnectionFailure(
                f"The connection to the host broke during a call: {type(error).__name__}: {error}"
                f"{too_large(self._connection, stdin, error)}"
            ) from error
        return t.cast("tuple[int, bytes, bytes]", outcome)

    def credential(self, username: str | None, password: str | None) -> Credential | None:
        """The credential that opens the Exchange session: the one given, else the connection's own.

        A given one is refused where the connection would carry it in clear; the connection's own is
        then left out.
        """
        if password and not username:
            raise Failure(
                "exchange_password is set without exchange_username. Nothing was sent to the "
                "server. Set both."
            )
        if username and not password:
            raise Failure(
                "exchange_username is set without exchange_password. Nothing was sent to the "
                "server. Set both."
            )
        if username and password:
            refused = self.in_clear("exchange_password")
            if refused:
                raise Failure(refused)
            return Credential(username, password)
        own_user, own_password = login(self._connection)
        if (
            own_user
            and own_password
            and reason_not_private(self._connection, self._variables) is None
        ):
            return Credential(own_user, own_password)
        return None

    def in_clear(self, option: str) -> str | None:
        """Why the secret of `option` would travel in clear text; None: it would not."""
        reason = reason_not_private(self._connection, self._variables)
        if not reason:
            return None
        return (
            f"{option} would travel in clear text: {reason}. Nothing was changed on the server. "
            "Use https, or an authentication that encrypts (ntlm, kerberos, credssp)."
        )
