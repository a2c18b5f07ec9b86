# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a request travels to agent.ps1, and its answer back.

Standard input is lines of base64, because powershell.exe reads it in the OEM code page: the agent's
text in the first line, with the areas that the request needs, and the request in the rest, each of
them a gzip, because WinRM before Windows Server 2012 takes 150 KB at once and Ansible's winrm
plugin sends up to 200,000 bytes in one piece.
The request is one token a line, led by a letter for its type (PowerShell 2.0 has no JSON):

======  ===========================================================================================
``n``   null
``t f`` true, false
``i``   a whole number of at most 64 bits
``d``   a floating-point number
``s``   a string, with ``~`` written ``~t``, line feed ``~n`` and carriage return ``~r``
``a``   a count; as many bare lines follow, a list of strings of which none needed escaping
``l``   a count; as many values follow, a list
``m``   a count; as many pairs of a string and a value follow, a table
``c``   two strings follow, a user name and a password: a PSCredential
``h``   the name of a host fact, whose value on the server takes this place
======  ===========================================================================================

It begins with the line ``mailedge 1`` and ends with the line ``.``, so that a cut request is seen.
The answer is JSON in UTF-8, packed by gzip, as base64 between two sentinel lines; white space in it
does not matter, since a console may wrap lines. Packed, because every right of every connector is a
row of its own: what a small server answers is 150 kB, WinRM sends it in pieces, and each piece is a
request.
"""

from __future__ import annotations

import base64
import binascii
import functools
import gzip
import json
import math
import pathlib
import typing as t
import zlib
from dataclasses import dataclass, field

PROTOCOL = 1
BEGIN = "----- BEGIN MAILEDGE ANSWER -----"
END = "----- END MAILEDGE ANSWER -----"

_HEADER = f"mailedge {PROTOCOL}"
_FOOTER = "."
# Short enough for any line buffer on the way, long enough that psrp, which sends an object a line,
# has few to send.
_LINE = 32_000
_ANSWER_LINE = 4_000
# No server has as many connectors.
_MOST_UNPACKED = 1 << 28
_INT64 = 1 << 63


class CodecError(ValueError):
    """A request that cannot be sent, or an answer that cannot be read.

    The message never contains a value.
    """


@dataclass(frozen=True)
class Credential:
    """A user name and password; a PSCredential on the server. The password is never shown."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class HostFact:
    """Stands for what the server reports under `name` (a key of the answer's ``host``)."""

    name: str


def constrained_answer() -> dict[str, t.Any]:
    """What the bootstrap answers under application control, where the agent cannot run."""
    return {
        "protocol": PROTOCOL,
        "ok": False,
        "way": None,
        "host": {},
        "steps": {},
        "stopped": None,
        "error": {
            "class": "Mailedge.ConstrainedLanguage",
            "id": "Mailedge.ConstrainedLanguage",
            "message": (
                "PowerShell on the server does not run in FullLanguage mode (application control "
                "such as AppLocker or WDAC restricts it), so the agent could not start. "
                "Nothing was changed. Allow this user to run scripts."
            ),
            "category": "PermissionDenied",
            "step": None,
        },
    }


def _pack(answer: t.Mapping[str, t.Any]) -> str:
    raw = json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return base64.b64encode(gzip.compress(raw, mtime=0)).decode("ascii")


def _bootstrap_script() -> str:
    refusal = _pack(constrained_answer())
    # Under ConstrainedLanguage only core types and cmdlets work, so the refusal is a constant.
    # Windows PowerShell 2.0 may not know the LanguageMode property: it is then $null, and there is
    # no constrained mode to be afraid of. No cmdlet sees the lines of $input: module logging would
    # write a cmdlet's arguments to the event log.
    return "\n".join(
        [
            "$ProgressPreference='SilentlyContinue';$ErrorActionPreference='Stop'",
            "$m=$ExecutionContext.SessionState.LanguageMode",
            (
                'if($m -and "$m" -ne '
                f"'FullLanguage'){{'{BEGIN}';'{refusal}';'{END}'}}else{{$l=@($input)"
            ),
            (
                "$b=[Convert]::FromBase64String($l[0]);$m=New-Object "
                "IO.MemoryStream;$m.Write($b,0,$b.Length);$m.Position=0"
            ),
            (
                "$z=New-Object IO.Compression.GZipStream "
                "$m,([IO.Compression.CompressionMode]::Decompress)"
            ),
            "$s=(New-Object IO.StreamReader $z).ReadToEnd()",
            "&([scriptblock]::Create($s)) $l}",
        ]
    )


BOOTSTRAP_SCRIPT = _bootstrap_script()
"""The fixed script that reads the agent and the request from standard input. It contains nothing of
either.
"""

