# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a script writes into the lab's IIS configuration: where it lands, what stays as it was, what
is refused.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError, ComObject, Value
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis import errors
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis
from ansible_collections.mailedge.lockdown.tests.support.iis import (
    APPHOST,
    IP_SECURITY,
    MODULES,
    RULES,
    SITE,
    add,
    child,
    collection,
    got,
    items,
    names,
    put,
    reader,
    rule,
    section,
    value,
    writer,
)

LOCATION = '<location path="Default Web Site">'
WITH_RULES = "<system.webServer><rewrite><rules>{}</rules></rewrite></system.webServer>"
ONE = '<rule name="{}"><match url="x" /><action type="None" /></rule>'


@pytest.fixture
def iis() -> Iis:
    return Iis("2019", ip_restrictions=True)


def refused(action: t.Callable[[], object]) -> str:
    """The class and HRESULT of what is refused."""
    with pytest.raises(ComError) as caught:
        action()
    return f"{caught.value.class_name} {caught.value.hresult:08x}"


def locations(manager: ComObject) -> ComObject:
    return got(
        got(got(manager.get("ConfigManager")).call("GetConfigFile", APPHOST)).get("Locations")
    )


def effective(iis: Iis, path: str = SITE) -> list[t.Any]:
    return names(section(reader(iis), RULES, path))


def test_a_rule_lands_in_the_location_of_its_site(iis: Iis) -> None:
    before = iis.text
    manager = writer(iis)
    condition: dict[str, Value] = {
        "input": "{REMOTE_ADDR}",
        "pattern": r"^(?:10\.)",
        "negate": True,
    }
    rule(
        section(manager, RULES, SITE), 'a "name" & <more>', "^ecp", [condition], stopProcessing=True
    )
    assert iis.text == before, "nothing is written before it is committed"
    manager.call("CommitChanges")
    start = iis.text.index(LOCATION, iis.text.index("</configSections>"))
    inner = iis.text[start : iis.text.index("</location>", start)]
    assert (
        """
            <rewrite>
                <rules>
                    <rule name="a &quot;name&quot; &amp; &lt;more&gt;" stopProcessing="true">
                        <match url="^ecp" />
                        <conditions>
                            <add input="{REMOTE_ADDR}" pattern="^(?:10\\.)" negate="true" />
                        </conditions>
                        <action type="CustomResponse" statusCode="403" />
                    </rule>
                </rules>
            </rewrite>
""".replace("\n", "\r\n")
        in inner
    )
    # Everything else is as it was.
    outside = iis.text.replace(inner, "")
    assert outside == before.replace(before[start : before.index("</location>", start)], "")
    (item,) = items(section(reader(iis), RULES, f"{SITE}/ecp"))
    assert value(item, "name") == 'a "name" & <more>'
    assert value(child(item, "action"), "type") == "CustomResponse"


def test_what_is_taken_back_leaves_no_trace(iis: Iis) -> None:
    before = iis.text
    manager = writer(iis)
    rule(section(manager, RULES, SITE), "one", "^ecp")
    put(section(manager, IP_SECURITY, f"{SITE}/mapi/nspi"), allowUnlisted=False)
    manager.call("CommitChanges")
    assert '<location path="Default Web Site/mapi/nspi">' in iis.text
    manager = writer(iis)
    collection(section(manager, RULES, SITE)).call("DeleteElement", 0)
    held = locations(manager)
    got(held.call("Item", "Default Web Site")).call("DeleteConfigSection", RULES)
    last = got(held.call("Item", "Default Web Site/mapi/nspi"))
    assert last.get("Count") == 1
    last.call("DeleteConfigSection", 0)
    assert last.get("Count") == 0
    held.call("DeleteLocation", "Default Web Site/mapi/nspi")
    manager.call("CommitChanges")
    assert iis.text == before


def test_an_attribute_is_given_back_as_absent(iis: Iis) -> None:
    manager = writer(iis)
    held = section(manager, IP_SECURITY, SITE)
    put(held, allowUnlisted=False, denyAction=404)
    manager.call("CommitChanges")
    assert '<ipSecurity allowUnlisted="false" denyAction="NotFound" />' in iis.text
    for name in ("allowUnlisted", "denyAction"):
        got(got(held.get("Properties")).call("Item", name)).call("Clear")
    manager.call("CommitChanges")
    assert iis.text.count("<ipSecurity />") == 2
    assert value(section(reader(iis), IP_SECURITY, SITE), "denyAction") == "Forbidden"


