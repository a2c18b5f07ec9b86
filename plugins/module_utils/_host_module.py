# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module file of a host-side action does where its action plugin was not found: say so."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._module import Module


def run_without_action(arguments: t.Mapping[str, t.Any]) -> t.NoReturn:
    """Check the options as every module does, then fail with what to do. Changes nothing."""
    module = Module(supports_check_mode=True, **arguments)
    module.fail_json(
        msg=(
            "This module works through an action plugin of the same name, which was not found. "
            "Nothing was sent to the server. Call it by its full name, as in "
            "mailedge.lockdown.exchange_mail_flow, and install the whole collection."
        )
    )
    raise SystemExit(1)
