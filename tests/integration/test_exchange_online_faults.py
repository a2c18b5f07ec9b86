# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins, cuts, busy services and bad input: what exchange_online_lock makes of them at the lab."""

from __future__ import annotations

import fcntl
import os
import pathlib
import typing as t
import unittest.mock

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online import tenant as tenants
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online import tokens
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import OTHER_TENANT
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    Tenant,
    running,
)


@pytest.fixture
def tenant(tmp_path: pathlib.Path) -> t.Iterator[Tenant]:
    yield from running(tmp_path)


def refused(tenant: Tenant, **options: t.Any) -> str:
    """Why a lock is refused; nothing was written, and the message says so."""
    start = tenant.dump()
    result = tenant.lock(**options)
    assert (result["failed"], result["changed"]) == (True, False), result
    assert tenant.dump() == start
    assert "othing was" in result["msg"]
    return str(result["msg"])


# ---------------------------------------------------------------- who asks


@pytest.mark.parametrize("way", ["key", "locked key", "pfx"])
def test_a_certificate_logs_in(tenant: Tenant, way: str) -> None:
    held = tenant.online.certificate
    path = tenant.snapshots.parent / "app.pem"
    options: dict[str, t.Any] = {"client_secret": None, "certificate": str(path)}
    if way == "pfx":
        options["certificate"] = str(held.pfx_path)
    else:
        key = held.key_path if way == "key" else held.locked_key_path
        path.write_bytes(key.read_bytes() + held.certificate_path.read_bytes())
    if way != "key":
        options["certificate_passphrase"] = tokens.PASSPHRASE
    assert tenant.locked(**options)["state"] == "in order"


def test_a_wrong_passphrase_is_told_without_it(tenant: Tenant) -> None:
    text = refused(
        tenant,
        client_secret=None,
        certificate=str(tenant.online.certificate.pfx_path),
        certificate_passphrase="canary-of-the-key",
    )
    assert "certificate_passphrase" in text
    assert "canary-of-the-key" not in text


def test_a_certificate_without_its_key_or_a_key_without_it_is_told(tenant: Tenant) -> None:
    held = tenant.online.certificate
    for path in (held.certificate_path, held.key_path):
        text = refused(tenant, client_secret=None, certificate=str(path))
        assert str(path) in text


def test_the_managed_identity_of_the_host_logs_in(tenant: Tenant) -> None:
    variables = tenant.online.identity_environment("app_service")
    with unittest.mock.patch.dict(os.environ, variables):
        done = tenant.locked(client_id=None, client_secret=None, managed_identity=True)
    assert done["state"] == "in order"


def test_a_wrong_secret_is_told_with_microsofts_words(tenant: Tenant) -> None:
    text = refused(tenant, client_secret="canary-wrong-secret")
    assert "invalid_client" in text
    assert "canary-wrong-secret" not in text
    assert tenant.online.requests == 0


def test_a_token_of_another_tenant_goes_nowhere(tenant: Tenant) -> None:
    tenant.online.arm_login(tenant=OTHER_TENANT)
    text = refused(tenant)
    assert f"is for the tenant {OTHER_TENANT}" in text
    assert tenant.online.requests == 0


@pytest.mark.parametrize(
    ("app", "words"),
    [("without_role", "does not let this app run"), ("without_grant", "accepts no token")],
)
def test_an_app_without_rights_is_told_what_it_needs(tenant: Tenant, app: str, words: str) -> None:
    held = getattr(tenant.online, app)
    text = refused(tenant, client_id=held.client_id, client_secret=held.secret)
    assert words in text
    assert "Exchange.ManageAsApp" in text


def test_who_may_only_read_compares_and_is_refused_before_a_write(tenant: Tenant) -> None:
    reader = {
        "client_id": tenant.online.reader.client_id,
        "client_secret": tenant.online.reader.secret,
    }
    compared = tenant.locked(check=True, check_permissions=False, **reader)
    assert compared["state"] == "open"
    assert compared["changed"]
    assert tenant.info(**reader)["state"] == "open"
    tenant.online.reset_counters()
    for check in (True, False):
        text = refused(tenant, check=check, **reader)
        assert "may not run New-InboundConnector, Set-OrganizationConfig" in text
    assert tenant.online.writes == 0
    tenant.locked()
    assert tenant.locked(**reader)["state"] == "in order", "nothing to do needs no right to do it"


def test_a_token_that_is_over_is_renewed_once(tenant: Tenant) -> None:
    tenant.online.arm(unauthorized=1)
    assert tenant.locked()["state"] == "in order"
    tenant.online.arm(unauthorized=9)
    assert "accepts no token" in refused(tenant)


