# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's IIS against what is Microsoft's own: its reading of rewrite rules, and files of real
servers.

IIS_REWRITE names a program that asks ASP.NET Core's URL Rewrite; it is compared where both know the
same. MAILEDGE_FIXTURES names a folder with configurations of real Exchange servers.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import subprocess
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.windows.iis import sections
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.layers import declarations
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.markup import Document
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.store import Session
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.urls import BadUrl, cooked
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.view import SectionView
from ansible_collections.mailedge.lockdown.tests.support.iis import (
    APPHOST,
    RULES,
    SITE,
    collection,
    got,
    names,
    put,
    reader,
    rule,
    section,
    writer,
)

REWRITE = os.environ.get("IIS_REWRITE", "")
FIXTURES = os.environ.get("MAILEDGE_FIXTURES", "")
needs_rewrite = pytest.mark.skipif(not REWRITE, reason="no reading of Microsoft's: set IIS_REWRITE")
needs_fixtures = pytest.mark.skipif(
    not FIXTURES, reason="no files of real servers: set MAILEDGE_FIXTURES"
)


# --- rules ----------------------------------------------------------------------------------------

URLS = (
    r"^/*ecp(?:[/.;\s]|$)",
    "^ecp(?:/|$)",
    ".*",
    "^(owa|ews)/(.*)$",
    r"^(?!owa)[^/]+/",
    r"powershell(?=.*\.)",
    "^$",
    r"[.;]",
)
INPUTS = {
    "{REMOTE_ADDR}": (r"^10\.", r"^(?:203\.0\.113\.(?:[0-9]|[1-9][0-9]))$", "^::1$", "^$"),
    "{HTTP_HOST}": (r"^mail\.", "example", "^MAIL"),
    "{QUERY_STRING}": ("^$", "a=1", "(?=.*autodiscover)(?=.*powershell)"),
    "{UNENCODED_URL}": ("%65cp", "^/ecp", r"\.\."),
    "{R:1}": ("^owa$", "^$", "."),
    "{C:0}": ("^1", "^$"),
    "{UrlDecode:{QUERY_STRING}}": ("/", "^$"),
    "{ToLower:{HTTP_HOST}}": ("^mail", "^MAIL"),
}
ACTIONS = (
    '<action type="CustomResponse" statusCode="403" />',
    '<action type="CustomResponse" statusCode="404" />',
    '<action type="AbortRequest" />',
    '<action type="Redirect" url="/gone/" redirectType="Found" appendQueryString="false" />',
    '<action type="Rewrite" url="ecp/x" appendQueryString="true" />',
    '<action type="Rewrite" url="nothing/{R:1}" appendQueryString="false" />',
    '<action type="None" />',
)
PATHS = (
    "/",
    "/ecp",
    "/ecp/",
    "/ECP/default.aspx",
    "/ecp.",
    "/ecp;a",
    "//ecp",
    "/ecpx",
    "/owa/",
    "/owa/auth/x.aspx",
    "/ews/Exchange.asmx",
    "/powershell/a.b",
    "/%65cp/",
    "/owa/..%2fecp",
)
QUERIES = ("", "?a=1", "?x=%2Fautodiscover&powershell", "?powershell&/autodiscover")
CLIENTS = ("10.1.2.3", "203.0.113.7", "203.0.113.200", "::1")


def invented_rules(source: random.Random) -> str:
    """A list of rules of the forms that both know."""
    texts = []
    for number in range(source.randint(1, 5)):
        url = source.choice(URLS)
        negated = source.random() < 0.3
        # A reference to a group that is not there ends the other program.
        grouped = "(owa" in url and not negated
        conditions = ""
        if source.random() < 0.8:
            inner = ""
            for _turn in range(source.randint(1, 3)):
                name = source.choice([known for known in INPUTS if grouped or known != "{R:1}"])
                more = source.choice(("", ' negate="true"', ' ignoreCase="false"'))
                inner += f'<add input="{name}" pattern="{source.choice(INPUTS[name])}"{more} />'
            grouping = source.choice(("MatchAll", "MatchAny"))
            conditions = f'<conditions logicalGrouping="{grouping}">{inner}</conditions>'
        match = f'<match url="{url}" negate="{str(negated).lower()}" />'
        action = source.choice([known for known in ACTIONS if grouped or "{R:1}" not in known])
        stop, enabled = (
            source.choice(("true", "false")),
            source.choice(("true", "true", "true", "false")),
        )
        attributes = f'name="rule {number}" enabled="{enabled}" stopProcessing="{stop}"'
        texts.append(f"<rule {attributes}>{match}{conditions}{action}</rule>")
    return f"<rewrite><rules>{''.join(texts)}</rules></rewrite>"


def vendor(
    folder: pathlib.Path, text: str, requests: t.Sequence[t.Mapping[str, t.Any]]
) -> list[dict[str, t.Any]]:
    config = folder / "web.config"
    config.write_text(
        f"<configuration><system.webServer>{text}</system.webServer></configuration>",
        encoding="utf-8",
    )
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        [REWRITE, str(config)], input=lines.encode(), capture_output=True, timeout=120, check=True
    )
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


