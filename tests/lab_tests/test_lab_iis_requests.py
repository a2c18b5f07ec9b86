# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets what of the lab's IIS: canonical paths, Request Filtering, rewrite rules of every level,
IP restrictions.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.patterns import (
    BrokenPattern,
    matcher,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.urls import BadUrl, cooked

STRANGER, COLLEAGUE = "203.0.113.5", "10.1.2.3"
ECP = r"^/*ecp(?:[/.;\s]|$)"
FROM_INSIDE = r'<add input="{REMOTE_ADDR}" pattern="^10\." negate="true" />'
DENY = '<action type="CustomResponse" statusCode="403" />'


@pytest.fixture
def iis() -> Iis:
    return Iis("2019", ip_restrictions=True)


def rule(name: str, url: str, action: str = DENY, conditions: str = "", more: str = "") -> str:
    within = f"<conditions>{conditions}</conditions>" if conditions else ""
    return f'<rule name="{name}" {more}><match url="{url}" />{within}{action}</rule>'


def rules(*texts: str) -> str:
    return (
        f"<system.webServer><rewrite><rules>{''.join(texts)}</rules></rewrite></system.webServer>"
    )


def addresses(inner: str, attributes: str = "") -> str:
    section = f"<ipSecurity {attributes}>{inner}</ipSecurity>"
    return f"<system.webServer><security>{section}</security></system.webServer>"


def answers(iis: Iis, path: str, **more: t.Any) -> tuple[str, str]:
    """What a stranger and somebody from inside get."""
    return str(iis.request(path, STRANGER, **more)), str(iis.request(path, COLLEAGUE, **more))


BLOCK = rule("ours", ECP, conditions=FROM_INSIDE, more='stopProcessing="true"')


# --- HTTP.sys -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("/", "/"),
        ("/owa/../ecp/", "/ecp/"),
        ("/owa/..", "/"),
        ("/./ecp/.", "/ecp/"),
        ("/%65cp", "/ecp"),
        ("/owa%2f..%2fecp", "/ecp"),
        ("/owa\\..\\ecp", "/ecp"),
        ("/owa%5c..%5cecp", "/ecp"),
        ("//ecp", "//ecp"),
        ("/%u0065cp", "/ecp"),
        ("/%C3%A9", "/é"),
        ("/%E9", "/é"),
        ("/%2565cp", "/%65cp"),
        ("/ecp%20", "/ecp "),
        ("https://mail.example.test/ecp", "/ecp"),
        ("https://mail.example.test", "/"),
    ],
)
def test_canonical_paths(sent: str, seen: str) -> None:
    assert cooked(sent) == seen


@pytest.mark.parametrize(
    "sent", ["/..", "/owa/../../ecp", "/%", "/%zz", "/a%00b", "/a b", "ecp", "*"]
)
def test_paths_that_never_reach_iis(iis: Iis, sent: str) -> None:
    with pytest.raises(BadUrl):
        cooked(sent)
    assert str(iis.request(sent, STRANGER)) == "400"


# --- Request Filtering ----------------------------------------------------------------------------


def test_double_escaping(iis: Iis) -> None:
    assert answers(iis, "/%2565cp/") == ("404.11", "404.11")
    assert answers(iis, "/owa/a+b") == ("404.11", "404.11")
    assert answers(iis, "/owa/?a=%2565") == ("302", "302")
    allow = (
        '<system.webServer><security><requestFiltering allowDoubleEscaping="true" '
        "/></security></system.webServer>"
    )
    iis.add_location(
        "Default Web Site/owa", allow.replace("</system", "<x /></system").replace("<x />", "")
    )
    assert answers(iis, "/owa/%2565cp/") == ("302", "302")
    assert answers(iis, "/%2565cp/") == ("404.11", "404.11")


def test_what_else_is_filtered(iis: Iis) -> None:
    filtering = (
        '<verbs><add verb="TRACE" allowed="false" /></verbs><denyUrlSequences><add sequence=".." '
        '/></denyUrlSequences><requestLimits maxUrl="50" maxQueryString="20" />'
    )
    section = f'<requestFiltering allowHighBitCharacters="false">{filtering}</requestFiltering>'
    iis.add_location(
        "Default Web Site", f"<system.webServer><security>{section}</security></system.webServer>"
    )
    told = {
        "/owa/": "302",
        "/owa/a..b": "404.5",
        "/web.config": "404.8",
        "/owa/BIN/x": "404.8",
        "/owa/x.CS": "404.7",
        "/owa/%C3%A9": "404.12",
        "/owa/" + "x" * 50: "404.14",
        "/owa/?" + "x" * 21: "404.15",
    }
    assert {path: str(iis.request(path, STRANGER)) for path in told} == told
    assert str(iis.request("/owa/", STRANGER, method="TRACE")) == "404.6"
    # Without its module nothing of it is enforced.
    iis.replace('<add name="RequestFilteringModule" lockItem="true" />', "")
    assert str(iis.request("/owa/a..b", STRANGER)) == "302"


