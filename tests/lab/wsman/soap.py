# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The envelopes of WS-Management: requests read, replies and faults written ([MS-WSMV],
DSP0226).
"""

from __future__ import annotations

import re
import typing as t
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

NAMESPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
    "ps": "http://schemas.microsoft.com/powershell",
    "f": "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault",
    "cfg": "http://schemas.microsoft.com/wbem/wsman/1/config",
}
SHELL = NAMESPACES["rsp"]
_DECLARED = " ".join(f"xmlns:{prefix}={quoteattr(uri)}" for prefix, uri in NAMESPACES.items())
_ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
_FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
_DURATION = re.compile(r"P(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?")
_DEFAULT_TIMEOUT = 60.0


class Fault(Exception):
    """A SOAP fault: `code` is the WSManFault code, a number that clients know; `subcode` that of
    DSP0226.
    """

    def __init__(self, code: int, subcode: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.subcode = subcode
        self.text = text


def timed_out() -> Fault:
    """Nothing to tell within the client's OperationTimeout; clients ask again (0x80338029)."""
    return Fault(
        2150858793,
        "w:TimedOut",
        "The WS-Management service cannot complete the operation within the time specified in "
        "OperationTimeout.",
    )


def no_such_shell() -> Fault:
    """The shell that a request names is gone (0x8033805B)."""
    return Fault(
        2150858843,
        "w:InvalidSelectors",
        "The request for the Windows Remote Shell with ShellId failed because the shell was not "
        "found on the server.",
    )


def bad_request(text: str) -> Fault:
    """A message that the service cannot read (ERROR_WSMAN_INVALID_XML and its kin; the code is
    unverified).
    """
    return Fault(2150858752, "w:SchemaValidationError", text)


@dataclass(frozen=True)
class Request:
    """One request. `operation` is the last word of its action; `seconds` is its
    OperationTimeout.
    """

    message_id: str
    action: str
    operation: str
    resource: str
    shell_id: str | None
    seconds: float
    options: t.Mapping[str, str]
    body: ET.Element

    def find(self, path: str) -> ET.Element:
        """The element at `path` in the body. Raises Fault where there is none."""
        element = self.body.find(path, NAMESPACES)
        if element is None:
            raise bad_request(f"The request has no element {path}.")
        return element


def _seconds(text: str | None) -> float:
    match = _DURATION.fullmatch(text or "")
    if not match or not any(match.groups()):
        return _DEFAULT_TIMEOUT
    hours, minutes, seconds = (float(group or 0) for group in match.groups())
    return 3600 * hours + 60 * minutes + seconds


def read_request(raw: bytes) -> Request:
    """The request in `raw`. Raises Fault for what is no envelope."""
    try:
        root = ET.fromstring(raw)
    except ET.ParseError as error:
        raise bad_request(f"The request is no XML: {error}.") from None
    header, body = root.find("s:Header", NAMESPACES), root.find("s:Body", NAMESPACES)
    if header is None or body is None:
        raise bad_request("The request is no SOAP envelope.")
    action = (header.findtext("a:Action", "", NAMESPACES) or "").strip()
    selectors = {
        element.get("Name", ""): (element.text or "").strip()
        for element in header.iterfind("w:SelectorSet/w:Selector", NAMESPACES)
    }
    options = {
        element.get("Name", ""): element.text or ""
        for element in header.iterfind("w:OptionSet/w:Option", NAMESPACES)
    }
    shell_id = selectors.get("ShellId")
    return Request(
        message_id=(header.findtext("a:MessageID", "", NAMESPACES) or "").strip(),
        action=action,
        operation=action.rsplit("/", 1)[-1],
        resource=(header.findtext("w:ResourceURI", "", NAMESPACES) or "").strip(),
        shell_id=shell_id.upper() if shell_id else None,
        seconds=_seconds(header.findtext("w:OperationTimeout", None, NAMESPACES)),
        options=options,
        body=body,
    )


def _envelope(action: str, relates_to: str, inner: str) -> bytes:
    return (
        f'<s:Envelope xml:lang="en-US" {_DECLARED}><s:Header><a:Action>{escape(action)}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID><a:To>{_ANONYMOUS}</a:To>"
        f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header><s:Body>{inner}</s:Body></s:Envelope>"
    ).encode()


def reply(request: Request, inner: str) -> bytes:
    """The answer to `request` with the XML `inner` in its body."""
    return _envelope(f"{request.action}Response", request.message_id, inner)


def fault_reply(fault: Fault, relates_to: str, machine: str) -> bytes:
    """The answer that says `fault`."""
    text = escape(fault.text)
    return _envelope(
        _FAULT_ACTION,
        relates_to,
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value>"
        f"<s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{text}</s:Text></s:Reason>'
        f'<s:Detail><f:WSManFault Code="{fault.code}" Machine={quoteattr(machine)}>'
        f"<f:Message>{text}</f:Message></f:WSManFault></s:Detail></s:Fault>",
    )