BOOTSTRAP = (
    "powershell -NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand "
    + base64.b64encode(BOOTSTRAP_SCRIPT.encode("utf-16-le")).decode("ascii")
)
"""The same as a command line (cmd.exe, which WinRS starts, takes 8,191 characters)."""


AREAS: t.Mapping[str, str] = {
    "digest": "agent_digest.ps1",
    "read_files": "agent_files.ps1",
    "write_file": "agent_files_write.ps1",
    "iis_read": "agent_iis.ps1",
    "iis_write": "agent_iis_write.ps1",
    "log_summary": "agent_logs.ps1",
    "reach": "agent_reach.ps1",
    **dict.fromkeys(
        (
            "registry_read",
            "registry_write",
            "service_read",
            "wmi_read",
            "file_versions",
            "xml_read",
            "update_history",
            "certificate_read",
        ),
        "agent_windows.ps1",
    ),
    **dict.fromkeys(("firewall_read", "firewall_peers", "firewall_write"), "agent_firewall.ps1"),
}
"""Operations that only some requests need, and the file beside agent.ps1 that holds each."""

# What an area takes from another one.
_NEEDS: t.Mapping[str, str] = {"agent_files_write.ps1": "agent_files.ps1"}
_AREAS_HERE = "# AREAS\n"


def agent_text(areas: t.Collection[str] = ()) -> str:
    """The text of agent.ps1, with these files of AREAS in their place."""
    beside = pathlib.Path(__file__)
    before, _marker, after = (
        beside.with_name("agent.ps1").read_text(encoding="ascii").partition(_AREAS_HERE)
    )
    texts = [beside.with_name(name).read_text(encoding="ascii") for name in sorted(areas)]
    return "".join([before, *texts, after])


@functools.cache
def agent_line(areas: frozenset[str] = frozenset()) -> str:
    """The text of the agent, with these files of AREAS, as the first line of a request."""
    return _packed(agent_text(areas).encode("ascii"))


def areas_of(request: t.Mapping[str, t.Any]) -> frozenset[str]:
    """The files of AREAS that hold the operations of a request's steps."""
    operations = [
        step.get("op") for step in request.get("steps") or () if isinstance(step, t.Mapping)
    ]
    areas = {AREAS[name] for name in operations if isinstance(name, str) and name in AREAS}
    return frozenset(areas | {_NEEDS[area] for area in areas if area in _NEEDS})


def _packed(raw: bytes) -> str:
    # The same bytes give the same text: no time is in it.
    return base64.b64encode(gzip.compress(raw, mtime=0)).decode("ascii")


def request_text(request: t.Mapping[str, t.Any]) -> str:
    """`request` in tokens. Raises CodecError."""
    tokens = [_HEADER]
    _write(request, tokens, "request")
    tokens.append(_FOOTER)
    text = "\n".join(tokens)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise CodecError(
            "The request contains half a surrogate pair, which is not text. Nothing was sent."
        ) from None
    return text


def encode_request(request: t.Mapping[str, t.Any]) -> bytes:
    """The bytes for standard input: the agent, then `request`.

    Values: None, bool, int, float, str, list, tuple, mapping with string keys, Credential,
    HostFact. Raises CodecError for anything else, and for strings that are not Unicode text.
    """
    raw = request_text(request).encode("utf-8")
    body = _packed(raw)
    lines = [agent_line(areas_of(request))]
    lines += [body[at : at + _LINE] for at in range(0, len(body), _LINE)]
    return ("\n".join(lines) + "\n").encode("ascii")


def _escape(text: str) -> str:
    return text.replace("~", "~t").replace("\n", "~n").replace("\r", "~r")


def _unescape(text: str) -> str:
    return text.replace("~n", "\n").replace("~r", "\r").replace("~t", "~")


def _write(value: t.Any, tokens: list[str], where: str) -> None:
    if value is None:
        tokens.append("n")
    elif isinstance(value, bool):
        tokens.append("t" if value else "f")
    elif isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise CodecError(f"A number at {where} does not fit 64 bits. Nothing was sent.")
        tokens.append(f"i{int(value)}")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise CodecError(f"A number at {where} is not finite. Nothing was sent.")
        tokens.append(f"d{float(value)!r}")
    elif isinstance(value, str):
        tokens.append("s" + _escape(value))
    elif isinstance(value, (list, tuple)):
        if value and all(isinstance(item, str) and item == _escape(item) for item in value):
            tokens.append(f"a{len(value)}")
            tokens.extend(str(item) for item in value)
            return
        tokens.append(f"l{len(value)}")
        for index, item in enumerate(value):
            _write(item, tokens, f"{where}[{index}]")
    elif isinstance(value, t.Mapping):
        tokens.append(f"m{len(value)}")
        for key, item in value.items():
            if not isinstance(key, str):
                raise CodecError(
                    f"A table at {where} has a key that is not a string. Nothing was sent."
                )
            tokens.append("s" + _escape(key))
            _write(item, tokens, f"{where}.{key}")
    elif isinstance(value, Credential):
        tokens += ["c", "s" + _escape(value.username), "s" + _escape(value.password)]
    elif isinstance(value, HostFact):
        tokens.append("h" + _escape(value.name))
    else:
        raise CodecError(
            f"A value of type {type(value).__name__} at {where} cannot be sent. Nothing was sent."
        )


