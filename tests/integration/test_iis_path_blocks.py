# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iis_path_blocks on the lab's IIS, which judges requests by its own reading of its files."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.support.engine import needs_engine
from ansible_collections.mailedge.lockdown.tests.support.iis_blocks import (
    COLLEAGUE,
    RULES,
    Server,
)

OWN: dict[str, t.Any] = {"own_networks": ["10.20.0.0/16"]}
HYBRID: dict[str, t.Any] = {**OWN, "publish": ["hybrid"], "exchange_servers": ["10.99.0.7"]}
TWO: dict[str, t.Any] = {**OWN, "blocks": [{"path": "/ecp"}, {"path": "/owa"}]}
LISTS: dict[str, t.Any] = {**TWO, "method": "ip_security"}
FOREIGN = (
    '<rule name="help" stopProcessing="true"><match url="^ecp/help" /><action type="None" /></rule>'
)


def ended(result: dict[str, t.Any]) -> tuple[t.Any, ...]:
    assert not result.get("failed"), result["msg"]
    return result["changed"], result["state"], result["strangers"]["after"]


def refusal(result: dict[str, t.Any]) -> str:
    assert result.get("failed"), result
    assert not result.get("changed")
    return str(result["msg"])


def guards(result: dict[str, t.Any]) -> set[tuple[str, str]]:
    return {(guard["id"], guard["severity"]) for guard in result["guards"]}


MIXED: dict[str, t.Any] = {
    **OWN,
    "blocks": [{"path": "/ecp"}, {"path": "/owa", "method": "ip_security"}],
}


@needs_engine
@pytest.mark.long
def test_the_agent_in_an_engine_writes_the_very_same_file() -> None:
    texts = []
    for engine in (False, True):
        server = Server(engine=engine)
        start = server.iis.text
        done = server.run(MIXED)
        assert ended(done) == (True, "in order", [])
        assert done["cost"] == {"powershell_starts": 2, "exchange_shells": 0}
        texts.append(server.iis.text.replace(str(server.iis.disk.folder), ""))
        server.run({"snapshot": "latest"})
        assert server.iis.text == start
    assert texts[0] == texts[1]


def test_lock_again_drift_and_the_very_same_file_back() -> None:
    server = Server()
    start = server.iis.text
    described = MIXED

    planned = server.run(described, check=True)
    assert ended(planned) == (True, "open", [])
    assert server.iis.text == start

    done = server.run(described)
    assert ended(done) == (True, "in order", [])
    assert done["cost"] == {"powershell_starts": 2, "exchange_shells": 0}
    assert done["plan"] == planned["plan"]
    assert done["exposure"] == planned["exposure"]
    assert not server.passes("/ecp/")
    assert not server.passes("/owa/")
    assert server.passes("/ecp/", COLLEAGUE)
    assert server.passes("/owa/", COLLEAGUE)
    locked = server.iis.text

    again = server.run(described)
    assert ended(again) == (False, "in order", [])
    assert again["cost"]["powershell_starts"] == 1
    assert server.iis.text == locked

    server.iis.replace('<rule name="mailedge: /ecp"', '<rule name="mailedge: /ecp" enabled="false"')
    assert server.passes("/ecp/")
    assert ended(server.run(described, check=True)) == (True, "open", [])
    assert ended(server.run(described)) == (True, "in order", [])
    assert server.iis.text == locked

    back = server.run({"snapshot": "original"})
    assert not back.get("failed"), back["msg"]
    assert server.iis.text == start


@pytest.mark.parametrize("version", ["2013", "2016", "2019"])
def test_what_is_not_published_is_shut_however_it_is_spelled(version: str) -> None:
    server = Server(version, rewrite=True)
    assert ended(server.run(HYBRID)) == (True, "in order", [])
    spelled = [
        "/ecp/",
        "//ecp",
        "/ECP",
        "/%65cp/",
        "/ecp./",
        "/ecp;x/",
        "/ecp%20/",
        "/owa/auth/..%2f..%2fecp/",
    ]
    for target in [*spelled, "/owa", "/Microsoft-Server-ActiveSync", "/PowerShell/", "/owa/../ecp"]:
        assert not server.passes(target), target
        for friend in ("10.20.0.5", "10.99.0.7", "127.0.0.1", "::1"):
            assert server.asks(target, friend).status != 403, (target, friend)
    for target in ("/autodiscover/autodiscover.xml", "/EWS/Exchange.asmx", "/ews/mrsproxy.svc"):
        assert server.passes(target), target


