# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""provider_ranges_lock: a provider's ranges read, and kept in the site's lock file."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import re
import typing as t

from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._provider_argspec import ARGUMENTS
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError, RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import refusal
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers import (
    catalogue,
    lockfile,
    refresh,
    registry,
    sources,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import (
    ProviderError,
)

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
_UNTOUCHED = "The lock file is as it was."

display = Display()


class ActionModule(ActionBase):
    """The action behind the module of the same name."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Check the options, read, judge, write."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        arguments = {name: value for name, value in ARGUMENTS.items() if name != "argument_spec"}
        validation = ModuleArgumentSpecValidator(ARGUMENTS["argument_spec"], **arguments).validate(
            dict(self._task.args)
        )
        params = validation.validated_parameters
        result["invocation"] = {"module_args": params}
        try:
            if validation.error_messages:
                raise ProviderError(
                    " ".join(
                        f"{str(message).rstrip('.')}." for message in validation.error_messages
                    )
                )
            _check(params)
            with _alone(params["path"]):
                self._keep(params, result)
        except (ProviderError, RangeError) as error:
            result.update(failed=True, changed=False, msg=f"{error} {_UNTOUCHED}")
        return result

    def _keep(self, params: dict[str, t.Any], result: dict[str, t.Any]) -> None:
        path = params["path"]
        lock = lockfile.read(path)
        today = datetime.datetime.now(datetime.timezone.utc).date()
        entry = _entry(params)
        name = lockfile.key(params["provider"], params["region"] or (entry.region if entry else ""))
        old = lock.get(name)
        new = dict(lock)
        if params["state"] == "absent":
            new.pop(name, None)
        else:
            new[name] = self._renewed(params, entry, old, today, result)
        before, after = (lockfile.render(content) if content else "" for content in (lock, new))
        held = _text(path)
        # A file that somebody has laid out anew says the same; it is only written where what it
        # says changes.
        changed = lock != new
        now = new.get(name)
        was_ranges, is_ranges = (
            old.ranges if old else RangeSet(()),
            now.ranges if now else RangeSet(()),
        )
        added, removed = is_ranges - was_ranges, was_ranges - is_ranges
        result.update(
            changed=changed,
            added=added.to_cidrs(),
            removed=removed.to_cidrs(),
            plan=[*registry.told(added, "Add"), *registry.told(removed, "Retire")],
            leaving=[
                {"range": cidr, "until": until.isoformat()}
                for ranges, until in (now.leaving if now else ())
                for cidr in ranges.to_cidrs()
            ],
            ranges=now.counting(today).to_cidrs() if now else [],
            shared=bool(entry and entry.shared),
        )
        if result["shared"] and now is not None:
            display.warning(catalogue.SHARED_WARNING.format(provider=params["provider"]))
        if self._task.diff:
            shown = after if changed else held
            result["diff"] = {
                "before": held or before,
                "after": shown,
                "before_header": path,
                "after_header": path,
            }
        if changed and not self._task.check_mode:
            lockfile.write(path, after or lockfile.render({}))

    def _renewed(
        self,
        params: dict[str, t.Any],
        entry: catalogue.Entry | None,
        old: lockfile.Locked | None,
        today: datetime.date,
        result: dict[str, t.Any],
    ) -> lockfile.Locked:
        answer, mechanism, source = _read(params, entry)
        limits = refresh.Limits(
            params["max_ranges"], params["max_removed_percent"], params["grace_days"]
        )
        findings = refresh.GUARDS.settle(
            refresh.judge(answer, old.ranges if old else RangeSet(()), limits),
            params["accept_risks"],
        )
        result["guards"] = [finding.as_dict() for finding in findings]
        refused = refusal(findings)
        if refused:
            raise ProviderError(f"{source}: {refused}")
        for finding in findings:
            display.warning(f"{params['provider']}: {finding.sentence}")
        return refresh.renew(
            old,
            answer,
            mechanism=mechanism,
            source=source,
            today=today,
            grace_days=params["grace_days"],
        )


def _check(params: t.Mapping[str, t.Any]) -> None:
    problem = ""
    unknown = refresh.GUARDS.unknown(params["accept_risks"])
    if not params["path"].strip():
        problem = "path is empty, and names no lock file"
    elif not _NAME.fullmatch(params["provider"]) or (
        params["region"] and not _NAME.fullmatch(params["region"])
    ):
        problem = "provider and region are small letters, digits, dots and dashes"
    elif params["ranges"] is not None and not params["ranges"]:
        problem = "the list of ranges is empty, and a lock to nobody would stop all mail"
    elif unknown:
        problem = unknown.rstrip(".")
    elif not 0 <= params["grace_days"] <= 3650:
        problem = f"the grace_days {params['grace_days']} must be between 0 and 3650"
    elif not 0 <= params["max_removed_percent"] <= 100:
        percent = params["max_removed_percent"]
        problem = f"the max_removed_percent {percent} must be between 0 and 100"
    elif params["max_ranges"] < 1 or params["timeout"] < 1:
        problem = "each of max_ranges and timeout must be at least 1"
    if problem:
        raise ProviderError(f"{problem[0].upper()}{problem[1:]}.")


def _entry(params: t.Mapping[str, t.Any]) -> catalogue.Entry | None:
    """What the catalogue knows; None for a provider of one's own."""
    try:
        return catalogue.find(params["provider"], params["region"])
    except ProviderError:
        if params["ranges"] or params["mechanism"] or params["state"] == "absent":
            return None
        raise


def _read(
    params: t.Mapping[str, t.Any], entry: catalogue.Entry | None
) -> tuple[RangeSet, str, str]:
    """The answer, its mechanism, and its source."""
    if params["ranges"]:
        return _ranges_guards.named(params["ranges"]), "given", "given by the site"
    mechanism = params["mechanism"] or (entry.mechanism if entry else "")
    source = params["source"] or (entry.source if entry else "")
    # A variable of a site that is not set arrives as an empty text.
    timeout, ca_path, resolver = (
        params["timeout"],
        params["ca_path"] or None,
        params["resolver"] or None,
    )
    if mechanism == "json":
        return sources.read_microsoft(source, timeout=timeout, ca_path=ca_path), mechanism, source
    if mechanism == "url":
        return sources.read_list(source, timeout=timeout, ca_path=ca_path), mechanism, source
    if mechanism in ("dns", "spf"):
        names = sources.Names(resolver, timeout)
        read = sources.read_dns if mechanism == "dns" else sources.read_spf
        return read(source, names), mechanism, source
    if entry is None:
        raise ProviderError(f"Nobody says how the ranges of '{params['provider']}' are read.")
    return catalogue.usable(entry, params["accept_grade"]), mechanism, source


def _text(path: str) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return lockfile.file_of(path).read_text(encoding="utf-8")
    return ""


@contextlib.contextmanager
def _alone(path: str) -> t.Iterator[None]:
    """One run at a time works on the lock files of a folder."""
    folder = lockfile.file_of(path).absolute().parent
    try:
        held = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ProviderError(
            f"The folder of the lock file {path} cannot be opened: {error.strerror}."
        ) from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