# --- rules ----------------------------------------------------------------------------------------

SMUGGLED = (
    "/ecp",
    "/ECP/",
    "/ecp?x=1",
    "/%65cp/",
    "/owa/..%2fecp/",
    "//ecp/",
    "/ecp.",
    "/ecp./",
    "/ecp;x/",
    "/ecp%20/",
    "/ecp%09",
    "/.//ecp/default.aspx",
)


@pytest.mark.parametrize("path", SMUGGLED)
def test_what_a_site_rule_stops(iis: Iis, path: str) -> None:
    if "%09" in path:
        assert answers(iis, path) == ("400", "400")
        return
    assert answers(iis, path) == ("302", "302")
    iis.add_location("Default Web Site", rules(BLOCK))
    assert answers(iis, path) == ("403", "302")
    assert answers(iis, path, port=444) in (("302", "302"), ("404", "404")), (
        "another site has rules of its own"
    )


@pytest.mark.parametrize("path", SMUGGLED)
def test_a_narrow_pattern_is_gone_round(iis: Iis, path: str) -> None:
    """The lab sees the way round a pattern that a guide on the web would have written."""
    iis.add_location("Default Web Site", rules(rule("narrow", "^ecp/", conditions=FROM_INSIDE)))
    told = str(iis.request(path, STRANGER))
    assert told == (
        "403"
        if path in ("/ECP/", "/%65cp/", "/owa/..%2fecp/")
        else "400"
        if "%09" in path
        else "302"
    )


def test_levels_see_paths_of_their_own(iis: Iis) -> None:
    iis.add_location("Default Web Site/owa", rules(rule("owa", "^auth/")))
    assert [
        str(iis.request(path, STRANGER)) for path in ("/owa/auth/x", "/auth/x", "//owa;a/auth/x")
    ] == [
        "403",
        "404",
        "403",
    ]


def test_order_and_stop(iis: Iis) -> None:
    let = rule("let", "^ecp", '<action type="None" />', more='stopProcessing="true"')
    go_on = rule("go on", "^ecp", '<action type="None" />')
    iis.add_location("Default Web Site", rules(go_on, BLOCK))
    assert answers(iis, "/ecp/") == ("403", "302")
    iis.replace(go_on, let)
    assert answers(iis, "/ecp/") == ("302", "302")
    iis.replace(let, let.replace('name="let"', 'name="let" enabled="false"'))
    assert answers(iis, "/ecp/") == ("403", "302")


@pytest.mark.parametrize(
    ("inner", "told"),
    [
        ("<clear />", "302"),
        ('<remove name="OURS" />', "302"),
        (rule("first", ".*", '<action type="None" />', more='stopProcessing="true"'), "403"),
        (rule("ours", "x"), "500.19"),
        ("", "403"),
    ],
)
def test_what_a_virtual_directory_makes_of_it(iis: Iis, inner: str, told: str) -> None:
    iis.add_location("Default Web Site", rules(BLOCK))
    iis.put_web_config("/ecp", rules(inner))
    assert str(iis.request("/ecp/x", STRANGER)) == told
    assert str(iis.request("/ecp/x", COLLEAGUE)) == ("500.19" if told == "500.19" else "302")


def test_rules_that_applications_do_not_inherit(iis: Iis) -> None:
    iis.add_location("Default Web Site", rules(BLOCK), 'inheritInChildApplications="false"')
    assert answers(iis, "/ecp/") == ("302", "302")


def test_global_rules_come_first(iis: Iis) -> None:
    text = rule(
        "global", "^owa/secret", '<action type="AbortRequest" />', more='stopProcessing="true"'
    )
    before = '<security>\r\n            <access sslFlags="None" />'
    iis.replace(before, f"<rewrite><globalRules>{text}</globalRules></rewrite>{before}")
    iis.put_web_config("/owa", rules("<clear />"))
    assert str(iis.request("/owa/secret", STRANGER)) == "aborted"
    assert str(iis.request("/owa/", STRANGER)) == "302"


