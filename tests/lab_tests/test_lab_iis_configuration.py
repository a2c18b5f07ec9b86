# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's IIS configuration, read and written by ahadmin's objects: what is in effect, what is
written, what is refused.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError, ComObject
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.contents import EDITIONS
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.errors import ConfigError
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

BLOCK = (
    '<rule name="{}" stopProcessing="true"><match url="^x" /><action type="CustomResponse" '
    'statusCode="403" /></rule>'
)

LOCKED = BLOCK.format("one").replace("name=", 'lockItem="true" name=')


@pytest.fixture
def iis() -> Iis:
    return Iis("2019", ip_restrictions=True)


def within(section_path: str, inner: str) -> str:
    """A section with its groups."""
    parts = section_path.split("/")
    return (
        "".join(f"<{part}>" for part in parts)
        + inner
        + "".join(f"</{part}>" for part in reversed(parts))
    )


def rules(*blocks: str) -> str:
    return within(
        RULES, "".join(block if "<" in block else BLOCK.format(block) for block in blocks)
    )


def refused(action: t.Callable[[], object]) -> tuple[str, str, str]:
    """Class, HRESULT and the text of what is refused."""
    with pytest.raises(ComError) as caught:
        action()
    text = caught.value.text if isinstance(caught.value, ConfigError) else caught.value.message
    return caught.value.class_name, f"{caught.value.hresult:08x}", text.strip()


def read(iis: Iis, name: str, path: str = SITE) -> ComObject:
    return section(reader(iis), name, path)


# --- what is in effect ----------------------------------------------------------------------------


def test_defaults_and_kinds(iis: Iis) -> None:
    held = read(iis, IP_SECURITY)
    assert [value(held, name) for name in ("allowUnlisted", "denyAction", "enableProxyMode")] == [
        True,
        "Forbidden",
        False,
    ]
    iis.store.numbers = True
    assert value(held, "denyAction") == 403
    assert refused(lambda: value(held, "noSuch"))[:2] == ("COMException", "80070585")


def test_version_7_lacks_what_came_with_8() -> None:
    for edition, lacks in (("2007", True), ("2010", True), ("2013", False), ("2016", False)):
        held = section(reader(Iis(edition)), IP_SECURITY, SITE)
        for name in ("denyAction", "enableProxyMode"):
            if lacks:
                assert refused(lambda held=held, name=name: value(held, name))[1] == "80070585"  # type: ignore[misc]
            else:
                assert value(held, name) in ("Forbidden", False)


def test_what_a_version_does_not_know_is_refused_in_a_file() -> None:
    iis = Iis("2010")
    iis.add_location(
        "Default Web Site",
        within(IP_SECURITY, "").replace("<ipSecurity>", '<ipSecurity denyAction="NotFound">'),
    )
    assert refused(lambda: read(iis, IP_SECURITY)) == (
        "COMException",
        "8007000d",
        "Unrecognized attribute 'denyAction'",
    )
    assert str(iis.request("/owa/", "203.0.113.5")) == "500.19"


@pytest.mark.parametrize("edition", list(EDITIONS))
def test_every_section_of_every_path_can_be_read(edition: str) -> None:
    iis = Iis(edition, rewrite=True)
    paths = [
        APPHOST,
        *(
            f"{APPHOST}/{site.name}{directory.url}"
            for site in iis.sites()
            for directory in site.directories
        ),
    ]
    for path in paths:
        for name in (RULES, IP_SECURITY, MODULES, "system.webServer/security/requestFiltering"):
            section(reader(iis), name, path)
    assert len(paths) > 6


def test_order_of_inheritance(iis: Iis) -> None:
    """Outermost first: root, then for each level its location before its web.config."""
    iis.replace(
        "</system.webServer>\r\n    <location",
        f"{rules('root')[18:-19]}</system.webServer>\r\n    <location",
    )
    iis.add_location("default web site/OWA", rules("owa location"))
    iis.put_web_config("/owa", rules("owa file"))
    iis.put_web_config(
        "/",
        rules("site file")
        + f'<location path="owa">{rules("owa location of the site file")}</location>',
    )
    iis.add_location("Default Web Site", rules("site location"))
    assert names(read(iis, RULES, f"{SITE}/owa/auth")) == [
        "root",
        "site location",
        "site file",
        "owa location",
        "owa location of the site file",
        "owa file",
    ]
    assert names(read(iis, RULES, f"{SITE}/ecp")) == ["root", "site location", "site file"]


