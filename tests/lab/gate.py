# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A firewall in front of a listening socket: whom it drops gets no answer at all, as at a real one,
and runs into a timeout.

A classic BPF program on the listening socket judges the packets that open a connection by their
source address (Linux, socket(7) SO_ATTACH_FILTER and the kernel's
Documentation/networking/filter.rst). That needs no privilege.
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import sys
import typing as t

SUPPORTED = sys.platform.startswith("linux")

_SO_ATTACH_FILTER = 26
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NETWORK_HEADER = (
    0xFFF00000  # SKF_NET_OFF: offsets from here are into the IP header, whatever lies before it.
)
_IPV4_SOURCE = 12
_EVERYTHING, _NOTHING = 0xFFFFFFFF, 0


class _Instruction(ctypes.Structure):
    _fields_: t.ClassVar = [
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_: t.ClassVar = [
        ("length", ctypes.c_uint16),
        ("instructions", ctypes.POINTER(_Instruction)),
    ]


def guard(listener: socket.socket, admitted: t.Mapping[str, bool], otherwise: bool) -> None:
    """Let the listener hear only admitted sources: IPv4 address → whether it is, `otherwise` for
    all others. Replaces what was there.
    """
    if not SUPPORTED:
        raise RuntimeError(
            "A lab with a firewall needs Linux, which can drop packets in front of a socket."
        )
    if listener.family == socket.AF_INET6:
        admitted = {}  # On ::1 there is one sender only.
    exceptions = [
        int(ipaddress.IPv4Address(address))
        for address, passes in admitted.items()
        if passes != otherwise
    ]
    verdict = {True: _EVERYTHING, False: _NOTHING}
    program = [(_LOAD_WORD, 0, 0, _NETWORK_HEADER + _IPV4_SOURCE)] if exceptions else []
    for number, address in enumerate(exceptions):
        # To the last instruction, over the exceptions that follow and the verdict of all others.
        program.append((_JUMP_IF_EQUAL, len(exceptions) - number, 0, address))
    program.append((_RETURN, 0, 0, verdict[otherwise]))
    if exceptions:
        program.append((_RETURN, 0, 0, verdict[not otherwise]))
    instructions = (_Instruction * len(program))(
        *(_Instruction(*instruction) for instruction in program)
    )
    given = _Program(len(program), ctypes.cast(instructions, ctypes.POINTER(_Instruction)))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(given))
