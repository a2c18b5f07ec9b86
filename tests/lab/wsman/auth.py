# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may come in, by Basic or NTLM (plain or in Negotiate), and the encryption of messages
([MS-WSMV] 2.2.9.1).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import pathlib
import re
import struct
import threading
import typing as t

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

REALM = 'Basic realm="WSMAN"'
_BOUNDARY = b"--Encrypted Boundary"
_OCTETS = b"\tContent-Type: application/octet-stream\r\n"
_PROTOCOLS = (
    "application/HTTP-SPNEGO-session-encrypted",
    "application/HTTP-Kerberos-session-encrypted",
)
# pyspnego finds the accounts that an acceptor knows by this variable only, which the whole process
# shares.
_USER_FILE = "NTLM_USER_FILE"
_user_file_lock = threading.Lock()


class BadMessage(ValueError):
    """An encrypted message that cannot be read."""


class Accounts:
    """The one account of a server. `username` may have a domain, as ``DOMAIN\\user``.

    pyspnego reads accounts from a file; `folder` gets one with the hash of the password, never the
    password.
    """

    def __init__(self, username: str, password: str, folder: pathlib.Path) -> None:
        self.username = username
        self._password = password
        nt_hash = _nt_hash(password).hex().upper()
        self._file = folder / "ntlm-accounts"
        with os.fdopen(
            os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w"
        ) as file:
            # The format of smbpasswd: user, number, LM hash (of an empty password: unused), NT
            # hash, flags, last change.
            file.write(f"{username}:1000:{'0' * 32}:{nt_hash}:[U]:LCT-00000000\n")

    def knows(self, username: str, password: str) -> bool:
        """Whether the two belong together."""
        right = hmac.compare_digest(password.encode(), self._password.encode())
        return right and username.casefold() == self.username.casefold()

    def knows_basic(self, token: bytes) -> bool:
        """The same for the text of a Basic login, in whichever encoding the client chose (RFC 7617
        leaves it open).
        """
        pairs = [
            token.decode(encoding, "replace").partition(":") for encoding in ("utf-8", "latin-1")
        ]
        return any(self.knows(username, password) for username, _colon, password in pairs)

    def step(
        self, make: t.Callable[[], t.Any], context: t.Any, token: bytes
    ) -> tuple[t.Any, bytes | None]:
        """One step of an NTLM handshake in `context`, made by `make` where None. Raises
        SpnegoError.
        """
        with _user_file_lock:
            before = os.environ.get(_USER_FILE)
            os.environ[_USER_FILE] = str(self._file)
            try:
                context = make() if context is None else context
                return context, context.step(token)
            finally:
                if before is None:
                    del os.environ[_USER_FILE]
                else:
                    os.environ[_USER_FILE] = before


def _nt_hash(password: str) -> bytes:
    # MD4 is missing from OpenSSL 3; pyspnego carries its own, and its server needs what this gives.
    from spnego._ntlm_raw.crypto import ntowfv1

    return bytes(ntowfv1(password))


class Login:
    """The login of one TCP connection, which is what NTLM authenticates."""

    def __init__(self, accounts: Accounts, channel_bindings: bytes | None) -> None:
        self._accounts = accounts
        # Over TLS the login is bound to the certificate (RFC 5929), so that it cannot be relayed.
        self._bindings = (
            GssChannelBindings(application_data=channel_bindings) if channel_bindings else None
        )
        self._context: t.Any = None
        self._complete = False
        self.challenges: list[tuple[str, str]] = []

    def refuse(self) -> None:
        """Forget what was agreed, and offer what there is."""
        self._context, self._complete = None, False
        self.challenges = [("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", REALM)]

    def accept(self, header: str | None) -> bool:
        """Whether the request with this Authorization header may be served; `challenges` are
        headers for the reply.
        """
        self.challenges = []
        if header is None:
            if not self._complete:
                self.refuse()
            return self._complete
        scheme, _space, text = header.partition(" ")
        try:
            token = base64.b64decode(text, validate=True)
        except binascii.Error:
            self.refuse()
            return False
        if scheme.lower() == "basic":
            if self._accounts.knows_basic(token):
                return True
        elif scheme.lower() in ("negotiate", "ntlm"):
            return self._negotiate(scheme, token)
        self.refuse()
        return False

    def _negotiate(self, scheme: str, token: bytes) -> bool:
        if self._complete:
            self._context, self._complete = None, False
        protocol = "ntlm" if token.startswith(b"NTLMSSP\0") else "negotiate"
        try:
            self._context, answer = self._accounts.step(
                lambda: spnego.server(protocol=protocol, channel_bindings=self._bindings),
                self._context,
                token,
            )
        except (SpnegoError, ValueError, struct.error, IndexError):
            self.refuse()
            return False
        self._complete = bool(self._context.complete)
        if answer:
            self.challenges = [
                ("WWW-Authenticate", f"{scheme} {base64.b64encode(answer).decode('ascii')}")
            ]
        elif not self._complete:
            self.refuse()
        return self._complete

    def open_message(self, content_type: str, body: bytes) -> tuple[bytes, str | None]:
        """The message in `body`, and the protocol that it was encrypted by; None where it was in
        clear.

        Raises BadMessage.
        """
        if not content_type.lower().startswith("multipart/encrypted"):
            return body, None
        protocol = re.search(r'protocol="([^"]+)"', content_type)
        if not protocol or protocol[1] not in _PROTOCOLS or not self._complete:
            raise BadMessage("The message is encrypted in a way that was not agreed.")
        # Some clients write a space after the dashes.
        parts = re.split(rb"--\s*Encrypted Boundary(?:--)?\r\n", body)
        length = re.search(rb"Length=(\d+)", parts[1]) if len(parts) >= 3 else None
        if not length or not parts[2].startswith(_OCTETS):
            raise BadMessage("The encrypted message is malformed.")
        sealed = parts[2][len(_OCTETS) :]
        # The cipher may hold what looks like a boundary: cut by the length that the message says of
        # itself.
        start = body.find(_OCTETS) + len(_OCTETS)
        (signature,) = struct.unpack("<i", sealed[:4])
        whole = body[start : start + 4 + signature + int(length[1])]
        try:
            message = self._context.unwrap_winrm(whole[4 : 4 + signature], whole[4 + signature :])
        except SpnegoError as error:
            raise BadMessage(f"The message cannot be decrypted: {error}") from None
        return bytes(message), protocol[1]

    def seal_message(self, protocol: str, message: bytes) -> tuple[str, bytes]:
        """Content type and body of the encrypted `message`."""
        header, data, padding = self._context.wrap_winrm(message)
        body = b"\r\n".join(
            [
                _BOUNDARY,
                b"\tContent-Type: " + protocol.encode(),
                b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length="
                + str(len(message) + padding).encode(),
                _BOUNDARY,
                _OCTETS + struct.pack("<i", len(header)) + header + data + _BOUNDARY + b"--\r\n",
            ]
        )
        return f'multipart/encrypted;protocol="{protocol}";boundary="Encrypted Boundary"', body