def test_clear_remove_and_enabled(iis: Iis) -> None:
    iis.add_location("Default Web Site", rules("one", "two", "three"))
    iis.put_web_config("/ecp", rules('<remove name="TWO" />', "four"))
    iis.put_web_config("/owa", rules("<clear />", "mine"))
    assert names(read(iis, RULES, f"{SITE}/ecp")) == ["one", "three", "four"]
    assert names(read(iis, RULES, f"{SITE}/owa/auth")) == ["mine"]


def test_not_inherited_by_applications(iis: Iis) -> None:
    iis.add_location("Default Web Site", rules("one"), 'inheritInChildApplications="false"')
    assert names(read(iis, RULES)) == ["one"]
    assert names(read(iis, RULES, f"{SITE}/folder")) == ["one"]
    assert names(read(iis, RULES, f"{SITE}/ecp")) == []


def test_metadata_tells_where_it_stands(iis: Iis) -> None:
    iis.add_location("Default Web Site", rules("one"))
    iis.put_web_config("/ecp", rules("two"))
    held = read(iis, RULES, f"{SITE}/ecp")
    first, second = items(held)
    assert first.call("GetMetadata", "deepestPathSet") == SITE
    assert str(first.call("GetMetadata", "deepestFileNameSet")).endswith("\\applicationHost.config")
    assert second.call("GetMetadata", "deepestPathSet") == f"{SITE}/ecp"
    assert str(second.call("GetMetadata", "deepestFileNameSet")).endswith("\\web.config")
    assert held.call("GetMetadata", "effectiveOverrideMode") == "Allow"
    assert read(iis, IP_SECURITY).call("GetMetadata", "effectiveOverrideMode") == "Deny"
    assert refused(lambda: held.call("GetMetadata", "noSuch"))[1] == "80070032"


def test_locations_of_a_file(iis: Iis) -> None:
    iis.add_location("Default Web Site/x.aspx", rules("one"))
    file = got(got(reader(iis).get("ConfigManager")).call("GetConfigFile", APPHOST))
    held = got(file.get("Locations"))
    paths = [
        got(held.call("Item", index)).get("Path") for index in range(t.cast(int, held.get("Count")))
    ]
    assert paths[:2] == ["", "Default Web Site"]
    assert paths[-1] == "Default Web Site/x.aspx"
    last = got(held.call("Item", "default web site/X.ASPX"))
    assert last.get("Count") == 1
    assert got(last.call("Item", 0)).get("Name") == RULES


# --- what is refused when it is read -----------------------------------------------------------


def test_unknown_paths_and_sections(iis: Iis) -> None:
    path = f"{APPHOST}/No Such Site"
    assert refused(lambda: read(iis, RULES, path)) == (
        "FileNotFoundException",
        "80070002",
        f"Unrecognized configuration path '{path}'",
    )
    read(iis, RULES, f"{SITE}/no/such/folder")
    assert refused(lambda: read(iis, "system.webServer/noSuch")) == (
        "COMException",
        "8007000d",
        (
            "The configuration section 'system.webServer/noSuch' cannot be read because it is "
            "missing a section declaration"
        ),
    )


def test_without_url_rewrite() -> None:
    iis = Iis("2013", rewrite=False)
    assert "missing a section declaration" in refused(lambda: read(iis, RULES))[2]
    assert str(iis.request("/ecp/", "203.0.113.5")) == "302"
    iis.put_web_config("/ecp", rules("one"))
    assert str(iis.request("/ecp/", "203.0.113.5")) == "500.19"


def test_declared_without_a_schema(iis: Iis) -> None:
    iis.store.rewrite = False
    assert refused(lambda: read(iis, RULES)) == (
        "FileNotFoundException",
        "80070002",
        f"The configuration section '{RULES}' cannot be read because it is missing schema",
    )


NUMBER = '<rule name="a"><match url="x" /><action type="CustomResponse" statusCode="302" /></rule>'
INVALID = ("COMException", "8007000d")
UNUSABLE = {
    rules("same", "SAME"): (
        "COMException",
        "800700b7",
        "Cannot add duplicate collection entry of type 'rule' with ",
    ),
    rules("<rule />"): (
        "FileNotFoundException",
        "80070002",
        "Element is missing required attributes name",
    ),
    rules('<rule name="a" x="b" />'): (*INVALID, "Unrecognized attribute 'x'"),
    rules("<add />"): (*INVALID, "Unrecognized element 'add'"),
    rules('<rule name="a" patternSyntax="Perl" />'): (
        *INVALID,
        "Enum must be one of ECMAScript, Wildcard, ExactMatch",
    ),
    rules('<rule name="a"><match url="" /></rule>'): (
        *INVALID,
        "The 'url' attribute is invalid.  String must not be empty",
    ),
    rules(NUMBER): (
        *INVALID,
        "The 'statusCode' attribute is invalid.  Integer value must not be between 300 and 307 ",
    ),
    within(IP_SECURITY, ""): (
        "FileLoadException",
        "80070021",
        (
            "This configuration section cannot be used at this path. "
            "This happens when the section is locked at a parent level."
        ),
    ),
}


