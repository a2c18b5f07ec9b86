# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site_description: the variables of a site, checked as a whole and converted."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import (
    SITE_DESCRIPTION,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.description import (
    describe_host,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._teller import (
    Teller,
    Variables,
)


class ActionModule(Teller):
    """The action behind the module of the same name."""

    arguments = SITE_DESCRIPTION

    def tell(self, params: dict[str, t.Any], variables: Variables) -> dict[str, t.Any]:
        """Read, check, convert."""
        return describe_host(self._templar, variables, params["playbook"], params["sites"])