def test_what_was_encoded_twice_is_met_where_iis_lets_it_through() -> None:
    server = Server()
    server.iis.replace("<requestFiltering", '<requestFiltering allowDoubleEscaping="true"')
    server.run(TWO)
    assert server.asks("/%2565cp/").status == 403
    assert server.asks("/%2565cp/", COLLEAGUE).status != 403


def test_lists_tell_ipv6_and_are_narrowed_in_place() -> None:
    server = Server()
    start = server.iis.text
    six = {**TWO, "own_networks": ["10.20.0.0/16", "2001:db8:1::/48"]}
    assert ended(server.run(six)) == (True, "in order", [])
    assert server.passes("/ecp/", "2001:db8:1::5")
    assert not server.passes("/ecp/", "2001:db8:2::5")
    assert not server.passes("/ecp/")
    narrowed = server.run({**six, "own_networks": ["10.20.0.0/16"], "method": "ip_security"})
    assert [sentence.rpartition("/")[2] for sentence in narrowed["plan"]] == ["48.", "48."]
    assert not server.passes("/ecp/", "2001:db8:1::5")
    assert ended(server.run(TWO)) == (True, "in order", [])
    assert "ipSecurity allowUnlisted" not in server.iis.text
    assert not server.passes("/ecp/")
    assert server.passes("/ecp/", COLLEAGUE)
    server.run({"snapshot": "original"})
    assert server.iis.text == start


def test_a_rule_of_somebody_else_that_gets_in_front_is_seen_and_passed() -> None:
    server = Server()
    server.iis.replace(
        '<location path="Default Web Site">',
        f'<location path="Default Web Site">{RULES.format(FOREIGN)}',
    )
    server.run(TWO)
    assert not server.passes("/ecp/help")
    mixed = server.iis.text
    alone = mixed.replace(FOREIGN, "", 1)
    server.iis.text = alone.replace("<rules>", f"<rules>{FOREIGN}", 1)
    assert server.passes("/ecp/help")

    seen = server.run(TWO, check=True)
    assert ended(seen)[:2] == (True, "drift")
    assert [sentence.partition(" ")[0] for sentence in seen["plan"]] == ["Move", "Move"]
    assert ended(server.run(TWO)) == (True, "in order", [])
    assert not server.passes("/ecp/help")
    assert ended(server.run(TWO))[0] is False
    assert FOREIGN in server.iis.text.replace("\r\n", "")


def test_a_directory_that_ends_the_rules_is_told_before_and_after() -> None:
    server = Server()
    server.iis.put_web_config("/owa", RULES.format("<clear />"))
    for run in (server.run(TWO, check=True), server.run(TWO)):
        assert run["state"] == "open"
        assert run["strangers"]["after"] == [
            "Default Web Site/owa lets in strangers: any internet address."
        ]
        assert guards(run) == {("still_open", "warn")}
    assert server.passes("/owa/")
    assert not server.passes("/ecp/")
    # What the lab lets through the exposure says.
    assert "/owa: any internet address: let in" in run["exposure"]["words"]


def test_a_directory_where_the_module_does_not_run_is_told() -> None:
    server = Server()
    inner = (
        '<system.webServer><modules><remove name="RewriteModule" /></modules></system.webServer>'
    )
    server.iis.put_web_config("/ecp", inner)
    result = server.run(TWO)
    assert ended(result)[1:] == (
        "open",
        ["Default Web Site/ecp lets in strangers: any internet address."],
    )
    assert server.passes("/ecp/")