@pytest.mark.parametrize("pattern", ["^(ecp", "[a", "a{2,1}", "*x", "(?<=x)ecp", "(?i)ecp", "a**"])
def test_a_broken_pattern_is_taken_and_breaks_everything(iis: Iis, pattern: str) -> None:
    iis.add_location("Default Web Site", rules(rule("broken", pattern.replace("<", "&lt;"))))
    assert answers(iis, "/owa/") == ("500.50", "500.50")
    assert answers(iis, "/nothing") == ("500.50", "500.50")
    iis.replace('name="broken"', 'name="broken" enabled="false"')
    assert answers(iis, "/owa/") == ("302", "302")
    with pytest.raises(BrokenPattern):
        matcher("ECMAScript", pattern, True)


@pytest.mark.parametrize(
    ("action", "status", "location"),
    [
        ('<action type="CustomResponse" statusCode="404" subStatusCode="7" />', "404.7", ""),
        ('<action type="AbortRequest" />', "aborted", ""),
        (
            '<action type="Redirect" url="https://{HTTP_HOST}/owa/{R:1}" redirectType="Found" />',
            "302",
            "https://mail.example.test/owa/x?q=1",
        ),
        (
            '<action type="Redirect" url="/owa/{ToLower:{R:1}}" appendQueryString="false" />',
            "301",
            "/owa/x",
        ),
        ('<action type="Rewrite" url="owa/{R:1}" />', "302", "/owa/auth/logon.aspx"),
        ('<action type="Rewrite" url="/nothing" />', "404", ""),
        ('<action type="Rewrite" url="http://192.0.2.1/{R:0}" />', "404.4", ""),
        ('<action type="None" />', "302", "/owa/auth/logon.aspx"),
    ],
)
def test_actions(iis: Iis, action: str, status: str, location: str) -> None:
    iis.add_location("Default Web Site", rules(rule("one", "^ecp/(.*)", action)))
    told = iis.request("/ecp/x?q=1", STRANGER)
    assert (str(told), told.location) == (status, location)


def test_a_rewritten_path_meets_the_rules_behind(iis: Iis) -> None:
    """What leads to a directory under another name is stopped only by a rule that comes after."""
    lead = rule("lead", "^panel$", '<action type="Rewrite" url="ecp/" />')
    iis.add_location("Default Web Site", rules(lead, BLOCK))
    assert answers(iis, "/panel") == ("403", "302")
    iis.replace(lead, "")
    iis.replace("</rules>", f"{lead}</rules>")
    assert answers(iis, "/panel") == ("302", "302")
    assert iis.request("/panel", STRANGER).directory == "ecp"


@pytest.mark.parametrize(
    ("conditions", "grouping", "told"),
    [
        ('<add input="{REMOTE_ADDR}" pattern="^203\\." />', "MatchAll", "403"),
        ('<add input="{REMOTE_ADDR}" pattern="^203\\." negate="true" />', "MatchAll", "302"),
        (
            '<add input="{REMOTE_ADDR}" pattern="^203\\." /><add input="{HTTPS}" pattern="off" />',
            "MatchAll",
            "302",
        ),
        (
            '<add input="{HTTPS}" pattern="off" /><add input="{REMOTE_ADDR}" pattern="^203\\." />',
            "MatchAny",
            "403",
        ),
        ('<add input="{HTTPS}" pattern="^ON$" ignoreCase="false" />', "MatchAll", "302"),
        ('<add input="{HTTPS}" pattern="^ON$" />', "MatchAll", "403"),
        ('<add input="{UNENCODED_URL}" pattern="^/%65cp" />', "MatchAll", "403"),
        ('<add input="{URL}" pattern="^/ecp/x$" />', "MatchAll", "403"),
        ('<add input="{UrlDecode:{REQUEST_URI}}" pattern="^/ecp/x\\?a=b$" />', "MatchAll", "403"),
        ('<add input="{HTTP_X_FORWARDED_FOR}" pattern="^10\\." />', "MatchAll", "403"),
        ('<add input="{QUERY_STRING}" pattern="a=b" />', "MatchAll", "403"),
        ('<add input="{NO_SUCH}" pattern="^$" />', "MatchAll", "403"),
        ('<add input="{C:1}" pattern="." />', "MatchAll", "302"),
        (
            '<add input="{URL}" pattern="^/(e)cp" /><add input="{C:1}" pattern="^e$" />',
            "MatchAll",
            "403",
        ),
        ('<add input="{map:EWS}" pattern="^yes$" />', "MatchAll", "302"),
        ('<add input="{map:{HTTPS}}" pattern="^secure$" />', "MatchAll", "403"),
        ('<add input="{nosuch:a}" pattern="x" />', "MatchAll", "500.50"),
        ('<add input="{URL" pattern="x" />', "MatchAll", "500.50"),
        ('<add input="C:\\inetpub\\wwwroot\\web.config" matchType="IsFile" />', "MatchAll", "403"),
        ('<add input="C:\\inetpub\\wwwroot" matchType="IsFile" />', "MatchAll", "302"),
        ('<add input="C:\\inetpub\\wwwroot" matchType="IsDirectory" />', "MatchAll", "403"),
    ],
)
def test_conditions(iis: Iis, conditions: str, grouping: str, told: str) -> None:
    maps = (
        '<rewriteMaps><rewriteMap name="map"><add key="on" value="secure" '
        "/></rewriteMap></rewriteMaps>"
    )
    text = rules(rule("one", "^ecp", conditions=conditions)).replace(
        "<conditions>", f'<conditions logicalGrouping="{grouping}">'
    )
    iis.add_location("Default Web Site", text.replace("<rules>", f"{maps}<rules>"))
    headers = {"X-Forwarded-For": "10.0.0.1"}
    assert str(iis.request("/%65cp/x?a=b", STRANGER, headers=headers)) == told


