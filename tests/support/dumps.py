# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of lab servers: by the script itself in a real engine, as in the Exchange Management Shell,
or by the stand-in.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _codec as codec
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._offline import script
from ansible_collections.mailedge.lockdown.tests.lab import standin
from ansible_collections.mailedge.lockdown.tests.lab.exchange.bridge import Bridge, prelude
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.support.engine import in_a_runspace

# The Exchange Management Shell has its cmdlets already: a snap-in's, or functions for those of a
# remote session, whose objects are copies.
_SHELL = r"""
foreach ($command in @(Invoke-Lab $lab @{ op = 'commands' } | ForEach-Object { $_ })) {
    $text = Get-LabFunction $command $REMOTE
    Invoke-Expression "function global:$($command.name) { $text }"
}
"""


def by_standin(host: ExchangeHost) -> str:
    """The text of a dump, as the script writes it."""
    request = {
        "protocol": 1,
        "shell": {"way": "auto"},
        "mutex": None,
        "steps": list(script.asked_steps()),
    }
    answer = codec.decode_answer(standin.answer(host, codec.encode_request(request)))
    return whole(answer)


def whole(answer: t.Mapping[str, t.Any]) -> str:
    """An answer of the agent as a dump."""
    return sealed(json.dumps(answer))


def sealed(text: str) -> str:
    """The text of an answer as a dump, as the script would have written it."""
    summed = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    head = f'{{"mailedge_dump": 1, "script": "{script.version()}", "sha1": "{summed}", '
    return f'{head}"answer":{text}}}'


def by_script(host: ExchangeHost, folder: pathlib.Path, *, shell: bool = True) -> str:
    """What the script says on the screen; the dump is in the folder. `shell`: it runs where the
    cmdlets of Exchange are.
    """
    path = folder / script.NAME
    path.write_bytes(script.text().encode("ascii"))
    loaded = _SHELL.replace("REMOTE", "false" if host.edition.local_shell else "true")
    # What a script writes to the host has no place to go to here.
    run = f"""
function Write-Host {{ param($Text) $global:told += @($Text) }}
$global:told = @()
Set-Location '{folder}'
& '{path}'
$global:told
"""
    with Bridge(host) as bridge:
        text = "\n".join([prelude(), loaded if shell else "", run])
        return in_a_runspace(text, b"", bridge.environment, bare=True).decode()
