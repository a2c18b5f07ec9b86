# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests a block is about."""

from __future__ import annotations

import re

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.patterns import (
    below,
    blocked_path,
    check_path,
    path_pattern,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError


def refused(cooked: str, sent: str, path: str = "/ecp") -> bool:
    return bool(re.search(path_pattern(path), f"{cooked} as-sent:{sent}", re.IGNORECASE))


@pytest.mark.parametrize(
    "cooked",
    [
        "ecp",
        "ecp/",
        "ECP/default.aspx",
        "/ecp/",
        "//ecp",
        "ecp.",
        "ecp. /x",
        "ecp;x=1",
        "ecp /",
        "\\ecp\\x",
    ],
)
def test_a_path_is_met_however_it_is_spelled(cooked: str) -> None:
    assert refused(cooked, "/something/else")
    assert refused("something/else", f"/{cooked}")
    assert refused("", f"/{cooked}?query")


@pytest.mark.parametrize(
    "cooked", ["", "owa/", "ecpx", "owa/ecp", "xecp/", "owa/auth/ecp.aspx", "e/cp"]
)
def test_another_path_is_not(cooked: str) -> None:
    assert not refused(cooked, f"/{cooked}")


def test_a_query_that_names_the_path_is_no_request_for_it() -> None:
    assert not refused(
        "owa/auth.aspx", "/owa/auth.aspx?url=https://mail.example.test/ecp/&title=our ecp plan"
    )


def test_a_path_within_a_directory_takes_slashes_as_they_come() -> None:
    assert refused("EWS//mrsproxy.svc", "/", "/EWS/mrsproxy.svc")
    assert refused("ews/MRSProxy.svc/mrs", "/", "/EWS/mrsproxy.svc")
    assert not refused("EWS/exchange.asmx", "/EWS/exchange.asmx", "/EWS/mrsproxy.svc")
    assert not refused("EWS/mrsproxyxsvc", "/", "/EWS/mrsproxy.svc")


@pytest.mark.parametrize(
    "path", ["/ecp", "/EWS/mrsproxy.svc", "/Microsoft-Server-ActiveSync", "/owa/15.2.986.5"]
)
def test_the_path_is_read_back_from_its_pattern(path: str) -> None:
    assert blocked_path(path_pattern(path)) == path


@pytest.mark.parametrize(
    "pattern", ["^ecp", ".*", path_pattern("/ecp")[:-1], path_pattern("/ecp").replace("ecp", "e.p")]
)
def test_another_pattern_is_nobodys_path(pattern: str) -> None:
    assert blocked_path(pattern) is None


def test_a_path_is_compared_with_one_slash_before_and_none_behind() -> None:
    assert check_path(" /ecp/ ") == "/ecp"


@pytest.mark.parametrize(
    "path",
    [
        "ecp",
        "/ecp(.*)",
        "/ecp*",
        "/e%63p",
        "/ecp?x",
        "/a/../b",
        "/./x",
        "/a//b",
        "\\ecp",
        "/ecp.",
        "/" + "a" * 300,
        "/ä",
    ],
)
def test_what_is_no_plain_path_is_refused_in_a_sentence(path: str) -> None:
    with pytest.raises(PlanError, match="cannot be blocked.*Nothing was changed"):
        check_path(path)


@pytest.mark.parametrize("path", ["", "/", " ", "//"])
def test_the_whole_site_is_no_path(path: str) -> None:
    with pytest.raises(PlanError, match="is the whole site"):
        check_path(path)


def test_paths_are_compared_without_case_and_by_whole_names() -> None:
    assert below("/OWA/Calendar", "/owa")
    assert below("/owa", "/owa")
    assert below("/owa", "")
    assert not below("/owax", "/owa")
    assert not below("/owa", "/owa/Calendar")