@pytest.mark.parametrize(
    ("folder", "inner", "target"),
    [
        ("", '<modules><remove name="RewriteModule" /></modules>', "ecp"),
        ("/ecp", "<rewrite><rules><clear /></rules></rewrite>", "auth/inner"),
    ],
)
def test_what_a_web_config_says_of_a_path_below_it_is_read_there(
    folder: str, inner: str, target: str
) -> None:
    server = Server()
    # In either quotes, and with what stands before the path.
    location = (
        "<location inheritInChildApplications='true' "
        f"path='{target}'><system.webServer>{inner}</system.webServer></location>"
    )
    server.iis.put_web_config(folder, location)
    assert ended(server.run(TWO))[1:] == (
        "open",
        ["Default Web Site/ecp lets in strangers: any internet address."],
    )
    assert server.passes(f"{folder}/{target}/")
    again = server.run(TWO)
    assert ended(again)[:2] == (False, "open")


def test_microsofts_mitigation_rules_stay_and_do_not_disturb() -> None:
    server = Server()
    rule = (
        '<rule name="EEMS M1.1 PowerShell - inbound" stopProcessing="true"><match url=".*" '
        '/><conditions><add input="{UrlDecode:{REQUEST_URI}}" '
        'pattern="(?=.*autodiscover)(?=.*powershell)" /></conditions><action type="AbortRequest" '
        "/></rule>"
    )
    server.iis.put_web_config("", RULES.format(rule))
    assert ended(server.run(HYBRID)) == (True, "in order", [])
    assert server.asks("/autodiscover/x?powershell").aborted
    assert server.passes("/autodiscover/autodiscover.xml")


def test_a_file_that_is_no_xml_makes_the_path_unknown() -> None:
    server = Server()
    folder = server.iis.physical("/ecp")
    server.iis.disk.write(f"{folder}\\web.config", b"<configuration><system.webServer><rewrite>")
    result = server.run(TWO)
    assert ended(result)[:2] == (True, "unknown")
    assert guards(result) == {("not_certain", "warn")}


def broken(server: Server) -> None:
    server.iis.text = server.iis.text.replace("</configuration>", "")


def shared(server: Server) -> None:
    server.iis.share()


def twice(server: Server) -> None:
    server.iis.add_location("Default Web Site", "<system.webServer />")


def named_below(server: Server) -> None:
    rule = '<rule name="mailedge: /ecp"><match url="x" /><action type="None" /></rule>'
    server.iis.put_web_config("/owa", RULES.format(rule))