@pytest.mark.parametrize("inner", list(UNUSABLE))
def test_what_a_web_config_must_not_hold(iis: Iis, inner: str) -> None:
    class_name, hresult, text = UNUSABLE[inner]
    iis.put_web_config("/ecp", inner)
    name = IP_SECURITY if "ipSecurity" in inner else RULES
    told = refused(lambda: read(iis, name, f"{SITE}/ecp"))
    assert told[:2] == (class_name, hresult)
    assert told[2].startswith(text)
    # Only what is below it is broken.
    read(iis, name)
    assert str(iis.request("/ecp/", "203.0.113.5")) == "500.19"
    assert str(iis.request("/owa/", "203.0.113.5")) == "302"


def test_the_same_name_at_two_levels(iis: Iis) -> None:
    iis.add_location("Default Web Site", rules("one"))
    iis.put_web_config("/ecp", rules("ONE"))
    assert refused(lambda: read(iis, RULES, f"{SITE}/ecp"))[1] == "800700b7"


@pytest.mark.parametrize(
    "content", [b"", b"<configuration><location></configuration>", b"\xff\xfe<"]
)
def test_a_file_that_is_no_xml(iis: Iis, content: bytes) -> None:
    iis.disk.write(f"{iis.physical('/ecp')}\\web.config", content)
    told = refused(lambda: read(iis, RULES, f"{SITE}/ecp/folder"))
    assert told == ("COMException", "8007000d", "Configuration file is not well-formed XML")
    read(iis, RULES)
    iis.disk.write("C:\\Windows\\System32\\inetsrv\\config\\applicationHost.config", content)
    assert refused(lambda: read(iis, RULES))[1] == "8007000d"
    assert str(iis.request("/owa/", "203.0.113.5")) == "503"


def test_errors_carry_their_place(iis: Iis) -> None:
    iis.put_web_config("/ecp", "\r\n" + rules("<add />"))
    with pytest.raises(ConfigError) as caught:
        read(iis, RULES, f"{SITE}/ecp")
    assert (caught.value.config_path, caught.value.line) == (f"{SITE}/ecp", 3)
    assert str(caught.value.file_name).endswith("web.config")


def test_sections_are_opened_and_locked_by_locations(iis: Iis) -> None:
    inner = within(IP_SECURITY, "")
    iis.put_web_config("/ecp", inner)
    iis.add_location("Default Web Site/ecp", inner, 'overrideMode="Allow"')
    assert (
        read(iis, IP_SECURITY, f"{SITE}/ecp").call("GetMetadata", "effectiveOverrideMode")
        == "Allow"
    )
    iis.put_web_config("/owa", rules("one"))
    iis.add_location("Default Web Site/owa", within(RULES, ""), 'allowOverride="false"')
    assert refused(lambda: read(iis, RULES, f"{SITE}/owa"))[1] == "80070021"
    iis.add_location(
        "Default Web Site/EWS", within(RULES, ""), 'allowOverride="false" overrideMode="Deny"'
    )
    iis.put_web_config("/EWS", rules("one"))
    assert refused(lambda: read(iis, RULES, f"{SITE}/EWS"))[1] == "8007000d"


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ('<rules lockElements="rule" />', BLOCK.format("one")),
        ('<rules lockAllElementsExcept="clear"><clear /></rules>', BLOCK.format("one")),
        ('<rules lockItem="true" />', BLOCK.format("one")),
        (f"<rules>{LOCKED}</rules>", "<clear />"),
        (f"<rules>{LOCKED}</rules>", '<remove name="one" />'),
    ],
)
def test_locks(iis: Iis, above: str, below: str) -> None:
    iis.add_location("Default Web Site", within("system.webServer/rewrite", above))
    iis.put_web_config("/ecp", rules(below))
    assert refused(lambda: read(iis, RULES, f"{SITE}/ecp")) == (
        "FileLoadException",
        "80070021",
        "Lock violation",
    )
    assert names(read(iis, RULES)) in ([], ["one"])


