# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every worker would load for itself, loaded once by the process that they are forked from.

Ansible forks a process for each task of each host, and forgets what was loaded there. Connection
plugins it loads itself before the first play.

Measured on ansible-core 2.19, for each host of each task: the roles' argument specs 250 ms, the
modules of a layer 40 ms, because Ansible compiles a collection's Python anew in every process.
"""

from __future__ import annotations

import gc
import importlib
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    MAIL_FLOW_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._secrets import holds_secret
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_lease import clock
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import AREAS, agent_line
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._controller_module import MODULES
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._practice import practise
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import load
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host_layers import (
    ACTIONS,
    HOST_LAYERS,
    POSTURE_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.options import learn

# Where so many hosts may have a layer that few sites have, it is loaded for them.
_MANY = 5
# What the agent needs to read connectors: a lease and snapshots are files, and a digest says what
# was read.
_READING = frozenset(AREAS[operation] for operation in ("digest", "read_files"))
# Of those that run on the controller, the ones that most sites use.
_ON_CONTROLLER = ("fortios_inbound_lock", "mail_edge_probe")
# New objects between two rounds of the garbage collector: some MiB; Python's own number is 700.
_ROUND = 50_000


def _names(spec: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    for name, option in spec.items():
        yield name
        yield from _names(option.get("options") or {})


def preload(hosts: int) -> None:
    """Load the collection's own tables, and what locks the layers of so many hosts."""
    learn()
    agent_line(_READING)
    load()
    for name in _names(MAIL_FLOW_MODULE["argument_spec"]):
        holds_secret(name)
    modules = [*(layer.module for layer in HOST_LAYERS), POSTURE_MODULE]
    for name in modules if hosts >= _MANY else modules[:1]:
        importlib.import_module(f"{ACTIONS}{name}").ActionModule.validator()
    # Its first call imports two modules, and the first one in a format compiles that.
    clock("2000-01-01T00:00:00.0Z")


def preload_more(hosts: int) -> None:
    """Load what looks at the other layers of so many hosts: few sites have more than a server."""
    for name in _ON_CONTROLLER if hosts >= _MANY else ():
        importlib.import_module(f"{MODULES}{name}")


def share(hosts: int) -> None:
    """Practise what is done for so many hosts, and take all that there is out of the garbage
    collector's rounds, for the workers' sake.

    A worker that collects visits, and so copies, the memory that it shares with its parent: 25 ms a
    host, measured on ansible-core 2.19 (docs.python.org, gc.freeze). Once in a run, before there is
    anything of a host.

    What comes after that is looked at seldom, not never: a worker ends after one task, and its
    rounds cost 2 to 3 % of a run on 100 hosts (three rounds).
    """
    if hosts >= _MANY:
        practise()
    gc.freeze()
    gc.set_threshold(_ROUND)
