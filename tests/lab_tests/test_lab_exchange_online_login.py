# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's token authority, asked by the real msal (facts exchange_online §1.7), and who gets into
the Admin API with what it gives (proof_and_cloud §3.2).
"""

from __future__ import annotations

import typing as t

import msal
import pytest
import requests

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online import tokens
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import (
    OTHER_TENANT,
    ExchangeOnline,
)
from ansible_collections.mailedge.lockdown.tests.support.exchange_online import (
    ask,
    invoke,
    log_in,
    token_of,
)


@pytest.fixture
def online() -> t.Iterator[ExchangeOnline]:
    with ExchangeOnline() as running:
        yield running


def status(online: ExchangeOnline, token: str, cmdlet: str = "Get-InboundConnector") -> int:
    return ask(online, invoke(online, cmdlet), token=token).status


def test_a_secret_gives_a_token_for_exchange(online: ExchangeOnline) -> None:
    given = log_in(online, online.writer, online.writer.secret)
    header, claims = tokens.opened(given["access_token"])
    assert given["expires_in"] == 3600
    assert header["alg"] == "RS256"
    assert (claims["aud"], claims["tid"]) == (online.audience, online.tenant.id)
    assert claims["roles"] == ["Exchange.ManageAsApp", "Exchange.ManageAsAppV2"]
    assert status(online, given["access_token"]) == 200


def test_the_tenant_may_be_named_by_a_domain(online: ExchangeOnline) -> None:
    given = log_in(online, online.writer, online.writer.secret, tenant="hafen.example")
    assert tokens.opened(given["access_token"])[1]["tid"] == online.tenant.id


def credentials(online: ExchangeOnline) -> dict[str, dict[str, t.Any]]:
    """The forms in which msal takes a certificate."""
    held = online.certificate
    public = held.certificate_path.read_text()
    return {
        "thumbprint (RS256, SHA-1)": {
            "private_key": held.key_path.read_text(),
            "thumbprint": held.sha1,
        },
        "public certificate (PS256, SHA-256)": {
            "private_key": held.key_path.read_text(),
            "public_certificate": public,
        },
        "locked key": {
            "private_key": held.locked_key_path.read_text(),
            "passphrase": tokens.PASSPHRASE,
            "thumbprint": held.sha1,
        },
        "pfx": {"private_key_pfx_path": str(held.pfx_path), "passphrase": tokens.PASSPHRASE},
    }


def test_a_certificate_gives_a_token(online: ExchangeOnline) -> None:
    for form, credential in credentials(online).items():
        given = log_in(online, online.writer, credential)
        assert "access_token" in given, (form, given)
        assert tokens.opened(given["access_token"])[1]["appidacr"] == "2"


def test_a_certificate_that_the_app_does_not_have_is_refused(online: ExchangeOnline) -> None:
    credential = credentials(online)["pfx"]
    assert 700027 in log_in(online, online.reader, credential)["error_codes"]
    online.writer.certificates.clear()
    assert 700027 in log_in(online, online.writer, credential)["error_codes"]


def test_an_assertion_signed_by_another_key_is_refused(online: ExchangeOnline) -> None:
    credential = dict(credentials(online)["thumbprint (RS256, SHA-1)"])
    other = tokens.app_certificate("somebody-else", online.folder)
    credential["private_key"] = other.key_path.read_text()
    assert 700027 in log_in(online, online.writer, credential)["error_codes"]


def test_wrong_secrets_apps_tenants_and_resources_are_told_apart(online: ExchangeOnline) -> None:
    assert log_in(online, online.writer, "wrong")["error_codes"] == [7000215]
    online.writer.secret_expired = True
    assert log_in(online, online.writer, online.writer.secret)["error_codes"] == [7000222]
    online.writer.secret_expired = False
    online.authority.apps.pop(online.reader.client_id)
    assert log_in(online, online.reader, online.reader.secret)["error_codes"] == [700016]
    wrong = log_in(
        online, online.writer, online.writer.secret, scope="https://else.example/.default"
    )
    assert wrong["error_codes"] == [500011]
    wrong = log_in(online, online.writer, online.writer.secret, scope=f"{online.audience}/x")
    assert wrong["error_codes"] == [1002012]
    with pytest.raises(ValueError, match="double check your tenant"):
        log_in(online, online.writer, online.writer.secret, tenant=OTHER_TENANT)


def test_msal_does_not_trust_another_certificate_authority(online: ExchangeOnline) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        log_in(online, online.writer, online.writer.secret, verify=True)


@pytest.mark.parametrize("service", ["vm", "app_service"])
def test_a_managed_identity_gives_a_token(
    online: ExchangeOnline, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in online.identity_environment(service).items():
        monkeypatch.setenv(name, value)

    def client(identity: t.Any) -> dict[str, t.Any]:
        with requests.Session() as session:
            asking = msal.ManagedIdentityClient(identity, http_client=session)
            given = asking.acquire_token_for_client(resource=online.audience)
        return t.cast("dict[str, t.Any]", given)

    given = client(msal.SystemAssignedManagedIdentity())
    assert status(online, given["access_token"], "Set-OrganizationConfig") == 200
    machine = online.authority.machine
    assert machine is not None
    assert "access_token" in client(msal.UserAssignedManagedIdentity(client_id=machine.client_id))
    assert "error" in client(msal.UserAssignedManagedIdentity(client_id="another"))
    online.authority.machine = None
    assert "error" in client(msal.SystemAssignedManagedIdentity())


def test_grant_and_role_are_two_things(online: ExchangeOnline) -> None:
    """proof_and_cloud §3.2: neither 401, the app role alone 403, both 200; 403 is NUL bytes."""
    assert status(online, token_of(online, online.without_grant)) == 401
    refused = ask(online, invoke(online, "Get-InboundConnector"), app=online.without_role)
    assert (refused.status, set(refused.body)) == (403, {0})
    assert status(online, token_of(online, online.reader)) == 200
    for cmdlet in ("Set-OrganizationConfig", "Get-Nothing"):
        refused = ask(online, invoke(online, cmdlet), app=online.reader)
        assert (refused.status, set(refused.body)) == (403, {0})
    online.reader.cmdlets = frozenset({"Get-TransportRule"})
    assert status(online, token_of(online, online.reader)) == 403
    assert status(online, token_of(online, online.reader), "Get-TransportRule") == 200


def test_tokens_of_others_open_nothing(online: ExchangeOnline) -> None:
    graph = log_in(
        online, online.writer, online.writer.secret, scope="https://graph.microsoft.com/.default"
    )
    assert status(online, graph["access_token"]) == 401
    online.arm_login(tenant=OTHER_TENANT)
    assert status(online, token_of(online, online.writer)) == 401
    online.arm_login()
    good = token_of(online, online.writer)
    assert status(online, good) == 200
    head, _dot, signature = good.rpartition(".")
    for forged in ("", "x", f"{head}.", f"{head}.{signature[:-4]}AAAA", good[1:]):
        assert status(online, forged) == 401
    with ExchangeOnline("birke-lab", ["birke.example"]) as other:
        assert status(online, token_of(other, other.writer)) == 401


def test_a_token_of_another_cloud_opens_nothing(online: ExchangeOnline) -> None:
    token = token_of(online, online.writer)
    assert status(online, token) == 200
    online.authority.audience = "https://outlook.office365.us"
    assert status(online, token) == 401


def test_a_token_ends_by_time_and_on_demand(online: ExchangeOnline) -> None:
    token = token_of(online, online.writer)
    online.clock.advance(3590)
    assert status(online, token) == 200
    online.clock.advance(20)
    assert status(online, token) == 401
    second = token_of(online, online.writer)
    assert status(online, second) == 200
    online.expire_tokens()
    assert status(online, second) == 401
    assert status(online, token_of(online, online.writer)) == 200


def test_the_authority_goes_wrong_on_demand(online: ExchangeOnline) -> None:
    online.reset_counters()
    online.arm_login(cut_before=2)
    with pytest.raises(requests.exceptions.ConnectionError):
        log_in(online, online.writer, online.writer.secret)
    assert online.logins == 2
    online.arm_login(answer=(502, "<html>bad gateway</html>"))
    with pytest.raises(msal.exceptions.MsalServiceError, match="502"):
        log_in(online, online.writer, online.writer.secret)
    online.arm_login()
    assert "access_token" in log_in(online, online.writer, online.writer.secret)


def test_another_cloud_has_another_audience() -> None:
    with ExchangeOnline(audience="https://outlook.office365.us") as online:
        assert status(online, token_of(online, online.writer)) == 200
        wrong = log_in(
            online,
            online.writer,
            online.writer.secret,
            scope="https://outlook.office365.com/.default",
        )
        assert wrong["error_codes"] == [500011]