def decode_request(stdin: bytes | str) -> dict[str, t.Any]:
    """What encode_request was given, tuples as lists; for a stand-in of the agent.

    Raises CodecError.
    """
    text = stdin.decode("ascii") if isinstance(stdin, bytes) else stdin
    try:
        packed = base64.b64decode("".join(text.splitlines()[1:]), validate=True)
        body = gzip.decompress(packed).decode("utf-8")
    except (ValueError, OSError, EOFError, zlib.error):
        raise CodecError(
            "The request on standard input is not base64 of a gzip of UTF-8."
        ) from None
    tokens = body.split("\n")
    if len(tokens) < 3 or tokens[0] != _HEADER or tokens[-1] != _FOOTER:
        raise CodecError("The request on standard input is cut, or of another protocol.")
    try:
        value, position = _read(tokens, 1)
    except (IndexError, ValueError):
        raise CodecError("The request on standard input is malformed.") from None
    if position != len(tokens) - 1 or not isinstance(value, dict):
        raise CodecError("The request on standard input is malformed.")
    return value


def _read_string(tokens: list[str], position: int) -> str:
    if tokens[position][:1] != "s":
        raise ValueError
    return _unescape(tokens[position][1:])


def _read(tokens: list[str], position: int) -> tuple[t.Any, int]:
    kind, rest = tokens[position][:1], tokens[position][1:]
    position += 1
    if kind in ("n", "t", "f"):
        return {"n": None, "t": True, "f": False}[kind], position
    if kind == "i":
        return int(rest), position
    if kind == "d":
        return float(rest), position
    if kind == "s":
        return _unescape(rest), position
    if kind == "h":
        return HostFact(_unescape(rest)), position
    if kind == "c":
        return Credential(
            _read_string(tokens, position), _read_string(tokens, position + 1)
        ), position + 2
    count = int(rest)
    if not 0 <= count < len(tokens) - position:
        raise ValueError
    if kind == "a":
        return tokens[position : position + count], position + count
    if kind == "l":
        items = []
        for _index in range(count):
            item, position = _read(tokens, position)
            items.append(item)
        return items, position
    if kind == "m":
        table: dict[str, t.Any] = {}
        for _index in range(count):
            key = _read_string(tokens, position)
            table[key], position = _read(tokens, position + 1)
        return table, position
    raise ValueError


def encode_answer(answer: t.Mapping[str, t.Any]) -> bytes:
    """Standard output as the agent writes it; for a stand-in of the agent."""
    body = _pack(answer)
    lines = [
        BEGIN,
        *(body[at : at + _ANSWER_LINE] for at in range(0, len(body), _ANSWER_LINE)),
        END,
    ]
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def decode_answer(stdout: bytes | str) -> dict[str, t.Any]:
    """The agent's answer from what came on standard output, whatever noise stands around it.

    Raises CodecError where it is absent, cut, malformed, or of another protocol.
    """
    text = stdout.decode("utf-8", "replace") if isinstance(stdout, bytes) else stdout
    start = text.rfind(BEGIN)
    if start < 0:
        raise CodecError("No answer of the agent came back.")
    end = text.find(END, start)
    if end < 0:
        raise CodecError("The agent's answer was cut on its way.")
    try:
        packed = base64.b64decode("".join(text[start + len(BEGIN) : end].split()), validate=True)
        # wbits: gzip, whose checksum is looked at as well.
        unpacking = zlib.decompressobj(wbits=31)
        raw = unpacking.decompress(packed, _MOST_UNPACKED)
        if not unpacking.eof:
            raise CodecError(
                "The agent's answer was cut on its way, or is longer than any server's is."
            )
        answer = json.loads(raw.decode("utf-8"))
    except (binascii.Error, zlib.error, UnicodeDecodeError, json.JSONDecodeError):
        raise CodecError("The agent's answer was damaged on its way.") from None
    if not isinstance(answer, dict) or answer.get("protocol") != PROTOCOL:
        raise CodecError(f"The agent answered in another protocol than {PROTOCOL}.")
    return answer
