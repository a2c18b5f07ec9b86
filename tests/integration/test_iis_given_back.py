# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iis_path_blocks gives back the very same file, places and empty sections too; and tells what it
cannot look at.
"""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.support.iis_blocks import Server
from ansible_collections.mailedge.lockdown.tests.support.lab_answers import LONG_WAYS, WAYS
from ansible_collections.mailedge.lockdown.tests.support.marking import long_after

OWN: dict[str, t.Any] = {"own_networks": ["10.20.0.0/16"]}
TWO: dict[str, t.Any] = {**OWN, "blocks": [{"path": "/ecp"}, {"path": "/owa"}]}
LISTS: dict[str, t.Any] = {**TWO, "method": "ip_security"}
MIXED: dict[str, t.Any] = {
    **OWN,
    "blocks": [{"path": "/ecp"}, {"path": "/owa", "method": "ip_security"}],
}
HELP = (
    '<rule name="help" stopProcessing="true"><match url="^ecp/help" /><action type="None" /></rule>'
)
LAST = HELP.replace('"help"', '"last"')


def done(result: dict[str, t.Any]) -> dict[str, t.Any]:
    assert not result.get("failed"), result["msg"]
    return result


def refusal(result: dict[str, t.Any]) -> str:
    assert result.get("failed"), result
    assert not result.get("changed")
    return str(result["msg"])


def with_section(server: Server, inner: str) -> None:
    """The site's own location with a section, as somebody else has it there."""
    server.iis.replace(
        '<location path="Default Web Site">',
        f'<location path="Default Web Site"><system.webServer>{inner}</system.webServer>',
    )


def in_front(server: Server, rule: str) -> None:
    """Somebody puts a rule before all others of the site's own location."""
    head, section, tail = server.iis.text.rpartition("<rules>")
    assert section
    server.iis.text = f"{head}{section}{rule}{tail}"


def names_of(server: Server) -> list[str]:
    """The rules of the site's own location, in their order."""
    locations = re.findall(
        r'<location path="Default Web Site">.*?</location>', server.iis.text, re.DOTALL
    )
    return re.findall(r'<rule name="([^"]*)"', "".join(locations))


def squeezed(text: str) -> str:
    """A file without its blanks, and one spelling for an element that is empty: how IIS writes what
    it has touched is its own.
    """
    return re.sub(r"<(\w+)([^<>]*)></\1>", r"<\1\2/>", "".join(text.split()))


@pytest.mark.parametrize("behind", [False, True], ids=["one foreign rule", "among foreign rules"])
@pytest.mark.parametrize("engine", LONG_WAYS)
def test_a_move_is_taken_back(behind: bool, engine: bool) -> None:
    server = Server(engine=engine)
    if behind:
        with_section(server, f"<rewrite><rules>{LAST}</rules></rewrite>")
    done(server.run(TWO))
    in_front(server, HELP)
    before = server.iis.text
    moved = done(server.run(TWO))
    assert [sentence.partition(" ")[0] for sentence in moved["plan"]] == ["Move", "Move"]
    assert not server.passes("/ecp/help")
    back = done(server.run({"snapshot": "latest"}))
    assert back["not_restored"] == []
    assert all("goes behind the rule" in sentence for sentence in back["plan"]), back["plan"]
    assert squeezed(server.iis.text) == squeezed(before)
    assert names_of(server) == ["help", "mailedge: /ecp", "mailedge: /owa", *["last"] * behind]
    assert server.passes("/ecp/help"), "as it was"
    # And what took it back is taken back as well.
    done(server.run({"snapshot": back["snapshot"]["name"]}))
    assert names_of(server) == ["mailedge: /ecp", "mailedge: /owa", "help", *["last"] * behind]
    assert not server.passes("/ecp/help")


def test_where_the_other_rule_is_gone_there_is_no_place_to_give_back() -> None:
    server = Server()
    start = server.iis.text
    done(server.run(TWO))
    in_front(server, HELP)
    done(server.run(TWO))
    server.iis.text = server.iis.text.replace(HELP, "", 1)
    back = done(server.run({"snapshot": "latest"}))
    assert (back["changed"], back["not_restored"]) == (False, [])
    done(server.run({"snapshot": "original"}))
    assert squeezed(server.iis.text) == squeezed(start)


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "<rewrite><rules /></rewrite>",
        "<rewrite><rules></rules></rewrite>",
        f"<rewrite><rules>{LAST}</rules></rewrite>",
        '<security><access sslFlags="Ssl" /></security>',
    ],
)
@pytest.mark.parametrize("task", long_after(1, [MIXED, TWO]), ids=["a rule and a list", "rules"])
@pytest.mark.parametrize("wanted", ["latest", "original"])
def test_the_section_that_was_there_is_there_again_and_no_other(
    inner: str, task: dict[str, t.Any], wanted: str
) -> None:
    server = Server()
    if inner:
        with_section(server, inner)
    start = server.iis.text
    planned = done(server.run(task, check=True))
    locked = done(server.run(task))
    assert (locked["state"], locked["plan"]) == ("in order", planned["plan"])
    assert not server.passes("/ecp/")
    assert done(server.run(task))["changed"] is False
    done(server.run({"snapshot": wanted}))
    assert squeezed(server.iis.text) == squeezed(start)