def test_commit_path(iis: Iis) -> None:
    manager = iis.classes["microsoft.applicationhost.writableadminmanager"]()
    held = section(manager, IP_SECURITY, SITE)
    assert refused(lambda: put(held, allowUnlisted=False)) == "COMException 8000ffff"
    assert (
        refused(lambda: manager.set("CommitPath", f"{APPHOST}/No Such Site"))
        == "ArgumentException 80070057"
    )
    manager.set("CommitPath", f"{SITE}/ecp")
    assert refused(lambda: put(held, allowUnlisted=False)) == "ArgumentException 80070057"
    manager.set("CommitPath", APPHOST)
    put(held, allowUnlisted=False)
    assert refused(lambda: manager.set("CommitPath", SITE)) == "COMException 800700dd"
    manager.call("CommitChanges")
    manager.set("CommitPath", SITE)


def test_a_locked_section_is_not_written_below(iis: Iis) -> None:
    manager = writer(iis, SITE)
    locked = section(manager, IP_SECURITY, SITE)
    assert refused(lambda: put(locked, allowUnlisted=False)) == "FileLoadException 80070021"
    rule(section(manager, RULES, SITE), "one", "^ecp")
    manager.call("CommitChanges")
    content = iis.disk.read("C:\\inetpub\\wwwroot\\web.config") or b""
    assert b'<rule name="one">' in content
    assert content.startswith(b"\xef\xbb\xbf"), "the BOM stays"
    # A file is made where there is none.
    manager = writer(iis, f"{SITE}/ecp")
    rule(section(manager, RULES, f"{SITE}/ecp"), "two", "x")
    manager.call("CommitChanges")
    assert effective(iis, f"{SITE}/ecp") == ["one", "two"]
    assert iis.disk.read(f"{iis.physical('/ecp')}\\web.config") is not None


@pytest.mark.parametrize("number", [errors.E_SHARING_VIOLATION, errors.E_LOCK_VIOLATION])
def test_somebody_else_wrote(iis: Iis, number: int) -> None:
    iis.store.changed_number = number
    manager = writer(iis)
    rule(section(manager, RULES, SITE), "one", "^ecp")
    iis.replace("<!-- An invented server. -->", "<!-- A colleague. -->")
    before = iis.text
    assert refused(lambda: manager.call("CommitChanges")) == f"FileLoadException {number:08x}"
    assert iis.text == before
    # A new manager reads anew.
    manager = writer(iis)
    rule(section(manager, RULES, SITE), "one", "^ecp")
    manager.call("CommitChanges")
    assert effective(iis) == ["one"]


def test_a_file_that_somebody_holds_open(iis: Iis) -> None:
    manager = writer(iis)
    rule(section(manager, RULES, SITE), "one", "^ecp")
    iis.store.held.add("c:\\windows\\system32\\inetsrv\\config\\applicationhost.config")
    with pytest.raises(ComError, match="being used by another process") as caught:
        manager.call("CommitChanges")
    assert caught.value.hresult == 0x80070020
    iis.store.held.clear()
    manager.call("CommitChanges")
    assert effective(iis) == ["one"]


def test_indexes(iis: Iis) -> None:
    manager = writer(iis)
    held = section(manager, RULES, SITE)
    rule(held, "one", "x")
    assert refused(lambda: rule(held, "two", "x", index=-1)) == "COMException 8000ffff"
    assert refused(lambda: rule(held, "two", "x", index=2)) == "COMException 80070585"
    assert refused(lambda: rule(held, "ONE", "x")) == "COMException 800700b7"
    rule(held, "two", "x", index=0)
    assert names(held) == ["two", "one"]
    assert refused(lambda: collection(held).call("DeleteElement", 2)) == "COMException 80070585"
    assert (
        refused(lambda: collection(held).call("CreateNewElement", "add")) == "COMException 80070585"
    )
    unnamed = collection(held).call("CreateNewElement", "rule")
    assert (
        refused(lambda: collection(held).call("AddElement", unnamed, 0))
        == "FileNotFoundException 80070002"
    )
    assert refused(lambda: put(items(held)[0], name="one")) == "COMException 800700b7"
    manager.call("CommitChanges")
    assert effective(iis) == ["two", "one"]


def test_what_is_inherited(iis: Iis) -> None:
    """`<remove>` for what is taken away, a copy for what is changed, everything anew where the
    order is another.
    """
    iis.add_location("Default Web Site/ecp", WITH_RULES.format(ONE.format("mine")))
    iis.add_location("", WITH_RULES.format(ONE.format("first") + ONE.format("second")))
    manager = writer(iis)
    held = section(manager, RULES, f"{SITE}/ecp")
    assert names(held) == ["first", "second", "mine"]
    rule(held, "behind", "x", index=2)
    assert names(held) == ["first", "second", "behind", "mine"]
    collection(held).call("DeleteElement", 0)
    put(items(held)[0], enabled=False)
    manager.call("CommitChanges")
    assert '<remove name="first" />' in iis.text
    assert effective(iis, f"{SITE}/ecp") == ["behind", "mine", "second"]
    assert effective(iis) == ["first", "second"]
    rule(held := section(manager, RULES, f"{SITE}/owa"), "before", "x", index=1)
    assert names(held) == ["first", "before", "second"]
    manager.call("CommitChanges")
    assert "<clear />" in iis.text[iis.text.index('<location path="Default Web Site/owa">') :]
    assert effective(iis, f"{SITE}/owa") == ["first", "before", "second"]