@pytest.mark.parametrize(
    ("spoil", "options", "words"),
    [
        (broken, {}, "cannot be read"),
        (shared, {}, "shares with other servers"),
        (twice, {"method": "rewrite"}, "has 2 locations for Default Web Site"),
        (named_below, {}, "has a rewrite rule of its own that is called"),
        (None, {"rewrite": False, "ip_restrictions": False}, "URL Rewrite is not installed"),
    ],
    ids=["not well-formed", "shared", "two locations", "a duplicate name", "no module"],
)
def test_what_cannot_be_written_is_one_sentence_and_nothing_is(
    spoil: t.Callable[[Server], None] | None, options: dict[str, t.Any], words: str
) -> None:
    method = options.pop("method", "auto")
    server = Server(**options)
    if spoil:
        spoil(server)
    before = server.iis.text
    said = refusal(server.run({**TWO, "method": method}))
    assert words in said
    assert "othing was changed" in said
    assert server.iis.text == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"site": "Nowhere"}, "There is no site 'Nowhere'"),
        ({"site": "exchange back end"}, "is never changed"),
        ({"blocks": [{"path": "/ecp(.*)"}]}, "cannot be blocked"),
        (
            {"blocks": [{"path": "/ecp", "networks": ["0.0.0.0/0"]}]},
            "holds all addresses there are",
        ),
        ({"blocks": [{"path": "/ecp"}, {"path": "/ECP/"}]}, "is described twice"),
        ({"own_networks": ["2001:db8::/48"], "method": "rewrite"}, "which no network can be"),
        ({"accept_risks": ["no_such"]}, "which is no guard"),
        ({"snapshot": "latest"}, "exclude each other"),
        ({"blocks": []}, "Nothing is described"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(options: dict[str, t.Any], words: str) -> None:
    server = Server()
    before = server.iis.text
    assert words in refusal(server.run({**TWO, **options}))
    assert server.iis.text == before


def test_without_the_role_service_a_list_is_never_called_a_lock() -> None:
    server = Server(ip_restrictions=False)
    assert "a list would stop nobody" in refusal(server.run(LISTS))
    server.iis.add_location(
        "Default Web Site/ecp/x",
        '<system.webServer><security><ipSecurity allowUnlisted="false" '
        "/></security></system.webServer>",
    )
    assert ended(server.run(TWO)) == (True, "in order", [])


def test_nobody_is_shut_out_by_mistake() -> None:
    server = Server()
    before = server.iis.text
    assert "says that owa is in use" in refusal(server.run({**TWO, "in_use": ["owa"]}))
    narrow = {**OWN, "blocks": [{"path": "/ecp", "networks": ["10.20.9.0/24"]}]}
    assert "own_networks_shut_out" in refusal(server.run(narrow))
    hidden = {**TWO, "reverse_proxies": ["10.20.0.9"]}
    assert "would not be blocked at all" in refusal(server.run(hidden))
    deny = (
        '<system.webServer><security><ipSecurity><add ipAddress="192.0.2.66" '
        "/></ipSecurity></security></system.webServer>"
    )
    server.iis.add_location("Default Web Site/owa/x", deny)
    with_x = {**OWN, "method": "ip_security", "blocks": [{"path": "/owa/x"}]}
    assert "would lose deny 192.0.2.66" in refusal(server.run(with_x))
    server.iis.text = before
    assert ended(server.run({**narrow, "accept_risks": ["own_networks_shut_out"]}))[1] == "in order"
    assert not server.passes("/ecp/", COLLEAGUE)
    assert server.passes("/ecp/", "10.20.9.7")


def test_a_description_that_names_a_path_no_more_gives_it_back() -> None:
    server = Server()
    server.run(TWO)
    shorter = {**OWN, "blocks": [{"path": "/ecp"}]}
    assert ended(server.run(shorter)) == (True, "in order", [])
    assert server.passes("/owa/")
    assert not server.passes("/ecp/")
    server.run({**LISTS, "blocks": [{"path": "/ecp"}]})
    assert not server.passes("/ecp/")
    server.run({**OWN, "blocks": [{"path": "/ecp", "state": "absent"}]})
    assert server.passes("/ecp/")


def test_a_snapshot_of_another_site_is_not_given_back_here() -> None:
    server = Server()
    server.run(TWO)
    server.iis.replace(
        '<site name="Default Web Site"',
        '<site name="Front" id="7"></site><site name="Default Web Site"',
    )
    locked = server.iis.text
    said = refusal(server.run({"snapshot": "latest", "site": "Front"}))
    assert "It is of the site Default Web Site." in said or "There is no snapshot" in said
    assert server.iis.text == locked


def test_many_paths_that_cannot_be_blocked_are_told_in_one_sentence() -> None:
    server = Server(ip_restrictions=False)
    result = server.run(
        {"publish": ["autodiscover"], "own_networks": ["10.20.0.0/16", "2001:db8:20::/48"]}
    )
    assert result["failed"]
    assert result["msg"].count("cannot be blocked") == 1
    assert "/ecp, " in result["msg"]
    assert result["msg"].count("Nothing was changed.") == 1


def test_a_site_without_the_directories_of_exchange_is_not_closed_by_what_is_published() -> None:
    server = Server()
    server.iis.replace('site name="Default Web Site"', 'site name="Elsewhere"')
    server.iis.replace(
        "<sites>",
        '<sites><site name="Default Web Site" id="9"><application path="/">'
        '<virtualDirectory path="/" physicalPath="C:\\inetpub\\empty" /></application></site>',
    )
    told = refusal(server.run({"publish": ["owa"], "own_networks": ["10.20.0.0/16"]}))
    assert "has none of Exchange's virtual directories" in told
