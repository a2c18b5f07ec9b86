# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Web Tokens and certificates of the lab, on the library `cryptography` alone.

It is not the library that msal makes its assertions with, so the one judges the other.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import functools
import hashlib
import json
import pathlib
import typing as t
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

Claims = dict[str, t.Any]
PASSPHRASE = "lab-passphrase-of-a-key"


class BadToken(Exception):
    """Raised for what is no token, or was signed by somebody else."""


@functools.cache
def rsa_key(purpose: str) -> rsa.RSAPrivateKey:
    """A key that lives as long as the process does: making one takes long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def encoded(data: bytes) -> str:
    """Base64 for URLs, without what fills up."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The same backwards. Raises BadToken."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise BadToken("no base64") from None


def sign(claims: Claims, key: rsa.RSAPrivateKey, kid: str) -> str:
    """A token as Entra signs it (RS256)."""
    header = {"typ": "JWT", "alg": "RS256", "x5t": kid, "kid": kid}
    signed = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{encoded(signature)}"


def opened(token: str) -> tuple[Claims, Claims]:
    """Header and claims, whoever signed. Raises BadToken."""
    parts = token.split(".")
    if len(parts) != 3:
        raise BadToken("not three parts")
    try:
        header, claims = (json.loads(decoded(part)) for part in parts[:2])
    except ValueError:
        raise BadToken("no JSON") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise BadToken("no objects")
    return header, claims


def verify(token: str, key: rsa.RSAPublicKey, allowed: t.Collection[str]) -> Claims:
    """The claims of a token that the holder of `key` signed. Raises BadToken."""
    header, claims = opened(token)
    signed, _dot, signature = token.rpartition(".")
    algorithm = header.get("alg")
    if algorithm not in allowed:
        raise BadToken("algorithm")
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if algorithm == "PS256":
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    try:
        key.verify(decoded(signature), signed.encode(), scheme, hashes.SHA256())
    except InvalidSignature:
        raise BadToken("signature") from None
    return claims


@dataclass(frozen=True)
class AppCertificate:
    """A certificate that an app logs in with, and its files: certificate and key as PEM (the key
    open, and under PASSPHRASE), and both in one PFX under PASSPHRASE.
    """

    certificate: x509.Certificate
    folder: pathlib.Path

    @property
    def sha1(self) -> str:
        """The thumbprint as portals show it."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()

    @property
    def certificate_path(self) -> pathlib.Path:
        return self.folder / "app-certificate.pem"

    @property
    def key_path(self) -> pathlib.Path:
        return self.folder / "app-key.pem"

    @property
    def locked_key_path(self) -> pathlib.Path:
        return self.folder / "app-key-locked.pem"

    @property
    def pfx_path(self) -> pathlib.Path:
        return self.folder / "app.pfx"

    def named_by(self, header: Claims) -> bool:
        """Whether a header names it, by SHA-1 or SHA-256; msal fills both up with `=`."""
        named = [str(header.get(name, "")).rstrip("=") for name in ("x5t", "x5t#S256")]
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        held = (encoded(hashlib.sha1(der).digest()), encoded(hashlib.sha256(der).digest()))
        return any(pair[0] == pair[1] for pair in zip(named, held))


@functools.cache
def _pfx(key: rsa.RSAPrivateKey, certificate: x509.Certificate) -> bytes:
    lock = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    return pkcs12.serialize_key_and_certificates(b"lab", key, certificate, None, lock)


@functools.cache
def _self_signed(name: str) -> x509.Certificate:
    key = rsa_key(name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .sign(key, hashes.SHA256())
    )


def app_certificate(name: str, folder: pathlib.Path) -> AppCertificate:
    """A self-signed certificate for an app, with its files in `folder`."""
    key, certificate = rsa_key(name), _self_signed(name)
    made = AppCertificate(certificate, folder)
    made.certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    for path, lock in (
        (made.key_path, serialization.NoEncryption()),
        (
            made.locked_key_path,
            serialization.BestAvailableEncryption(PASSPHRASE.encode()),
        ),
    ):
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
        )
    made.pfx_path.touch(mode=0o600)
    made.pfx_path.write_bytes(_pfx(key, certificate))
    return made
