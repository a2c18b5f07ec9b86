# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a certificate is for, read from its bytes (RFC 5280, X.690).

The ssl module reads a certificate only after it has verified it, and mail servers have certificates
that no one but themselves has signed. Nothing is verified here: it is what the server shows, not
who it is.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import typing as t
from dataclasses import dataclass

# X.520 and RFC 4519 names of what stands in a subject; what is not here is shown by its number.
_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}
_SUBJECT_ALT_NAME = "2.5.29.17"
_SEQUENCE, _OID, _OCTETS, _UTC_TIME, _TIME, _BMP = 0x30, 0x06, 0x04, 0x17, 0x18, 0x1E
_VERSION, _EXTENSIONS, _DNS_NAME, _IP_ADDRESS = 0xA0, 0xA3, 0x82, 0x87
_MOST_NAMES = 100


class _Node(t.NamedTuple):
    """One value: what kind it is, and its content."""

    tag: int
    content: bytes


@dataclass(frozen=True)
class Certificate:
    """What a server has shown.

    All but the fingerprint is None or empty where the bytes could not be understood.
    """

    sha256: str
    subject: str | None = None
    issuer: str | None = None
    names: tuple[str, ...] = ()
    not_before: str | None = None
    not_after: str | None = None


def read_certificate(der: bytes | None) -> Certificate | None:
    """The certificate in some bytes, None for no bytes; never fails, whatever a server sends."""
    if not der:
        return None
    sha256 = hashlib.sha256(der).hexdigest()
    try:
        return _certificate(sha256, der)
    except (ValueError, IndexError):
        return Certificate(sha256)


def _certificate(sha256: str, der: bytes) -> Certificate:
    whole = _first(der)
    parts = list(_nodes(_first(whole.content).content))
    if parts[0].tag == _VERSION:
        parts = parts[1:]
    _serial, _algorithm, issuer, validity, subject = parts[:5]
    begin, end = list(_nodes(validity.content))[:2]
    return Certificate(
        sha256,
        _name(subject),
        _name(issuer),
        tuple(_alternative_names(parts[5:])),
        _time(begin),
        _time(end),
    )


def _nodes(data: bytes) -> t.Iterator[_Node]:
    """The values that stand one after the other.

    Raises ValueError or IndexError for bytes that are not DER.
    """
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= 4:
                raise ValueError("no length")
            length = int.from_bytes(data[at : at + octets], "big")
            at += octets
        if at + length > len(data):
            raise ValueError("cut")
        yield _Node(tag, data[at : at + length])
        at += length


def _first(data: bytes) -> _Node:
    for node in _nodes(data):
        return node
    raise ValueError("empty")


def _dotted(content: bytes) -> str:
    numbers: list[int] = []
    value = 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in (first, numbers[0] - 40 * first, *numbers[1:]))


def _text(node: _Node) -> str:
    text = node.content.decode("utf-16-be" if node.tag == _BMP else "utf-8", "backslashreplace")
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")
        for sign in text
    )


def _name(name: _Node) -> str:
    """A subject as one line, such as `CN=mail.hafen.example, O=Hafen`."""
    shown = []
    for part in _nodes(name.content):
        for pair in _nodes(part.content):
            kind, value = list(_nodes(pair.content))[:2]
            if kind.tag != _OID:
                raise ValueError("no name")
            number = _dotted(kind.content)
            shown.append(f"{_NAMES.get(number, number)}={_text(value)}")
    return ", ".join(shown)


def _time(node: _Node) -> str:
    """A time as `2027-01-31T12:00:00Z`. Two digits mean 1950 to 2049 (RFC 5280, 4.1.2.5.1)."""
    text = node.content.decode("ascii")
    if node.tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif node.tag != _TIME:
        raise ValueError("no time")
    parts = re.fullmatch(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})Z", text)
    if not parts:
        raise ValueError("no time")
    year, month, day, hour, minute, second = parts.groups()
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}Z"


def _alternative_names(parts: t.Iterable[_Node]) -> t.Iterator[str]:
    """The names and addresses that the certificate is for besides its subject."""
    lists = [_first(part.content) for part in parts if part.tag == _EXTENSIONS]
    for extension in (extension for node in lists for extension in _nodes(node.content)):
        kind, *rest = list(_nodes(extension.content))
        if (
            kind.tag != _OID
            or _dotted(kind.content) != _SUBJECT_ALT_NAME
            or rest[-1].tag != _OCTETS
        ):
            continue
        for number, name in enumerate(_nodes(_first(rest[-1].content).content)):
            if number >= _MOST_NAMES:
                return
            if name.tag == _DNS_NAME:
                yield _text(name)
            elif name.tag == _IP_ADDRESS and len(name.content) in (4, 16):
                yield str(ipaddress.ip_address(name.content))
