# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token authority of the lab: what msal talks to as to Entra, and the managed identity
endpoints of Azure.

Known from: msal's source (discovery at `v2.0/.well-known/openid-configuration`, the token endpoint
that it names, assertions with `x5t` or `x5t#S256`, RS256 or PS256, addressed to the token endpoint,
IMDS wants `Metadata: true`, App Service wants `X-IDENTITY-HEADER`), and Microsoft's list of AADSTS
errors (7000215, 7000222, 700016, 90002, 700027, 500011, 1002012). The statuses beside them, and the
order in which they are looked at, are unverified.
"""

from __future__ import annotations

import hashlib
import time
import typing as t
import urllib.parse
import uuid
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.tests.lab.clock import Clock
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online import tokens
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.refusals import (
    Answer,
    answered,
)

EXCHANGE_APP = "00000002-0000-0ff1-ce00-000000000000"
GRAPH = "https://graph.microsoft.com"
MANAGE_AS_APP, MANAGE_AS_APP_V2 = "Exchange.ManageAsApp", "Exchange.ManageAsAppV2"
EXCHANGE_ADMINISTRATOR = "Exchange Administrator"
GLOBAL_READER, SECURITY_READER = "Global Reader", "Security Reader"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

Form = t.Mapping[str, str]


@dataclass
class App:
    """An app that is registered in the tenant. `app_roles` are what it was consented, and
    `graph_roles` the same at Graph; `directory_roles` what Entra roles it holds; `cmdlets`, where
    given, are what a custom role group of Exchange allows it, and nothing else.
    """

    client_id: str
    secret: str = ""
    secret_expired: bool = False
    certificates: list[tokens.AppCertificate] = field(default_factory=list)
    app_roles: set[str] = field(default_factory=lambda: {MANAGE_AS_APP, MANAGE_AS_APP_V2})
    directory_roles: set[str] = field(default_factory=set)
    graph_roles: set[str] = field(default_factory=set)
    cmdlets: frozenset[str] | None = None


@dataclass
class LoginFaults:
    """What goes wrong at the authority. `tenant`: its tokens say that they are of that one.
    `answer`: status and body that come instead of any.
    """

    cut_before: int = 0
    slow: float = 0.0
    tenant: str = ""
    answer: tuple[int, str] | None = None
    seen: int = 0


class Authority:
    """Gives tokens. `names`: how the tenant may be called in a URL; `url`: where this is;
    `audience`: the resource of Exchange in this cloud.
    """

    def __init__(self, tenant: str, names: t.Collection[str], audience: str, clock: Clock) -> None:
        self.tenant, self.names, self.audience, self.clock = tenant, names, audience, clock
        self.url = ""
        self.identity_url = ""
        self.identity_header = "lab-identity-header"
        self.apps: dict[str, App] = {}
        self.machine: App | None = None
        self.lifetime = 3600
        self.faults = LoginFaults()
        self.requests = 0
        self.issued: list[str] = []
        self._expired: set[str] = set()
        self.key = tokens.rsa_key("authority")
        self.kid = tokens.encoded(hashlib.sha1(b"lab-authority").digest())

    # ------------------------------------------------------------ the web

    def answer(
        self, method: str, target: str, headers: t.Mapping[str, str], body: bytes
    ) -> Answer | None:
        """One request to the login host."""
        early = self._gone_wrong()
        if early is not self:
            return t.cast("Answer | None", early)
        url = urllib.parse.urlsplit(target)
        tenant, _slash, rest = url.path.strip("/").partition("/")
        if (method, url.path) == ("GET", "/common/discovery/instance"):
            query = urllib.parse.parse_qs(url.query)
            return self._instance(query.get("authorization_endpoint", [""])[0])
        if tenant.casefold() not in {name.casefold() for name in (self.tenant, *self.names)}:
            return self._no_tenant(tenant)
        if (method, rest) == ("GET", "v2.0/.well-known/openid-configuration"):
            return answered(200, self._discovery())
        if (method, rest) == ("GET", "discovery/v2.0/keys"):
            return answered(200, self._keys())
        if (method, rest) == ("POST", "oauth2/v2.0/token"):
            pairs = urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)
            return self._token(dict(pairs))
        return answered(404, {"error": "not_found"})

    def answer_identity(
        self, method: str, target: str, headers: t.Mapping[str, str], body: bytes
    ) -> Answer | None:
        """One request to the endpoint of managed identities, which speaks plain HTTP."""
        early = self._gone_wrong()
        if early is not self:
            return t.cast("Answer | None", early)
        url = urllib.parse.urlsplit(target)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(url.query).items()}
        service = url.path == "/msi/token"
        if url.path not in ("/metadata/identity/oauth2/token", "/msi/token"):
            return answered(404, {"error": "not_found"})
        if service and headers.get("x-identity-header") != self.identity_header:
            return answered(401, {"statusCode": 401, "message": "unauthorized"})
        if not service and headers.get("metadata", "").casefold() != "true":
            text = "Required metadata header not specified"
            return answered(400, {"error": "invalid_request", "error_description": text})
        named = query.get("client_id", "")
        if self.machine is None or (named and named != self.machine.client_id):
            if service:
                return answered(400, {"statusCode": 400, "message": "No User Assigned Identity"})
            text = "Identity not found"
            return answered(400, {"error": "invalid_request", "error_description": text})
        resource = query.get("resource", "").rstrip("/")
        if resource not in (self.audience, GRAPH):
            return answered(500, {"statusCode": 500, "message": "An unexpected error occurred"})
        token, lifetime = self._issue(self.machine, resource, "2")
        until = int(self.clock.now().timestamp()) + lifetime
        return answered(
            200,
            {
                "access_token": token,
                "client_id": self.machine.client_id,
                "expires_in": str(lifetime),
                "expires_on": str(until),
                "resource": resource,
                "token_type": "Bearer",
            },
        )

    def _gone_wrong(self) -> Answer | Authority | None:
        """What a fault answers; self, where there is none."""
        self.requests += 1
        faults = self.faults
        faults.seen += 1
        if faults.cut_before == faults.seen:
            return None
        if faults.slow:
            time.sleep(faults.slow)
        if faults.answer:
            status, text = faults.answer
            return Answer(status, text.encode(), "text/html")
        return self

    # ------------------------------------------------------------ documents

    def _instance(self, asked: str) -> Answer:
        host = urllib.parse.urlsplit(self.url).netloc
        if urllib.parse.urlsplit(asked).netloc != host:
            return self._error(400, "invalid_instance", 50049, "Unknown or invalid instance.")
        tenant = urllib.parse.urlsplit(asked).path.strip("/").partition("/")[0]
        where = f"{self.url}/{tenant}/v2.0/.well-known/openid-configuration"
        return answered(
            200,
            {
                "tenant_discovery_endpoint": where,
                "api-version": "1.1",
                "metadata": [
                    {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
                ],
            },
        )

    def _discovery(self) -> dict[str, t.Any]:
        base = f"{self.url}/{self.tenant}"
        return {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "response_types_supported": ["code", "id_token", "code id_token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "tenant_region_scope": "EU",
        }

    def _keys(self) -> dict[str, t.Any]:
        numbers = self.key.public_key().public_numbers()

        def text(number: int) -> str:
            return tokens.encoded(number.to_bytes((number.bit_length() + 7) // 8, "big"))

        return {
            "keys": [
                {
                    "kty": "RSA",
                    "use": "sig",
                    "kid": self.kid,
                    "x5t": self.kid,
                    "n": text(numbers.n),
                    "e": text(numbers.e),
                }
            ]
        }

    def _error(self, status: int, error: str, code: int, text: str) -> Answer:
        trace, correlation = uuid.uuid4(), uuid.uuid4()
        stamp = self.clock.now().strftime("%Y-%m-%d %H:%M:%SZ")
        return answered(
            status,
            {
                "error": error,
                "error_description": f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: "
                f"{correlation} Timestamp: {stamp}",
                "error_codes": [code],
                "timestamp": stamp,
                "trace_id": str(trace),
                "correlation_id": str(correlation),
            },
        )

    def _no_tenant(self, tenant: str) -> Answer:
        text = (
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and "
            "are signing into the correct cloud."
        )
        return self._error(400, "invalid_tenant", 90002, text)

    # ------------------------------------------------------------ tokens

    def _token(self, form: Form) -> Answer:
        if form.get("grant_type") != "client_credentials":
            return self._error(
                400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type."
            )
        named = form.get("client_id", "")
        app = self.apps.get(named)
        if app is None:
            text = (
                f"Application with identifier '{named}' was not found in the directory. This can "
                "happen if the application has not been installed by the administrator of the "
                "tenant."
            )
            return self._error(400, "unauthorized_client", 700016, text)
        refusal, how = self._credential(app, form)
        if refusal:
            return refusal
        resource, slash, default = form.get("scope", "").rpartition("/")
        if not slash or default != ".default":
            text = f"The provided value for scope {form.get('scope')} is not valid."
            return self._error(400, "invalid_scope", 1002012, text)
        if resource not in (self.audience, GRAPH):
            text = f"The resource principal named {resource} was not found in the tenant."
            return self._error(400, "invalid_resource", 500011, text)
        token, lifetime = self._issue(app, resource, how)
        return answered(
            200,
            {
                "token_type": "Bearer",
                "expires_in": lifetime,
                "ext_expires_in": lifetime,
                "access_token": token,
            },
        )

    def _credential(self, app: App, form: Form) -> tuple[Answer | None, str]:
        if form.get("client_assertion_type") == ASSERTION:
            return self._assertion(app, form.get("client_assertion", "")), "2"
        if not form.get("client_secret"):
            text = "The request body must contain: 'client_assertion' or 'client_secret'."
            return self._error(401, "invalid_client", 7000218, text), ""
        if not app.secret or form["client_secret"] != app.secret:
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is "
                "the client secret value, not the client secret ID, for a secret added to app "
                f"'{app.client_id}'."
            )
            return self._error(401, "invalid_client", 7000215, text), ""
        if app.secret_expired:
            text = f"The provided client secret keys for app '{app.client_id}' are expired."
            return self._error(401, "invalid_client", 7000222, text), ""
        return None, "1"

    def _assertion(self, app: App, assertion: str) -> Answer | None:
        """Whether the holder of a certificate of the app wrote it, to here, not long ago."""
        try:
            header, _claims = tokens.opened(assertion)
            held = [certificate for certificate in app.certificates if certificate.named_by(header)]
            if not held:
                raise tokens.BadToken("The key was not found.")
            key = held[0].certificate.public_key()
            claims = tokens.verify(assertion, t.cast("t.Any", key), ("RS256", "PS256"))
            now = time.time()  # The app's clock is the machine's, whatever the lab's says.
            if claims.get("iss") != app.client_id or claims.get("sub") != app.client_id:
                raise tokens.BadToken("The issuer is not the app.")
            if claims.get("aud") != self._discovery()["token_endpoint"]:
                raise tokens.BadToken("It is addressed to somebody else.")
            if not float(claims.get("nbf", 0)) - 300 <= now < float(claims.get("exp", 0)) + 300:
                raise tokens.BadToken("It is not within its valid time range.")
        except tokens.BadToken as error:
            text = f"Client assertion failed signature validation. [Reason - {error}]"
            return self._error(401, "invalid_client", 700027, text)
        return None

    def _issue(self, app: App, resource: str, how: str) -> tuple[str, int]:
        now = int(self.clock.now().timestamp())
        tenant = self.faults.tenant or self.tenant
        claims = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime,
            "appid": app.client_id,
            "appidacr": how,
            "idtyp": "app",
            "oid": str(uuid.uuid5(uuid.NAMESPACE_OID, app.client_id)),
            "roles": sorted(app.app_roles if resource == self.audience else app.graph_roles),
            "sub": str(uuid.uuid5(uuid.NAMESPACE_OID, app.client_id)),
            "tid": tenant,
            "uti": tokens.encoded(uuid.uuid4().bytes),
            "ver": "1.0",
        }
        token = tokens.sign(claims, self.key, self.kid)
        self.issued.append(token)  # The tests look for it where no secret may be.
        return token, self.lifetime

    def expire(self) -> None:
        """All tokens that were given until now are too old from now on."""
        self._expired.update(self.issued)

    def holder(self, token: str, audience: str = "") -> tuple[App | None, tokens.Claims]:
        """Whose token it is, for Exchange or for another audience. Raises BadToken."""
        claims = tokens.verify(token, self.key.public_key(), ("RS256",))
        if claims.get("aud") != (audience or self.audience):
            raise tokens.BadToken("invalid_audience")
        if token in self._expired or float(claims["exp"]) <= self.clock.now().timestamp():
            raise tokens.BadToken("token_expired")
        known = [*self.apps.values(), *([self.machine] if self.machine else [])]
        holders = [app for app in known if app.client_id == claims.get("appid")]
        return (holders[0] if holders else None), claims