def test_locked_attributes(iis: Iis) -> None:
    iis.add_location(
        "Default Web Site",
        within(IP_SECURITY, "").replace(
            "<ipSecurity>", '<ipSecurity lockAttributes="allowUnlisted">'
        ),
    )
    manager = writer(iis)
    held = section(manager, IP_SECURITY, f"{SITE}/ecp")
    assert refused(lambda: put(held, allowUnlisted=False)) == (
        "FileLoadException",
        "80070021",
        "Lock violation",
    )
    put(held, denyAction="NotFound")
    manager.call("CommitChanges")
    assert value(read(iis, IP_SECURITY, f"{SITE}/ecp"), "denyAction") == "NotFound"


def test_two_locations_of_one_path(iis: Iis) -> None:
    iis.add_location("Default Web Site", rules("one"))
    iis.add_location("Default Web Site", rules("two"))
    assert refused(lambda: read(iis, RULES))[1] == "800700b7"
    # Of different sections they are legal.
    read(iis, IP_SECURITY)


def test_a_section_in_a_file_of_its_own(iis: Iis) -> None:
    iis.add_location(
        "Default Web Site", within("system.webServer/rewrite", '<rules configSource="rules.xml" />')
    )
    assert refused(lambda: read(iis, RULES))[1] == "80070002"
    iis.disk.write(
        "C:\\Windows\\System32\\inetsrv\\config\\rules.xml",
        f"<rules>{BLOCK.format('one')}</rules>".encode(),
    )
    assert names(read(iis, RULES)) == ["one"]
    assert refused(lambda: rule(section(writer(iis), RULES, SITE), "two", "x"))[1] == "80070032"


def test_shared_configuration(iis: Iis) -> None:
    def told() -> list[object]:
        held = section(reader(iis), "configurationRedirection", "MACHINE/REDIRECTION")
        return [value(held, "enabled"), value(held, "path")]

    assert told() == [False, ""]
    iis.share("\\\\files.example.test\\iis")
    assert told() == [True, "\\\\files.example.test\\iis"]
    manager = writer(iis)
    rule(section(manager, RULES, SITE), "one", "^ecp")
    manager.call("CommitChanges")
    assert b'name="one"' in (
        iis.disk.read("\\\\files.example.test\\iis\\applicationHost.config") or b""
    )
    assert b'name="one"' not in (
        iis.disk.read("C:\\Windows\\System32\\inetsrv\\config\\applicationHost.config") or b""
    )


def test_no_administrator(iis: Iis) -> None:
    iis.store.denied = True
    assert refused(lambda: read(iis, RULES))[:2] == ("UnauthorizedAccessException", "80070005")


def test_nothing_can_be_enumerated_or_guessed(iis: Iis) -> None:
    held = read(iis, RULES)
    assert not collection(held).enumerable
    assert refused(lambda: held.get("Rules"))[1] == "80020006"
    assert refused(lambda: put(held, useOriginalURLEncoding=False))[1] == "80070021"
    assert refused(lambda: collection(held).call("CreateNewElement", "rule"))[1] == "80070021"


def test_utf16(iis: Iis) -> None:
    text = f'<?xml version="1.0" encoding="UTF-16"?><configuration>{rules("ünï")}</configuration>'
    file = f"{iis.physical('/ecp')}\\web.config"
    iis.disk.write(file, b"\xff\xfe" + text.encode("utf-16-le"))
    assert names(read(iis, RULES, f"{SITE}/ecp")) == ["ünï"]
    manager = writer(iis, f"{SITE}/ecp")
    rule(section(manager, RULES, f"{SITE}/ecp"), "zwei", "x")
    manager.call("CommitChanges")
    assert "zwei" in (iis.disk.read(file) or b"").decode("utf-16")
    assert child(items(read(iis, RULES, f"{SITE}/ecp"))[1], "match").get("Name") == "match"


def test_an_item_is_added_by_its_values(iis: Iis) -> None:
    manager = writer(iis)
    held = section(manager, IP_SECURITY, SITE)
    add(held, "add", ipAddress="192.0.2.0", subnetMask="24", allowed=True)
    add(held, "add", ipAddress="192.0.2.0", subnetMask="255.255.255.0", allowed=True)
    told = refused(lambda: add(held, "add", ipAddress="192.0.2.0", subnetMask="24"))
    assert told[1] == "800700b7"
    assert (
        "combined key attributes 'ipAddress', 'subnetMask', 'domainName' respectively set to "
        "'192.0.2.0', '24', ''"
    ) in told[2]