def test_an_empty_ip_list_that_was_there_is_there_again() -> None:
    server = Server()
    head, location, tail = server.iis.text.partition('<location path="Default Web Site/ecp">')
    assert location
    tail = tail.replace("<security>", "<security><ipSecurity />", 1)
    server.iis.text = head + location + tail
    start = server.iis.text
    done(server.run(LISTS))
    assert not server.passes("/ecp/")
    done(server.run({"snapshot": "latest"}))
    assert squeezed(server.iis.text) == squeezed(start)


def test_a_section_goes_with_the_description_and_stays_with_somebody_elses_rule() -> None:
    server = Server()
    start = server.iis.text
    for task in (TWO, LISTS):
        done(server.run(task))
        absent = [{"path": path, "state": "absent"} for path in ("/ecp", "/owa")]
        done(server.run({**OWN, "blocks": absent}))
        assert server.iis.text == start
    done(server.run(TWO))
    in_front(server, HELP)
    done(server.run({"snapshot": "latest"}))
    assert names_of(server) == ["help"]


def test_exchange_on_another_site_of_the_server_is_told() -> None:
    server = Server()
    server.iis.replace(
        "<sites>",
        '<sites><site name="Partners" id="9"><application path="/">'
        '<virtualDirectory path="/" physicalPath="C:\\inetpub\\partners" /></application>'
        '<application path="/owa"><virtualDirectory path="/" physicalPath="C:\\owa" />'
        "</application></site>",
    )
    (finding,) = done(server.run(TWO))["guards"]
    assert (finding["id"], finding["severity"]) == ("other_site", "warn")
    assert finding["sentence"].startswith("The site 'Partners' of the server has /owa too")


@pytest.mark.parametrize("engine", LONG_WAYS)
def test_a_site_that_nobody_comes_to_is_told(engine: bool) -> None:
    """As where clients come to another site, such as one that a setup of Windows has made."""
    server = Server(engine=engine)
    https = 'protocol="https" bindingInformation='
    result = done(server.run(TWO))
    assert result["bindings"] == [
        "http at any address, port 80, by any name",
        "https at any address, port 443, by any name",
        "https at 127.0.0.1, port 443, by any name",
    ]
    assert result["guards"] == []
    server.iis.replace(f'{https}"*:443:"', 'protocol="net.tcp" bindingInformation="808:*"')
    server.iis.replace(f'{https}"*:444:"', f'{https}"*:443:remote.birke.example" sslFlags="1"')
    result = done(server.run(TWO))
    assert len(result["bindings"]) == 2
    (finding,) = result["guards"]
    assert (finding["id"], finding["severity"]) == ("not_bound", "warn")
    assert "https at any address, port 443, by the name remote.birke.example (SNI)" in str(finding)


@pytest.mark.parametrize("engine", WAYS)
def test_a_server_without_iis_or_its_objects_is_told_what_to_install(engine: bool) -> None:
    server = Server(engine=engine)
    server.host.windows.remove_iis(objects_only=True)
    said = refusal(server.run(TWO))
    assert "IIS 10.0 is on the server, but its administration objects" in said
    assert "Install the role service IIS Management Scripts and Tools (Web-Scripting-Tools)" in said
    server.host.windows.remove_iis()
    assert refusal(server.run(TWO)).startswith("IIS is not installed on the server")


def test_who_is_no_administrator_is_told_so() -> None:
    server = Server()
    server.iis.store.denied = True
    assert "Connect as an administrator" in refusal(server.run(TWO))


def test_several_rules_that_were_side_by_side_come_back_in_their_order() -> None:
    """A new rule that stands right before another new one is made behind that one."""
    server = Server()
    done(server.run({**OWN, "publish": ["hybrid", "activesync"]}))
    first = server.iis.text
    assert first.index("mailedge: /API") < first.index("mailedge: /OAB")
    done(server.run({**OWN, "blocks": [{"path": "/ecp"}, {"path": "/PowerShell"}]}))
    assert "mailedge: /OAB" not in server.iis.text
    back = done(server.run({"snapshot": "latest"}))
    assert back["changed"]
    assert server.iis.text == first