def test_a_list_whose_local_items_come_first(iis: Iis) -> None:
    """mergeAppend="false", as the default documents have it."""
    name = "system.webServer/defaultDocument"
    files = '<files><add value="a" /><add value="b" /></files>'
    text = f"<system.webServer><defaultDocument>{files}</defaultDocument></system.webServer>"
    iis.add_location("", text)
    iis.add_location("Default Web Site/ecp", text.replace('"a"', '"c"').replace('"b"', '"d"'))
    manager = writer(iis)
    held = child(section(manager, name, f"{SITE}/ecp"), "files")
    assert names(held, "value") == ["c", "d", "a", "b"]
    add(held, "add", 1, value="e")
    add(held, "add", 3, value="f")
    assert names(held, "value") == ["c", "e", "d", "f", "a", "b"]
    manager.call("CommitChanges")
    assert "<clear />" not in iis.text
    add(held, "add", 5, value="g")
    assert names(held, "value") == ["c", "e", "d", "f", "a", "g", "b"]
    manager.call("CommitChanges")
    assert "<clear />" in iis.text
    read = child(section(reader(iis), name, f"{SITE}/ecp"), "files")
    assert names(read, "value") == ["c", "e", "d", "f", "a", "g", "b"]


def test_a_writer_does_not_see_what_files_below_hold(iis: Iis) -> None:
    """So that it can break what is below, as a name that is taken there."""
    iis.put_web_config("/", WITH_RULES.format(ONE.format("taken")))
    manager = writer(iis)
    held = section(manager, RULES, SITE)
    assert names(held) == []
    assert effective(iis) == ["taken"]
    rule(held, "taken", "x")
    manager.call("CommitChanges")
    assert refused(lambda: effective(iis)) == "COMException 800700b7"
    assert str(iis.request("/owa/", "203.0.113.5")) == "500.19"


def test_locked_items_keep_their_places(iis: Iis) -> None:
    manager = writer(iis)
    held = section(manager, MODULES, SITE)
    count = t.cast(int, collection(held).get("Count"))
    assert refused(lambda: add(held, "add", 0, name="Mine")) == "FileLoadException 80070021"
    assert (
        refused(lambda: collection(held).call("DeleteElement", 0)) == "FileLoadException 80070021"
    )
    add(held, "add", count, name="Mine")
    manager.call("CommitChanges")
    assert names(section(reader(iis), MODULES, SITE))[-1] == "Mine"


def test_values_are_judged_as_they_are_set(iis: Iis) -> None:
    held = section(writer(iis), IP_SECURITY, SITE)
    for values in ({"denyAction": "Gone"}, {"denyAction": 405}, {"allowUnlisted": "perhaps"}):
        assert refused(lambda values=values: put(held, **values)) == "COMException 8007000d"  # type: ignore[misc]
    assert refused(lambda: put(held, noSuch=1)) == "COMException 80070585"


def test_an_order_of_addresses(iis: Iis) -> None:
    manager = writer(iis)
    held = section(manager, IP_SECURITY, f"{SITE}/ecp")
    add(held, "add", ipAddress="127.0.0.1", allowed=True)
    add(held, "add", ipAddress="::1", allowed=True)
    add(held, "add", ipAddress="10.0.0.0", subnetMask="255.0.0.0", allowed=True)
    put(held, allowUnlisted=False)
    manager.call("CommitChanges")
    told = {
        client: str(iis.request("/ecp/", client))
        for client in ("10.9.9.9", "::1", "127.0.0.1", "203.0.113.5")
    }
    assert told == {"10.9.9.9": "302", "::1": "302", "127.0.0.1": "302", "203.0.113.5": "403.6"}


def test_locations(iis: Iis) -> None:
    manager = writer(iis)
    held = locations(manager)
    count = t.cast(int, held.get("Count"))
    assert refused(lambda: held.call("AddLocation", "default web site")) == "COMException 800700b7"
    new = got(held.call("AddLocation", "Default Web Site/new"))
    put(got(new.call("AddConfigSection", IP_SECURITY)), allowUnlisted=False)
    assert held.get("Count") == count + 1
    held.call("RenameLocation", count, "Default Web Site/newer")
    manager.call("CommitChanges")
    assert '<location path="Default Web Site/newer">' in iis.text
    held.call("DeleteLocation", count)
    manager.call("CommitChanges")
    assert "newer" not in iis.text
    assert refused(lambda: held.call("DeleteLocation", count)) == "COMException 80070585"
    assert (
        refused(lambda: locations(reader(iis)).call("DeleteLocation", 0))
        == "FileLoadException 80070021"
    )
