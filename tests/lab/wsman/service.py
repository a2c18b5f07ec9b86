# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What WinRM does with a request: the table of shells, and one method for each operation."""

from __future__ import annotations

import base64
import binascii
import threading
import typing as t
from xml.sax.saxutils import escape

from ansible_collections.mailedge.lockdown.tests.lab.wsman import soap
from ansible_collections.mailedge.lockdown.tests.lab.wsman.psrp import RunspacePoolShell
from ansible_collections.mailedge.lockdown.tests.lab.wsman.shells import Engine, Shell, new_id

MAX_ENVELOPE_KB, MAX_ENVELOPE_KB_OF_2008 = 500, 150
"""WinRM's MaxEnvelopeSizekb from Windows 8 and Server 2012 on, and before (learn.microsoft.com,
"Installation and configuration for WinRM").
"""
_MAX_SHELLS = 30
_CMD = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
_POWERSHELL = "http://schemas.microsoft.com/powershell/"


class Service:
    """The shells of one server. All methods may be called from many threads."""

    def __init__(
        self, engine: Engine, machine: str, max_envelope_kb: int = MAX_ENVELOPE_KB
    ) -> None:
        self.engine = engine
        self.machine = machine
        self.max_envelope_kb = max_envelope_kb
        self._shells: dict[str, Shell] = {}
        self._lock = threading.Lock()
        self._operations: dict[str, t.Callable[[soap.Request, str], str]] = {
            "Get": self._get,
            "Create": self._create,
            "Command": self._command,
            "Send": self._send,
            "Receive": self._receive,
            "Signal": self._signal,
            "Delete": self._delete,
        }

    @property
    def shells(self) -> int:
        """How many shells are open."""
        return len(self._shells)

    def handle(self, request: soap.Request, user: str) -> bytes:
        """The reply to `request` of the user `user`. Raises Fault."""
        operation = self._operations.get(request.operation)
        if operation is None:
            raise soap.Fault(
                2150858817,
                "a:ActionNotSupported",
                f"The action {request.action} is not supported by the service.",
            )
        return soap.reply(request, operation(request, user))

    def close(self) -> None:
        """End all shells."""
        with self._lock:
            shells = list(self._shells.values())
            self._shells.clear()
        for shell in shells:
            shell.close()

    def _shell(self, request: soap.Request) -> Shell:
        with self._lock:
            shell = self._shells.get(request.shell_id or "")
        if shell is None:
            raise soap.no_such_shell()
        return shell

    def _get(self, request: soap.Request, user: str) -> str:
        size = f"<cfg:MaxEnvelopeSizekb>{self.max_envelope_kb}</cfg:MaxEnvelopeSizekb>"
        return f"<cfg:Config>{size}</cfg:Config>"

    def _create(self, request: soap.Request, user: str) -> str:
        element = request.find("rsp:Shell")
        shell_id = new_id(element.get("ShellId"))
        if request.resource == _CMD:
            shell = Shell(shell_id, request.resource, self.engine)
        elif request.resource.startswith(_POWERSHELL):
            creation = request.find("rsp:Shell/ps:creationXml").text or ""
            old = self.max_envelope_kb < MAX_ENVELOPE_KB
            shell = RunspacePoolShell(shell_id, request.resource, self.engine, creation, old=old)
        else:
            raise soap.Fault(
                2150858811,
                "w:InvalidResourceURI",
                f"There is no shell with the resource URI {request.resource}.",
            )
        with self._lock:
            if len(self._shells) >= _MAX_SHELLS:
                raise soap.Fault(
                    2150859173,
                    "w:QuotaLimit",
                    "The WS-Management service cannot process the request. This user is allowed a "
                    f"maximum number of {_MAX_SHELLS} concurrent shells, which has been exceeded.",
                )
            self._shells[shell_id] = shell
        resource = escape(request.resource)
        return (
            f"<x:ResourceCreated><a:Address>http://{escape(self.machine)}:5985/wsman</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{resource}</w:ResourceURI><w:SelectorSet><w:Selector "
            f'Name="ShellId">{shell_id}</w:Selector>'
            f"</w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>"
            f"<rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId><rsp:ResourceUri>{resource}</rsp:ResourceUri>"
            f"<rsp:Owner>{escape(user)}</rsp:Owner><rsp:ClientIP>127.0.0.1</rsp:ClientIP>"
            f"<rsp:IdleTimeOut>PT7200.000S</rsp:IdleTimeOut><rsp:OutputStreams>stdout</rsp:OutputStreams></rsp:Shell>"
        )

    def _command(self, request: soap.Request, user: str) -> str:
        element = request.find("rsp:CommandLine")
        words = [element.findtext("rsp:Command", "", soap.NAMESPACES) or ""]
        arguments = [
            argument.text or "" for argument in element.findall("rsp:Arguments", soap.NAMESPACES)
        ]
        shell = self._shell(request)
        # A pipeline's description comes in the arguments; its command is empty.
        line = (
            "".join(arguments)
            if isinstance(shell, RunspacePoolShell)
            else " ".join([*words, *arguments])
        )
        try:
            command = shell.open_command(element.get("CommandId"), line, request.options)
        except binascii.Error:
            raise soap.bad_request("The arguments of the command are no base64.") from None
        identity = f"<rsp:CommandId>{command.id}</rsp:CommandId>"
        return f"<rsp:CommandResponse>{identity}</rsp:CommandResponse>"

    def _send(self, request: soap.Request, user: str) -> str:
        shell = self._shell(request)
        for stream in request.body.iterfind("rsp:Send/rsp:Stream", soap.NAMESPACES):
            try:
                data = base64.b64decode(stream.text or "")
            except binascii.Error:
                raise soap.bad_request("The stream of the request is no base64.") from None
            shell.send(stream.get("CommandId"), data, (stream.get("End") or "").lower() == "true")
        return "<rsp:SendResponse/>"

    def _receive(self, request: soap.Request, user: str) -> str:
        shell = self._shell(request)
        command_id = request.find("rsp:Receive/rsp:DesiredStream").get("CommandId")
        output = shell.command(command_id).output if command_id else shell.output
        chunks, exit_code = output.take(request.seconds)
        of = f' CommandId="{escape(command_id)}"' if command_id else ""
        parts = [
            f'<rsp:Stream Name="{name}"{of}>{base64.b64encode(data).decode("ascii")}</rsp:Stream>'
            for name, data in chunks
        ]
        if command_id:
            state = "Running" if exit_code is None else "Done"
            # As an unsigned number, as Windows has exit codes.
            code = (
                ""
                if exit_code is None
                else f"<rsp:ExitCode>{exit_code & 0xFFFFFFFF}</rsp:ExitCode>"
            )
            parts.append(
                f"<rsp:CommandState{of} "
                f'State="{soap.SHELL}/CommandState/{state}">{code}</rsp:CommandState>'
            )
        return f"<rsp:ReceiveResponse>{''.join(parts)}</rsp:ReceiveResponse>"

    def _signal(self, request: soap.Request, user: str) -> str:
        self._shell(request).signal(request.find("rsp:Signal").get("CommandId"))
        return "<rsp:SignalResponse/>"

    def _delete(self, request: soap.Request, user: str) -> str:
        shell = self._shell(request)
        with self._lock:
            self._shells.pop(shell.id, None)
        shell.close()
        return ""
