# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_edge_probe as a task of ansible-playbook."""

from __future__ import annotations

import pathlib
import socket
import sys
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.plugins.modules import mail_edge_probe
from ansible_collections.mailedge.lockdown.tests.lab import playing
from ansible_collections.mailedge.lockdown.tests.support.smtp_server import Answer, Street

SENDER, RECIPIENT = "probe@watchtower.example", "postmaster@hafen.example"
NOT_ANONYMOUS: dict[str, Answer] = {
    "MAIL": "530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM"
}


@pytest.fixture
def street() -> t.Iterator[Street]:
    made = Street()
    yield made
    made.close()


def play(tasks: list[dict[str, t.Any]], *arguments: str) -> playing.Run:
    """Some tasks on this host, by Ansible itself."""
    return playing.play(
        [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}],
        "localhost,",
        *("-c", "local", *arguments),
        variables={"ansible_python_interpreter": sys.executable},
    )


@pytest.mark.core
@pytest.mark.parametrize("own_process", [False, True])
def test_ansible_runs_it_in_check_mode_as_well(
    own_process: bool, street: Street, tmp_path: pathlib.Path
) -> None:
    server = street.server(NOT_ANONYMOUS)
    options = {
        "targets": ["127.0.0.1"],
        "port": server.port,
        "sender": SENDER,
        "recipient": RECIPIENT,
        "expect": "closed",
    }
    task = {"name": "Look", "mailedge.lockdown.mail_edge_probe": options, "register": "found"}
    if own_process:
        task["environment"] = {"MAILEDGE_TEST": "has a process of its own"}
    show = {
        "name": "Show",
        "ansible.builtin.copy": {
            "content": "{{ found.sentences | first }}",
            "dest": str(tmp_path / "said"),
        },
    }
    finished = play([task, {**show, "check_mode": False}], "--check")
    assert finished.code == 0, finished.output
    assert "is closed to mail of strangers" in (tmp_path / "said").read_text()
    assert server.verbs[-1] == "QUIT"


def test_the_example_with_a_look_before_proves_the_lock(street: Street) -> None:
    server = street.server()

    def lock(sock: socket.socket) -> None:
        sock.sendall(b"221 2.0.0 Service closing transmission channel\r\n")
        server.leave()

    # The door is shut between the two looks.
    server.answers["QUIT"] = lock
    tasks = yaml.safe_load(mail_edge_probe.EXAMPLES)
    before = next(number for number, task in enumerate(tasks) if task.get("register") == "before")
    looks = tasks[before : before + 2]
    for task in looks:
        # On loopback instead of from watchtower to the site; everything else as it stands.
        del task["delegate_to"]
        task["mailedge.lockdown.mail_edge_probe"].update(targets="127.0.0.1", port=server.port)
    finished = play(looks)
    assert finished.code == 0, finished.output
    assert server.connections == 1


@pytest.mark.parametrize("verbosity", [[], ["-v"]])
def test_what_ansible_prints_of_a_failed_task(street: Street, verbosity: list[str]) -> None:
    options = {
        "targets": "127.0.0.1",
        "port": street.server().port,
        "sender": SENDER,
        "recipient": RECIPIENT,
        "expect": "closed",
    }
    finished = play([{"name": "Look", "mailedge.lockdown.mail_edge_probe": options}], *verbosity)
    assert finished.code != 0
    assert "a door stands open" in finished.output
    assert ("C: MAIL FROM" in finished.output) is bool(verbosity)