@pytest.mark.parametrize(
    ("syntax", "pattern", "text", "groups"),
    [
        ("Wildcard", "*ecp/*", "a/ECP/b", ("a/ECP/b", "a/", "b")),
        ("Wildcard", "ecp", "ecp/", None),
        ("Wildcard", "*", "", ("", "")),
        ("ExactMatch", "ecp/.*", "ecp/.*", ("ecp/.*",)),
        ("ExactMatch", "ecp", "ecpx", None),
        ("ECMAScript", "ecp", "my/ecp/", ("ecp",)),
        ("ECMAScript", "(a)|(b)", "b", ("b", "", "b")),
        ("ECMAScript", "^ecp$", "ecp\n", None),
        ("ECMAScript", "^a.b$", "a\rb", None),
        ("ECMAScript", r"^\d$", "\u0665", None),
        ("ECMAScript", r"^\w$", "é", None),
        ("ECMAScript", r"^\s$", "\u00a0", ("\u00a0",)),
        ("ECMAScript", r"^[\s]$", "\u2028", ("\u2028",)),
        ("ECMAScript", r"^\x41\u0042\/\-$", "AB/-", ("AB/-",)),
        ("ECMAScript", r"^k$", "\u212a", None),
        ("ECMAScript", r"^[[&]+$", "[&", ("[&",)),
        ("ECMAScript", "(?=.*autodiscover)(?=.*powershell)", "/autodiscover/x?powershell", ("",)),
    ],
)
def test_patterns(syntax: str, pattern: str, text: str, groups: tuple[str, ...] | None) -> None:
    match = matcher(syntax, pattern, True)(text)
    assert (match.groups if match else None) == groups


def test_case_counts_where_it_is_asked_for() -> None:
    for syntax in ("Wildcard", "ExactMatch", "ECMAScript"):
        assert matcher(syntax, "ecp", False)("ECP") is None
        assert matcher(syntax, "ecp", True)("ECP") is not None


def test_a_server_variable_that_nobody_allowed(iis: Iis) -> None:
    variables = '<serverVariables><set name="HTTP_X" value="1" /></serverVariables>'
    iis.add_location(
        "Default Web Site", rules(rule("one", "^ecp", f'{variables}<action type="None" />'))
    )
    assert answers(iis, "/ecp/") == ("500.50", "500.50")
    assert answers(iis, "/owa/") == ("302", "302")
    allowed = '<allowedServerVariables><add name="http_x" /></allowedServerVariables>'
    iis.add_location("", rules().replace("<rules></rules>", allowed))
    assert answers(iis, "/ecp/") == ("302", "302")


# --- IP restrictions ------------------------------------------------------------------------------

LIST = (
    '<add ipAddress="127.0.0.1" allowed="true" /><add ipAddress="10.0.0.0" '
    'subnetMask="255.0.0.0" allowed="true" />'
)


def test_ip_restrictions(iis: Iis) -> None:
    iis.add_location("Default Web Site/ecp", addresses(LIST, 'allowUnlisted="false"'))
    assert answers(iis, "/ecp/") == ("403.6", "302")
    assert answers(iis, "//ecp.;x/") == ("403.6", "302")
    assert answers(iis, "/owa/") == ("302", "302")


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("Forbidden", "403.6"),
        ("Unauthorized", "401"),
        ("NotFound", "404"),
        ("AbortRequest", "aborted"),
    ],
)
def test_deny_actions(iis: Iis, action: str, told: str) -> None:
    iis.add_location(
        "Default Web Site/ecp", addresses(LIST, f'allowUnlisted="false" denyAction="{action}"')
    )
    assert answers(iis, "/ecp/") == (told, "302")


