# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token for Exchange Online, by Microsoft's own library msal: with a secret, a certificate, or
the managed identity of the host.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import types
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.errors import (
    ExchangeOnlineError,
    TokenRefused,
    Unreadable,
    plain,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.web import (
    Web,
    library,
)

GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Cloud:
    """Where tokens come from, and where the tenant is asked."""

    authority: str
    api: str


CLOUDS: t.Mapping[str, Cloud] = types.MappingProxyType(
    {
        # GCC is in the worldwide cloud.
        "worldwide": Cloud("https://login.microsoftonline.com", "https://outlook.office365.com"),
        "us_gov_high": Cloud("https://login.microsoftonline.us", "https://outlook.office365.us"),
        "us_gov_dod": Cloud("https://login.microsoftonline.us", "https://outlook-dod.office365.us"),
        # Run by 21Vianet. Its API as the Admin API's documentation has it; that its login goes
        # with it is unverified.
        "china": Cloud("https://login.partner.microsoftonline.cn", "https://outlook.office365.cn"),
    }
)


@dataclass(frozen=True)
class Login:
    """Who asks. One of `secret`, `certificate` (a file, PEM with its key, or PFX) and
    `managed_identity`; `passphrase` opens the certificate.
    """

    tenant: str
    client: str = ""
    secret: str = field(default="", repr=False)
    certificate: str = ""
    passphrase: str = field(default="", repr=False)
    managed_identity: bool = False


class Tokens:
    """Gives the token, and a new one where that is refused."""

    def __init__(self, login: Login, authority: str, api: str, web: Web) -> None:
        self._login, self._authority, self._api, self._web = login, authority, api, web
        self._token = ""

    def token(self, *, new: bool = False) -> str:
        """The token. Raises TokenRefused, NotInstalled and Unreachable."""
        if new or not self._token:
            answer = self._ask(library("msal"))
            token = answer.get("access_token")
            if not isinstance(token, str) or not token:
                raise self._refused(answer)
            self._check(token)
            self._token = token
        return self._token

    def _ask(self, msal: t.Any) -> t.Mapping[str, t.Any]:
        login = self._login
        try:
            if login.managed_identity:
                identity = (
                    msal.UserAssignedManagedIdentity(client_id=login.client)
                    if login.client
                    else msal.SystemAssignedManagedIdentity()
                )
                client = msal.ManagedIdentityClient(identity, http_client=self._web)
                return t.cast(
                    "t.Mapping[str, t.Any]",
                    client.acquire_token_for_client(resource=self._api),
                )
            app = msal.ConfidentialClientApplication(
                login.client,
                authority=f"{self._authority}/{login.tenant}",
                client_credential=self._credential(),
                # Whose authority it is was said by the description, not looked up at Microsoft.
                instance_discovery=False,
                http_client=self._web,
            )
            return t.cast(
                "t.Mapping[str, t.Any]",
                app.acquire_token_for_client(scopes=[f"{self._api}/.default"]),
            )
        except Unreadable as error:
            raise TokenRefused(f"{self._where()} gave no token: {error} {_NOTHING}") from None
        except ExchangeOnlineError:
            raise
        except Exception as error:
            # msal passes on whatever its own libraries raise about keys and answers; their texts
            # may repeat a part of a key.
            raise TokenRefused(
                f"{self._where()} gave no token, because of {type(error).__name__}"
                f"{self._about(error)}. {_NOTHING}"
            ) from None

    def _about(self, error: Exception) -> str:
        if self._login.certificate and not isinstance(error, (KeyError, TypeError)):
            return (
                f": look whether {self._login.certificate} holds the certificate and its private "
                "key, and whether certificate_passphrase is the right one"
            )
        return ""

    def _credential(self) -> t.Any:
        login = self._login
        if not login.certificate:
            return login.secret
        try:
            with open(login.certificate, "rb") as file:
                content = file.read(1 << 20)
        except OSError as error:
            raise TokenRefused(
                f"The certificate {login.certificate} cannot be read on the host that runs this "
                f"task ({error.strerror}). {_NOTHING}"
            ) from None
        if not content.lstrip().startswith(b"-----BEGIN") and b"-----BEGIN" not in content:
            return {
                "private_key_pfx_path": login.certificate,
                "passphrase": login.passphrase or None,
            }
        return {
            "private_key": content.decode("ascii", "replace"),
            "thumbprint": _thumbprint(content, login.certificate),
            **({"passphrase": login.passphrase} if login.passphrase else {}),
        }

    def _refused(self, answer: t.Mapping[str, t.Any]) -> TokenRefused:
        code = plain(answer.get("error") or "no reason")
        # The first line: behind it stand trace numbers.
        lines = str(answer.get("error_description") or "").strip().splitlines()
        text = plain(lines[0] if lines else "")
        return TokenRefused(
            f"{self._where()} gave no token ({code}){f': {text}' if text else ''}".rstrip(".")
            + f". {_NOTHING}"
        )

    def _check(self, token: str) -> None:
        """Refuse a token of another tenant or for something else, where it tells.

        Microsoft says that a client has no business in a token; what cannot be read is let
        through, since the other side judges it anyway.
        """
        claims: t.Any = None
        with contextlib.suppress(ValueError, IndexError):
            part = token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        if not isinstance(claims, dict):
            return
        tenant, audience = claims.get("tid"), claims.get("aud")
        if isinstance(tenant, str) and tenant.lower() != self._login.tenant.lower():
            raise TokenRefused(
                f"The token is for the tenant {plain(tenant)}, and this is about "
                f"{self._login.tenant}. {_NOTHING}"
            )
        fits = (self._api.lower(), _RESOURCES.get(self._api.lower(), _EXCHANGE))
        if isinstance(audience, str) and audience.lower().rstrip("/") not in fits:
            raise TokenRefused(
                f"The token is for {plain(audience)}, and not for {self._api}. {_NOTHING}"
            )

    def _where(self) -> str:
        return (
            "The managed identity of this host"
            if self._login.managed_identity
            else f"{self._authority.partition('://')[2]} (tenant {self._login.tenant})"
        )


_NOTHING = "Nothing was sent to the tenant, and nothing was changed."
# What Exchange Online and Graph are called among resources, in all tenants.
_EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"
_RESOURCES = {"https://graph.microsoft.com": "00000003-0000-0000-c000-000000000000"}


def _thumbprint(content: bytes, path: str) -> str:
    """What tells Microsoft which certificate it is: SHA-1, as it lists them."""
    library("cryptography")
    x509, hashes = library("cryptography.x509"), library("cryptography.hazmat.primitives.hashes")
    try:
        certificate = x509.load_pem_x509_certificate(content)
    except ValueError:
        raise TokenRefused(
            f"The file {path} holds no certificate beside its key. Put both into it, in PEM form. "
            f"{_NOTHING}"
        ) from None
    return t.cast("str", certificate.fingerprint(hashes.SHA1()).hex())