# ---------------------------------------------------------------- what goes wrong on the way


@pytest.mark.parametrize("header", [True, False])
def test_a_busy_service_is_waited_for(tenant: Tenant, header: bool) -> None:
    tenant.online.arm(throttle=2, retry_after=7, retry_header=header)
    assert tenant.locked()["state"] == "in order"


def test_a_service_that_stays_busy_ends_in_a_sentence(tenant: Tenant) -> None:
    tenant.online.arm(throttle=99, retry_after=50)
    assert "busy with too many requests" in refused(tenant)


def test_a_page_in_place_of_an_answer_is_told(tenant: Tenant) -> None:
    tenant.online.arm(instead=(200, "<html>Please log in to the guest network</html>"))
    refused(tenant)


@pytest.mark.parametrize("when", ["cut_before", "cut_after"])
def test_a_cut_at_every_request_can_be_finished_or_given_back(tenant: Tenant, when: str) -> None:
    start = tenant.dump()
    for number in range(1, 20):
        tenant.online.arm(**{when: number})
        result = tenant.lock()
        tenant.online.arm()
        if result["failed"]:
            assert "cannot be reached" in result["msg"]
            assert result.get("state") != "in order"
            if tenant.dump() != start:
                assert result["changed"], number
        # Whatever it was, the next run finishes it, and its snapshot gives it back.
        assert tenant.locked()["state"] == "in order"
        assert not tenant.rollback("original")["failed"]
        assert tenant.dump() == start, number
        for file in tenant.snapshots.glob("*"):
            file.unlink()
        if number > tenant.online.api.faults.seen and not result["failed"]:
            return


@pytest.mark.parametrize("when", ["cut_before", "cut_after"])
def test_a_cut_at_every_request_of_a_rollback_can_be_finished(tenant: Tenant, when: str) -> None:
    start = tenant.dump()
    for number in range(1, 20):
        tenant.locked()
        (name,) = (path.name for path in tenant.snapshots.glob("*-apply.json"))
        locked = tenant.dump()
        tenant.online.arm(**{when: number})
        result = tenant.rollback(name)
        seen = tenant.online.api.faults.seen
        tenant.online.arm()
        assert result["failed"] or tenant.dump() == start, number
        if result["failed"]:
            assert "cannot be reached" in result["msg"]
            assert result["changed"] or tenant.dump() == locked, number
        again = tenant.rollback(name)
        assert not again["failed"], again["msg"]
        assert tenant.dump() == start, number
        for file in tenant.snapshots.glob("*.json"):
            file.unlink()
        if number > seen:
            return
    raise AssertionError("The rollback never ended before its cut.")


def test_a_service_that_goes_away_leaves_a_story(tenant: Tenant) -> None:
    # Read, permissions, read again, and the first of two writes.
    tenant.online.arm(unreachable_after=4)
    result = tenant.lock()
    assert result["failed"]
    assert result["changed"]
    assert result["done"] == [result["plan"][0]]
    assert "state" not in result
    tenant.online.arm()
    back = tenant.rollback()
    assert not back["failed"]
    assert tenant.online.tenant.rows("InboundConnector") == []


def test_a_refused_write_names_what_was_done_before(tenant: Tenant) -> None:
    tenant.online.arm(fail={"Set-OrganizationConfig": ("InvalidOperationException", "Not today.")})
    result = tenant.lock()
    assert result["failed"]
    assert "Not today" in result["msg"]
    assert result["done"] == [result["plan"][0]]
    assert result["not_done"] == [result["plan"][1]]


def test_what_a_colleague_changes_in_between_is_not_written_over(tenant: Tenant) -> None:
    # The third request reads again, before the first write.
    tenant.online.arm(colleague={3: lambda: tenant.online.tenant.inbound("Somebody's") and None})
    result = tenant.lock()
    assert result["failed"]
    assert "have been changed since they were read" in result["msg"]
    assert tenant.online.writes == 0
    assert list(tenant.snapshots.glob("*.json")) == []


def test_while_another_run_writes_nothing_is_written(tenant: Tenant) -> None:
    tenant.locked(check=True)
    tenant.snapshots.mkdir()
    path = tenant.snapshots / f"0-writing-{tenant.online.tenant.id}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = refused(tenant)
        assert "Another run is writing to the tenant" in text
        assert tenant.lock(check=True)["state"] == "open", "who only looks waits for nobody"
    assert tenant.locked()["state"] == "in order"
    assert tenant.info()["snapshots"][0]["state"] == "usable"
    path.unlink()
    path.symlink_to("elsewhere")
    locked = tenant.dump()
    assert "cannot be opened" in tenant.rollback()["msg"]
    assert tenant.dump() == locked


