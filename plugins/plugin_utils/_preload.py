# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every worker would load for itself, loaded once by the process that they are forked from.

Ansible forks a process for each task of each host, and forgets what was loaded there. Measured on
ansible-core 2.19: the roles'
argument specs 250 ms, pywinrm and what it imports 40 ms, for each host of each task.
"""

from __future__ import annotations

import contextlib
import datetime
import typing as t

from ansible.plugins.loader import connection_loader

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    MAIL_FLOW_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._secrets import holds_secret
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import agent_line
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import load
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.options import validator

_CONNECTIONS = frozenset({"winrm", "psrp", "ssh"})


def _names(spec: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    for name, option in spec.items():
        yield name
        yield from _names(option.get("options") or {})


def preload(connection: str) -> None:
    """Load the collection's own tables and the plugin of a connection."""
    validator()
    agent_line()
    load()
    for name in _names(MAIL_FLOW_MODULE["argument_spec"]):
        holds_secret(name)
    # Its first call imports two modules.
    datetime.datetime.strptime("2000", "%Y")
    if connection.rsplit(".", 1)[-1] in _CONNECTIONS:
        # A library that is missing is told by the task that needs it.
        with contextlib.suppress(Exception):
            connection_loader.get(connection, class_only=True)
