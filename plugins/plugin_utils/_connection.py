# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's own Ansible connection: which command the agent needs, whether it keeps a secret.

The winrm, psrp and ssh plugins of ansible-core 2.16 to 2.21 disagree about who encodes a PowerShell
command. Handing each the form that it does not encode once more keeps the promise of one PowerShell
start a call.
"""

from __future__ import annotations

import base64
import functools
import typing as t

from ansible.release import __version__ as core_version

# The psrp plugin of ansible-core 2.16 to 2.20 recognises an encoded command by exactly these words
# (plugins/shell/powershell.py, _common_args) and runs it inside its own runspace.
_ENCODED_PREFIX = (
    "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
)

# In base64 and with its envelope, below 150 KB.
_PIECE = 100_000

# Transports that encrypt their messages by themselves over http (pywinrm and pypsrp,
# message_encryption "auto").
_ENCRYPTING_TRANSPORTS = frozenset({"ntlm", "kerberos", "credssp", "negotiate"})


def short_name(connection: t.Any) -> str:
    """The connection plugin's name without its collection: ``winrm``, ``psrp``, ``ssh``, …"""
    name = getattr(connection, "ansible_name", None) or getattr(connection, "transport", "") or ""
    return str(name).rsplit(".", 1)[-1]


def command_for(connection: t.Any, script: str) -> str:
    """The text for ``exec_command`` that runs `script` in one PowerShell, its input as ``$input``.

    winrm wraps whatever it is given (2.16 wraps even what is encoded already), so it gets the
    script itself. psrp runs an encoded command in its runspace, where a plain one would receive
    standard input as bytes. ssh passes the command on, but wrapped it for Windows before 2.19 (2.17
    and 2.18: unverified).
    """
    name = short_name(connection)
    if name == "winrm" or (name == "ssh" and _wraps_for_windows(connection)):
        return script
    return _ENCODED_PREFIX + base64.b64encode(script.encode("utf-16-le")).decode("ascii")


def send_in_pieces(connection: t.Any) -> None:
    """Let the winrm plugin send standard input in pieces that every WinRM takes.

    Its own pieces of 200,000 bytes are base64 of 267 KB in an envelope, and WinRM before Windows
    Server 2012 takes 150 KB unless it was told otherwise. The plugin has no option for that (its
    method of ansible-core 2.16 to 2.21 has an argument). psrp asks the server and keeps to it.
    """
    pieces = getattr(connection, "_wrapper_payload_stream", None)
    if (
        short_name(connection) == "winrm"
        and callable(pieces)
        and not isinstance(pieces, functools.partial)
    ):
        connection._wrapper_payload_stream = functools.partial(pieces, buffer_size=_PIECE)


def too_large(connection: t.Any, stdin: bytes, error: Exception) -> str:
    """What WinRM may have meant by an error, where that is the size of a request; else empty.

    It answers with the bare status 413. Over an encrypted connection pywinrm goes on in a new one,
    and what is seen is a 400 (ansible-core, plugins/connection/winrm.py, _winrm_exec).
    """
    if getattr(error, "code", None) not in (400, 413) or short_name(connection) not in (
        "winrm",
        "psrp",
    ):
        return ""
    kilobytes = -(-min(len(stdin), _PIECE) * 4 // 3 // 1024) + 2
    return (
        f" It was sent in pieces of up to {kilobytes} KB. If the server's WinRM takes less at "
        "once, raise its "
        'MaxEnvelopeSizekb there: winrm set winrm/config @{MaxEnvelopeSizekb="500"}'
    )


def _wraps_for_windows(connection: t.Any) -> bool:
    core = tuple(int(part) for part in core_version.split(".")[:2])
    return core < (2, 19) and bool(
        getattr(getattr(connection, "_shell", None), "_IS_WINDOWS", False)
    )


def _option(connection: t.Any, name: str) -> t.Any:
    try:
        return connection.get_option(name)
    except (KeyError, AttributeError):
        return None


def _as_list(value: t.Any) -> list[str]:
    if value is None:
        return []
    items = value if isinstance(value, (list, tuple)) else [value]
    return [str(item).lower() for item in items]


def reason_not_private(connection: t.Any, variables: t.Mapping[str, t.Any]) -> str | None:
    """Why a secret sent over this connection could be read, as a clause; None where it could not.

    Decided before anything is sent, from the connection's options and, for what winrm takes only as
    extra variables, from the host's `variables`.
    """
    name = short_name(connection)
    if name == "ssh":
        return None
    if name == "winrm":
        port = _option(connection, "port")
        scheme = str(_option(connection, "scheme") or ("http" if str(port) == "5985" else "https"))
        transports = _as_list(_option(connection, "transport")) or ["plaintext"]
        encryption = str(variables.get("ansible_winrm_message_encryption", "auto")).lower()
        return _http_reason("ansible_winrm", scheme, transports, encryption)
    if name == "psrp":
        port = _option(connection, "port")
        scheme = str(
            _option(connection, "protocol") or ("http" if str(port) in ("80", "5985") else "https")
        )
        transports = _as_list(_option(connection, "auth")) or ["negotiate"]
        encryption = str(_option(connection, "message_encryption") or "auto").lower()
        return _http_reason("ansible_psrp", scheme, transports, encryption)
    return (
        f"the connection plugin '{name}' is not one this collection knows to be encrypted (winrm, "
        "psrp and ssh are)"
    )


def _http_reason(
    prefix: str, scheme: str, transports: t.Sequence[str], encryption: str
) -> str | None:
    if scheme == "https":
        return None
    if encryption == "never":
        return f"{prefix}_message_encryption is 'never' over http"
    weak = [transport for transport in transports if transport not in _ENCRYPTING_TRANSPORTS]
    if weak and encryption != "always":
        return (
            f"the connection uses http with the authentication '{weak[0]}', which does not encrypt"
        )
    return None


def login(connection: t.Any) -> tuple[str | None, str | None]:
    """The user name and password that the connection logs in with; None for what it lacks."""
    user, password = _option(connection, "remote_user"), _option(connection, "remote_password")
    if password is None:
        password = _option(connection, "password")
    return (str(user) if user else None, str(password) if password else None)


# Where each plugin goes if nothing says otherwise.
_USUAL_PORTS = {"winrm": 5986, "psrp": 5986, "ssh": 22}


def port_of(connection: t.Any) -> int | None:
    """The port at which the server is managed, as far as the controller knows; a router on the way
    may make another of it.
    """
    port = _option(connection, "port")
    try:
        return int(port) if port else _USUAL_PORTS.get(short_name(connection))
    except (TypeError, ValueError):
        return None
