# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runspace pools of PSRP ([MS-PSRP], spoken by psrpcore): a pipeline's script and input go to the
engine as a script and lines of standard input; the lines of its standard output come back as
objects, each a string.

Kinder than a real runspace in one thing: each pipeline finds a fresh one.
"""

from __future__ import annotations

import base64
import threading
import typing as t
import uuid

import psrpcore
from psrpcore.types import (
    ErrorCategory,
    ErrorCategoryInfo,
    HostMethodIdentifier,
    NETException,
    PSVersion,
)

from ansible_collections.mailedge.lockdown.tests.lab.wsman import soap
from ansible_collections.mailedge.lockdown.tests.lab.wsman.shells import (
    Command,
    Engine,
    Shell,
    new_id,
)

_FRAGMENT = 100_000


class Pipeline(Command):
    """One pipeline: what it runs, and the input that came for it."""

    def __init__(self, command_id: str, pool: psrpcore.ServerRunspacePool) -> None:
        super().__init__(command_id)
        self.protocol = psrpcore.ServerPipeline(pool, uuid.UUID(command_id))
        self.inputs: list[str] = []
        self.metadata: t.Any = None

    @property
    def running(self) -> bool:
        """Whether the client still expects something of it."""
        return str(self.protocol.state.name) == "Running"

    def script(self) -> str:
        """The script to run. Raises ValueError for a pipeline that is none."""
        commands = [
            command
            for command in self.metadata.commands
            if command.command_text not in ("Out-String", "Out-Default")
        ]
        if len(commands) == 1:
            only = commands[0]
            parameters = dict(only.parameters)
            if only.is_script and not parameters:
                return str(only.command_text)
            if only.command_text == "Invoke-Expression" and set(parameters) == {"Command"}:
                return str(parameters["Command"])
        raise ValueError("The lab's runspaces run one script a pipeline, without arguments.")


class RunspacePoolShell(Shell):
    """A shell whose streams carry PSRP.

    `old`: of Windows PowerShell 2.0, to which a client sends no more than 150 KB at once (MS-PSRP,
    protocol version 2.1).
    """

    def __init__(
        self, shell_id: str, resource: str, engine: Engine, creation: str, *, old: bool = False
    ) -> None:
        super().__init__(shell_id, resource, engine)
        self._lock = threading.RLock()
        newest = {"PSVersion": PSVersion("5.1.20348.1"), "PSEdition": "Desktop"}
        versions = {"PSVersion": PSVersion("2.0")} if old else newest
        self._pool = psrpcore.ServerRunspacePool(
            application_private_data={"PSVersionTable": versions}
        )
        if old:
            self._pool.our_capability.protocolversion = PSVersion("2.1")
        self._feed(base64.b64decode(creation))

    def open_command(
        self, command_id: str | None, command_line: str, options: t.Mapping[str, str]
    ) -> Command:
        """Create a pipeline; `command_line` is the first fragment of its description, in base64."""
        with self._lock:
            pipeline = Pipeline(new_id(command_id), self._pool)
            self.commands[pipeline.id] = pipeline
            self._feed(base64.b64decode(command_line))
        return pipeline

    def send(self, command_id: str | None, data: bytes, end: bool) -> None:
        """More of the protocol: fragments of a pipeline's description or input, or a call to the
        pool.
        """
        self._feed(data)

    def signal(self, command_id: str | None) -> None:
        """Stop a pipeline."""
        command = self.command(command_id)
        command.cancelled.set()
        with self._lock:
            if isinstance(command, Pipeline) and command.running:
                command.protocol.begin_stop()
                command.protocol.stop()
            self._flush()
        command.output.finish(1)

    def _feed(self, data: bytes) -> None:
        with self._lock:
            try:
                self._pool.receive_data(
                    psrpcore.PSRPPayload(data, psrpcore.StreamType.default, None)
                )
                while (event := self._pool.next_event()) is not None:
                    self._handle(event)
            except psrpcore.PSRPCoreError as error:
                raise soap.bad_request(f"The fragment cannot be read: {error}") from None
            self._flush()

    def _handle(self, event: t.Any) -> None:
        if isinstance(event, psrpcore.CreatePipelineEvent):
            pipeline = self._pipeline(event)
            pipeline.metadata = event.pipeline
            if event.pipeline.no_input:
                self._start(pipeline)
        elif isinstance(event, psrpcore.PipelineInputEvent):
            self._pipeline(event).inputs.append(str(event.data))
        elif isinstance(event, psrpcore.EndOfPipelineInputEvent):
            self._start(self._pipeline(event))
        elif isinstance(event, psrpcore.GetAvailableRunspacesEvent):
            self._pool.runspace_availability_response(event.ci, 1)
        elif isinstance(
            event,
            (
                psrpcore.SetMaxRunspacesEvent,
                psrpcore.SetMinRunspacesEvent,
                psrpcore.ResetRunspaceStateEvent,
            ),
        ):
            self._pool.runspace_availability_response(event.ci, True)

    def _pipeline(self, event: t.Any) -> Pipeline:
        pipeline = self.command(str(event.pipeline_id))
        if not isinstance(pipeline, Pipeline):
            raise soap.no_such_shell()
        return pipeline

    def _flush(self) -> None:
        """Hand what the protocol wants to say to whoever receives it."""
        while (payload := self._pool.data_to_send(_FRAGMENT)) is not None:
            command = (
                self.commands.get(str(payload.pipeline_id).upper()) if payload.pipeline_id else None
            )
            # A client takes each piece for whole fragments of the protocol.
            (command.output if command else self.output).emit_whole("stdout", bytes(payload.data))

    def _start(self, pipeline: Pipeline) -> None:
        pipeline.protocol.start()
        threading.Thread(target=self._run, args=(pipeline,), name="lab-psrp", daemon=True).start()

    def _run(self, pipeline: Pipeline) -> None:
        stdin = "".join(f"{line}\n" for line in pipeline.inputs).encode()
        try:
            code, stdout, stderr = self.engine.run(
                pipeline.script(), stdin, True, pipeline.cancelled
            )
        except Exception as error:
            # The client must hear of a broken lab, or it waits for ever.
            code, stdout, stderr = 1, b"", f"The lab failed: {error!r}".encode()
        with self._lock:
            # A client that has stopped the pipeline meanwhile gets nothing more.
            if pipeline.running:
                self._report(pipeline.protocol, code, stdout, stderr)
            self._flush()
        pipeline.output.finish(code)

    @staticmethod
    def _report(pipeline: psrpcore.ServerPipeline, code: int, stdout: bytes, stderr: bytes) -> None:
        for line in stdout.decode("utf-8", "replace").splitlines():
            pipeline.write_output(line)
        message = stderr.decode("utf-8", "replace").strip()
        if message:
            pipeline.write_error(
                NETException(Message=message),
                category_info=ErrorCategoryInfo(Category=ErrorCategory.NotSpecified),
                fully_qualified_error_id="NativeCommandError",
            )
        if code:
            pipeline.host_call(HostMethodIdentifier.SetShouldExit, [code])
        pipeline.complete()