def test_without_their_module_they_stop_nobody() -> None:
    iis = Iis("2019", ip_restrictions=False)
    iis.add_location("Default Web Site/ecp", addresses("", 'allowUnlisted="false"'))
    assert answers(iis, "/ecp/") == ("302", "302")


def test_the_first_entry_that_fits(iis: Iis) -> None:
    inner = '<add ipAddress="10.1.2.3" /><add ipAddress="10.0.0.0" subnetMask="8" allowed="true" />'
    iis.add_location("Default Web Site/ecp", addresses(inner, 'allowUnlisted="true"'))
    assert answers(iis, "/ecp/") == ("302", "403.6")
    assert str(iis.request("/ecp/", "10.1.2.4")) == "302"


def test_a_clear_below_does_not_open(iis: Iis) -> None:
    iis.add_location("Default Web Site", addresses(LIST, 'allowUnlisted="false"'))
    iis.add_location("Default Web Site/ecp", addresses("<clear />"))
    assert answers(iis, "/ecp/") == ("403.6", "403.6")
    iis.replace("<ipSecurity ><clear /></ipSecurity>", '<ipSecurity allowUnlisted="true" />')
    assert answers(iis, "/ecp/") == ("302", "302")


def test_ipv6_zones_and_what_cannot_be_read(iis: Iis) -> None:
    inner = (
        '<add ipAddress="::1" allowed="true" /><add ipAddress="fe80::5%14" allowed="true" /><add '
        'ipAddress="2001:db8::" subnetMask="32" allowed="true" /><add ipAddress="192.0.2.0.0" '
        'allowed="true" />'
    )
    iis.add_location("Default Web Site/ecp", addresses(inner, 'allowUnlisted="false"'))
    told = {
        "::1": "302",
        "::2": "403.6",
        "fe80::5%14": "302",
        "fe80::5%3": "403.6",
        "2001:db8:1::9": "302",
        "192.0.2.0": "403.6",
    }
    assert {client: str(iis.request("/ecp/", client)) for client in told} == told


def test_behind_a_proxy(iis: Iis) -> None:
    iis.add_location("Default Web Site/ecp", addresses(LIST, 'allowUnlisted="false"'))
    headers = {"X-Forwarded-For": "203.0.113.9"}
    assert str(iis.request("/ecp/", COLLEAGUE, headers=headers)) == "302"
    iis.replace('allowUnlisted="false">', 'allowUnlisted="false" enableProxyMode="true">')
    assert str(iis.request("/ecp/", COLLEAGUE, headers=headers)) == "403.6"


# --- sites ----------------------------------------------------------------------------------------


def test_bindings(iis: Iis) -> None:
    assert iis.request("/PushNotifications/x", STRANGER, port=444).directory == "pushnotifications"
    assert str(iis.request("/owa/", STRANGER, port=8443)) == "404"


def test_a_name_goes_before_an_address_and_that_before_neither(iis: Iis) -> None:
    """UrlPrefix Strings: who comes by another way meets another site, or nobody."""
    iis.replace(
        '"https" bindingInformation="*:443:"', '"https" bindingInformation="*:443:mail.a.b"'
    )
    by_name = iis.request("/owa/", STRANGER, host="MAIL.a.b:443")
    assert (by_name.directory, by_name.kernel) == ("owa", False)
    by_address = iis.request("/owa/", STRANGER, host="192.0.2.9")
    assert (str(by_address), by_address.kernel) == ("404", True)
    # Another site takes who comes by no name, or by its address.
    iis.replace(
        '"https" bindingInformation="*:444:"', '"https" bindingInformation="192.0.2.9:443:"'
    )
    at: dict[str, t.Any] = {"at": "192.0.2.9"}
    other = iis.request("/PushNotifications/x", STRANGER, host="192.0.2.9", **at)
    assert other.directory == "pushnotifications"
    assert iis.request("/owa/", STRANGER, host="mail.a.b", **at).directory == "owa"
    assert iis.request("/owa/", STRANGER, host="192.0.2.9", at="192.0.2.10").kernel


def test_a_file_that_changes_is_read_again(iis: Iis) -> None:
    judge = iis.judge()
    assert iis.judge() is judge
    iis.add_location("Default Web Site", rules(BLOCK))
    assert answers(iis, "/ecp/") == ("403", "302")
    assert str(judge.request("/ecp/", STRANGER)) == "302", "a judge keeps what it has read"
