# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as a controller runs them, without one: by ansible-runner, in folders of their own that are
thrown away with their HOME, with a generated inventory, empty answers, and what earlier jobs of a
workflow have handed on. What runs is what docs/awx/controller.yml describes.

Measured on AWX 24.6.1: the command, the folders, empty answers as empty texts, artifacts of failed
jobs too. Not played: containers, receptor, instance groups, notifications, credentials but those of
machines.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import typing as t

import yaml

from ansible_collections.mailedge.lockdown.tests.awx.content import (
    REPOSITORY,
    Object,
    load,
    questions,
    template,
)
from ansible_collections.mailedge.lockdown.tests.lab.playing import COLLECTIONS

# The inventory of a job is a program.
_SCRIPT = "#!{python}\nimport sys\nsys.stdout.write({text!r})\n"
_LOGIN = ("ansible_user", "ansible_password")
Artifacts = dict[str, t.Any]


class _Unsafe(str):
    """What came from outside of the template: it is none."""


class _Dumper(yaml.SafeDumper):
    """YAML as a controller writes the variables of a job."""


_Dumper.add_representer(
    _Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"')
)


def _untrusted(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return _Unsafe(value)
    if isinstance(value, dict):
        return {_untrusted(key): _untrusted(inner) for key, inner in value.items()}
    return [_untrusted(inner) for inner in value] if isinstance(value, list) else value


@dataclasses.dataclass(frozen=True)
class Job:
    """A job that is over. A controller knows no third outcome."""

    template: str
    successful: bool
    artifacts: Artifacts
    output: str


@dataclasses.dataclass
class Controller:
    """One with the content of docs/awx, for the sites of a lab. `login` is the machine credential;
    `variables` are what the sites' descriptions say in the lab beside its inventory; `environment`
    is what another credential injects.
    """

    inventory: pathlib.Path
    login: tuple[str, str]
    variables: Artifacts = dataclasses.field(default_factory=dict)
    content: dict[str, list[Object]] = dataclasses.field(default_factory=load)
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    jobs: dict[str, Job] = dataclasses.field(default_factory=dict)
    """Node of a workflow → its last job."""

    def launch(
        self,
        name: str,
        *,
        limit: str = "",
        answers: t.Mapping[str, t.Any] | None = None,
        artifacts: t.Mapping[str, t.Any] | None = None,
        killed_when: t.Callable[[], bool] | None = None,
    ) -> Job:
        """Run a job template. `artifacts` are those of earlier nodes of a workflow; `killed_when`
        says when the job is killed with all its processes, as its container is.
        """
        thing = template(self.content, name)
        empty = {question["variable"]: question["default"] for question in questions(thing)}
        given = {**empty, **(answers or {})}
        assert set(given) == set(empty), "the survey asks for nothing else"
        extra = {
            # A template's own variables are trusted, and templated.
            **{key: str(value) for key, value in thing.get("extra_vars", {}).items()},
            **_untrusted({**given, **(artifacts or {})}),
        }
        with tempfile.TemporaryDirectory(prefix="awx-job-") as folder:
            place = pathlib.Path(folder, "runner")
            self._prepare(place, extra)
            command = f"-u {shlex.quote(self.login[0])} --ask-pass"
            command += " --diff" if thing.get("diff_mode") else ""
            command += f" -l {limit}" if limit else ""
            command += " --check" if thing.get("job_type") == "check" else ""
            output = pathlib.Path(folder, "output")
            with output.open("wb") as sink:
                process = subprocess.Popen(
                    [
                        *(sys.executable, "-m", "ansible_runner", "run", str(place)),
                        *("-p", thing["playbook"], "-i", "job", "--cmdline", command, "-q"),
                    ],
                    cwd=folder,
                    env={**self._environment(pathlib.Path(folder, "home")), **self.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                )
                _wait(process, killed_when)
            return self._read(name, place / "artifacts" / "job", output)

    def _prepare(self, place: pathlib.Path, extra: t.Mapping[str, t.Any]) -> None:
        shutil.copytree(REPOSITORY, place / "project")
        # A controller clones it. Where it was cloned from, no job can reach.
        for words in (
            ["init", "--quiet"],
            ["add", "."],
            ["-c", "user.name=x", "-c", "user.email=x@x.example", "commit", "--quiet", "-m", "x"],
        ):
            subprocess.run(["git", *words], cwd=place / "project", check=True)
        (place / "inventory").mkdir()
        (place / "env").mkdir()
        script = place / "inventory" / "hosts"
        script.write_text(
            _SCRIPT.format(python=sys.executable, text=json.dumps(self._generated())),
            encoding="utf-8",
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        texts = {
            "extravars": yaml.dump(dict(extra), Dumper=_Dumper),
            "passwords": json.dumps({"SSH password:\\s*?$": self.login[1]}),
            "settings": json.dumps({"suppress_ansible_output": False}),
        }
        for name, text in texts.items():
            (place / "env" / name).write_text(text, encoding="utf-8")

    def _generated(self) -> Artifacts:
        """The lab's inventory as an inventory script gives it, without logins."""
        told: Artifacts = {"_meta": {"hostvars": {}}}

        def add(group: str, described: Artifacts) -> None:
            told[group] = {
                "hosts": list(described.get("hosts") or {}),
                "children": list(described.get("children") or {}),
                "vars": dict(described.get("vars") or {}),
            }
            for host, variables in (described.get("hosts") or {}).items():
                kept = {key: value for key, value in variables.items() if key not in _LOGIN}
                told["_meta"]["hostvars"][host] = {**kept, **self.variables}
            for child, inner in (described.get("children") or {}).items():
                add(child, inner)

        for group, described in yaml.safe_load(self.inventory.read_text("utf-8")).items():
            add(group, described)
        return told

    @staticmethod
    def _environment(home: pathlib.Path) -> dict[str, str]:
        home.mkdir()
        path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
        return {
            "PATH": path,
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_HOST_KEY_CHECKING": "false",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    @staticmethod
    def _read(name: str, folder: pathlib.Path, told: pathlib.Path) -> Job:
        artifacts: Artifacts = {}
        output = told.read_text(encoding="utf-8", errors="replace")
        for path in (folder / "job_events").glob("*.json"):
            try:
                event = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                continue  # half of one, of a job that was killed
            if event["event"] == "playbook_on_stats":
                artifacts = event["event_data"].get("artifact_data") or {}
        if (folder / "stdout").exists():
            output += (folder / "stdout").read_text(encoding="utf-8", errors="replace")
        status = folder / "status"
        # Who is killed leaves none.
        successful = status.exists() and status.read_text(encoding="utf-8").strip() == "successful"
        return Job(name, successful, artifacts, output)

    def run_workflow(
        self,
        name: str,
        limit: str,
        approve: t.Callable[[Artifacts], bool],
        before: t.Callable[[str], None] = lambda _node: None,
        killed: t.Mapping[str, t.Callable[[], bool]] | None = None,
    ) -> list[tuple[str, bool]]:
        """Run a workflow; the nodes that ran, with whether each was successful.

        `approve` is somebody who is shown what was handed on so far; `before` is what happens
        before a node begins; `killed` says of a node when its job is killed.
        """
        (workflow,) = [
            thing for thing in self.content["controller_workflows"] if thing["name"] == name
        ]
        nodes = {node["identifier"]: node for node in workflow["simplified_workflow_nodes"]}
        named = {other for node in nodes.values() for other in _after(node)}
        waiting: list[tuple[str, Artifacts]] = [(key, {}) for key in nodes if key not in named]
        told: list[tuple[str, bool]] = []
        while waiting:
            identifier, artifacts = waiting.pop(0)
            node = nodes[identifier]
            before(identifier)
            if "approval_node" in node:
                successful = approve(artifacts)
            else:
                job = self.launch(
                    node["unified_job_template"],
                    limit=node.get("limit", limit),
                    artifacts=artifacts,
                    killed_when=(killed or {}).get(identifier),
                )
                successful, artifacts = job.successful, {**artifacts, **job.artifacts}
                self.last = self.jobs[identifier] = job
            told.append((identifier, successful))
            way = "success_nodes" if successful else "failure_nodes"
            waiting += [
                (other, artifacts) for other in [*node.get(way, []), *node.get("always_nodes", [])]
            ]
        return told

    last: Job | None = None


def _wait(
    process: subprocess.Popen[bytes], killed_when: t.Callable[[], bool] | None, seconds: float = 280
) -> None:
    """Until it has ended; kill it with all that it has started when that is to be, or late."""
    end = time.monotonic() + seconds
    while process.poll() is None:
        late = time.monotonic() > end
        if late or (killed_when and killed_when()):
            for number in [*_below(process.pid), process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            process.wait()
            assert not late, "the job takes too long"
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05 if killed_when else 1)


def _below(number: int) -> list[int]:
    """The processes that a process has started, and so on; its runner gives them groups of their
    own.
    """
    children = pathlib.Path("/proc", str(number), "task", str(number), "children")
    with contextlib.suppress(OSError):
        return [
            each
            for child in map(int, children.read_text(encoding="ascii").split())
            for each in (*_below(child), child)
        ]
    return []


def _after(node: Object) -> list[str]:
    return [
        other
        for link in ("success_nodes", "failure_nodes", "always_nodes")
        for other in node.get(link, [])
    ]
