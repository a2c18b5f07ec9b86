# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a layer of a server is told of its site."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

Values = dict[str, t.Any]


@dataclass(frozen=True)
class SiteOfHost:
    """The description of a site for one of its hosts.

    `variable` gives a templated variable of the host, None where it is not set: logins and
    connectors in full are not in the description, which is handed around. `lease` is the one under
    which the run writes, as the option of that name; None: the server is not leased.
    """

    host: str
    described: t.Mapping[str, t.Any]
    variable: t.Callable[[str], t.Any]
    lease: t.Mapping[str, t.Any] | None = None