def test_writes_that_change_nothing_are_no_success(tenant: Tenant) -> None:
    tenant.online.tenant.ignores_writes = True
    result = tenant.lock()
    assert result["failed"]
    assert "not all of them can be seen" in result["msg"]


def test_a_setting_that_comes_compressed_is_written(tenant: Tenant) -> None:
    tenant.online.arm(compressed=True)
    assert tenant.locked()["state"] == "in order"


def test_a_tenant_that_may_have_no_connectors_is_told(tenant: Tenant) -> None:
    tenant.online.tenant.subscription = tenants.E5_DEVELOPER
    result = tenant.lock()
    assert result["failed"]
    assert "by a transport rule" in result["msg"]


def test_an_answer_of_several_pages_is_whole_or_refused(tenant: Tenant) -> None:
    for number in range(5):
        tenant.online.tenant.inbound(f"Partner {number}", SenderDomains=["smtp:a.example;1"])
    tenant.online.api.page = 2
    text = refused(tenant)
    assert "a part of Get-InboundConnector only" in text
    tenant.online.api.links_work = True
    assert tenant.locked()["state"] == "in order"


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tenant_id": "hafen.onmicrosoft.com"}, "is no GUID"),
        ({"client_id": "mailedge"}, "client_id, the GUID of the app"),
        ({"client_secret": None}, "One of client_secret, certificate and managed_identity"),
        ({"managed_identity": True}, "client_secret and managed_identity are named"),
        ({"client_secret": "a b\n"}, "a line break"),
        ({"api_url": "http://127.0.0.1:1"}, "has to be https://"),
        ({"authority_url": "login.example"}, "has to be https://"),
        ({"ca_path": "/nowhere/ca.pem"}, "There is no ca_path"),
        ({"certificate": "/nowhere/app.pem", "client_secret": None}, "There is no certificate"),
        ({"timeout": 0}, "must be between 1 and 86400"),
        ({"run_id": "a b"}, "letters and digits"),
        ({"snapshot": "yesterday"}, "is not the name of a snapshot"),
        ({"name": " "}, "is no name"),
        ({"provider_ranges": ["256.1.1.1"]}, "256.1.1.1"),
        ({"on_premises_ranges": ["0.0.0.0/1"]}, "Name the networks alone"),
        ({"provider_certificate": None}, "Nothing says who the filtering provider is"),
        ({"method": "rule"}, "provider_ranges names none"),
        ({"enhanced_filtering": "provider_ranges"}, "provider_ranges names none"),
        ({"accept_risks": ["mx_her"]}, "no guard"),
        ({"timeout": "soon"}, "timeout"),
        ({"method": "wall"}, "method"),
    ],
)
def test_bad_input_ends_in_a_sentence(
    tenant: Tenant, options: dict[str, t.Any], words: str
) -> None:
    start = tenant.dump()
    result = tenant.lock(**options)
    assert result["failed"]
    assert words in result["msg"]
    assert tenant.dump() == start


def test_nobody_at_the_address_is_told_in_time(tenant: Tenant) -> None:
    for option in ("api_url", "authority_url"):
        assert "cannot be reached" in refused(tenant, **{option: "https://127.0.0.1:9"})


def test_a_certificate_that_nobody_trusts_gets_no_secret(tenant: Tenant) -> None:
    assert "cannot be trusted" in refused(tenant, ca_path=None)
    assert tenant.online.logins == 0


def test_without_msal_a_sentence_says_what_to_install(tenant: Tenant) -> None:
    with unittest.mock.patch.dict("sys.modules", {"msal": None}):
        assert "requirements-exchange-online.txt" in refused(tenant)


def test_no_secret_and_no_token_is_in_any_result(tenant: Tenant) -> None:
    results = [tenant.lock(check=True, diff=True), tenant.lock(), tenant.info()]
    for faults in ({"unauthorized": 9}, {"cut_after": 1}, {"throttle": 99, "retry_after": 99}):
        tenant.online.arm(**faults)
        results.append(tenant.lock())
    tenant.online.arm()
    results.append(tenant.rollback())
    secrets = [tenant.online.writer.secret, *tenant.online.authority.issued]
    assert len(secrets) > 3
    files = [path.read_text(encoding="utf-8") for path in tenant.snapshots.glob("*")]
    for text in [*map(str, results), *files]:
        assert [secret for secret in secrets if secret in text] == []