@needs_rewrite
def test_random_rules_are_read_as_microsoft_reads_them(tmp_path: pathlib.Path) -> None:
    """What is left out, because the other does not know it: sub-status codes, references to groups
    that are not there.
    """
    source = random.Random(20261129)
    differences, outcomes = [], set()
    for _turn in range(12):
        text = invented_rules(source)
        sent = [
            (source.choice(PATHS) + source.choice(QUERIES), source.choice(CLIENTS))
            for _turn in range(150)
        ]
        iis = Iis("2019")
        # Without Request Filtering, of which the other knows nothing.
        iis.replace('<add name="RequestFilteringModule" lockItem="true" />', "")
        iis.add_location("Default Web Site", f"<system.webServer>{text}</system.webServer>")
        judge = iis.judge()
        requests = []
        for target, client in sent:
            path, mark, query = target.partition("?")
            variables = {"UNENCODED_URL": target, "URL": cooked(path)}
            requests.append(
                {
                    "path": cooked(path),
                    "query": mark + query,
                    "remote": client,
                    "host": "mail.example.test",
                    "variables": variables,
                }
            )
        for (target, client), theirs in zip(sent, vendor(tmp_path, text, requests)):
            ours = judge.request(target, client)
            told = (
                "aborted"
                if ours.aborted
                else "passed"
                if ours.passed
                else ("custom" if ours.status >= 400 else "redirect")
            )
            expected = theirs["outcome"]
            outcomes.add(told)
            if told != expected or (told == "custom" and ours.status != theirs["status"]):
                differences.append((text, target, client, str(ours), theirs))
    assert differences == []
    assert outcomes == {"passed", "custom", "redirect", "aborted"}


# --- files of real servers ------------------------------------------------------------------------


def real(name: str) -> pathlib.Path:
    return pathlib.Path(FIXTURES) / name


def served(name: str) -> Iis:
    """An IIS with the applicationHost.config of a real server."""
    rewrite = "2013" not in name
    iis = Iis("2019" if rewrite else "2013", rewrite=rewrite)
    iis.disk.write(f"{iis.store.folder}\\applicationHost.config", real(name).read_bytes())
    if "2019" in name:
        content = real("exchange2019_default_web_site_web.config").read_bytes()
        iis.disk.write("C:\\inetpub\\wwwroot\\web.config", content)
    return iis


FILES = (
    "exchange2013_cas_applicationHost.config",
    "exchange2016_applicationHost_mixed.config",
    "exchange2019_applicationHost.config",
)


@needs_fixtures
@pytest.mark.parametrize("name", FILES)
def test_every_section_of_a_real_server_is_read(name: str) -> None:
    iis = served(name)
    session = Session(iis.store, lasting=True)
    document = Document(real(name).read_bytes())
    declared = sorted(declarations(document))
    sites = session.sites()
    paths = [
        APPHOST,
        *(
            f"{APPHOST}/{site.name}{directory.url}"
            for site in sites
            for directory in site.directories
        ),
    ]
    paths += [
        f"{APPHOST}/{location.attributes['path']}"
        for location in document.root.elements("location")
        if location.attributes["path"]
    ]
    assert len(declared) > 50
    assert len(paths) > 30
    for path in paths:
        for section_name in (
            declared
            if path in paths[:4]
            else (sections.IP_SECURITY, sections.MODULES, sections.REQUEST_FILTERING)
        ):
            view = SectionView(session, section_name, path)
            view.items()
    modules = {
        str(item.value("name")) for item in SectionView(session, sections.MODULES, paths[1]).items()
    }
    assert ("RewriteModule" in modules) == ("2013" not in name)


@needs_fixtures
@pytest.mark.parametrize("name", FILES)
def test_a_change_of_a_real_file_and_back(name: str) -> None:
    iis = served(name)
    before = real(name).read_bytes()
    text = iis.text

    def content() -> bytes:
        return iis.disk.read(f"{iis.store.folder}\\applicationHost.config") or b""

    manager = writer(iis)
    held = section(manager, sections.IP_SECURITY, f"{SITE}/EWS")
    put(held, allowUnlisted=False)
    if "2013" not in name:
        rule(section(manager, RULES, SITE), "ours", "^ecp")
    manager.call("CommitChanges")
    after = content().decode()
    # Line by line: something was put in, and nothing else is another.
    added = iter(after.splitlines())
    assert all(line in added for line in text.splitlines())
    assert '<ipSecurity allowUnlisted="false" />' in after
    assert str(iis.request("/ews/x", "203.0.113.5")) in ("302", "401"), "the module is not there"
    manager = writer(iis)
    locations = got(
        got(got(manager.get("ConfigManager")).call("GetConfigFile", APPHOST)).get("Locations")
    )
    got(locations.call("Item", "Default Web Site/EWS")).call(
        "DeleteConfigSection", sections.IP_SECURITY
    )
    if "2013" not in name:
        collection(section(manager, RULES, SITE)).call("DeleteElement", 0)
        got(locations.call("Item", "Default Web Site")).call("DeleteConfigSection", RULES)
    manager.call("CommitChanges")
    assert content() == before


@needs_fixtures
def test_requests_to_a_real_server() -> None:
    iis = served("exchange2019_applicationHost.config")
    told = {
        "/": "302",
        "/owa/": "302",
        "/ecp": "302",
        "/EWS/Exchange.asmx": "401",
        "/none": "404",
        "/owa/%2565": "404.11",
    }
    assert {path: str(iis.request(path, "203.0.113.5")) for path in told} == told
    # Its root runs without Request Filtering, which its web.config takes out for the root alone.
    assert str(iis.request("/%2565cp", "203.0.113.5")) == "404"
    iis.add_location("Default Web Site", "")
    assert names(section(reader(iis), sections.MODULES, SITE))[-1] == "OwaJavascriptRedirectModule"


@needs_fixtures
@pytest.mark.parametrize(
    "name", sorted(path.name for path in pathlib.Path(FIXTURES or ".").glob("*.config"))
)
def test_bytes_of_real_files(name: str) -> None:
    content = real(name).read_bytes()
    assert Document(content).content() == content


def test_paths_that_cannot_be_cooked_are_none_of_these() -> None:
    for path in PATHS:
        try:
            cooked(path)
        except BadUrl:
            pytest.fail(f"{path} never reaches a rule")
