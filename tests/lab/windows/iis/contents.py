# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The applicationHost.config of an invented Exchange server, and the web.config of its Default Web
Site.

Made, not copied: as small as it may be with every form that the real ones in CSS-Exchange's test
data have: two sites, a location with an empty path that opens sections, `lockItem`, a section with
locked attributes, tabs, a location inside a comment, folders of a version, and a location of the
root's web.config that children do not inherit.
"""

from __future__ import annotations

import dataclasses
import typing as t

FRONT = (
    ("owa", "owa"),
    ("owa/Calendar", "owa"),
    ("owa/Integrated", "owa"),
    ("owa/oma", "owa"),
    ("ecp", "ecp"),
    ("EWS", "EWS"),
    ("API", "Rest"),
    ("Autodiscover", "Autodiscover"),
    ("Microsoft-Server-ActiveSync", "sync"),
    ("OAB", "OAB"),
    ("PowerShell", "PowerShell"),
    ("mapi", "mapi"),
    ("Rpc", "rpc"),
)
BACK = (
    "PowerShell",
    "mapi/emsmdb",
    "mapi/nspi",
    "owa",
    "OAB",
    "ecp",
    "Autodiscover",
    "EWS",
    "Rpc",
    "PushNotifications",
)
MODULES = (
    "HttpLoggingModule",
    "StaticCompressionModule",
    "DefaultDocumentModule",
    "DirectoryListingModule",
    "StaticFileModule",
    "AnonymousAuthenticationModule",
    "RequestFilteringModule",
    "CustomErrorModule",
)


@dataclasses.dataclass(frozen=True)
class Edition:
    """What differs between servers: the version of IIS, where Exchange is, and the directories that
    it has.
    """

    iis: tuple[int, int]
    root: str
    without: tuple[str, ...] = ()
    back_end: bool = True
    # Set-up asks for URL Rewrite since the cumulative updates of September 2021; real files
    # of Exchange 2013 are without it.
    rewrite: bool = True


EDITIONS: t.Mapping[str, Edition] = {
    # Windows Server 2008 and 2008 R2: one site, and Client Access behind no proxy of its own.
    "2007": Edition(
        (7, 0),
        "C:\\Program Files\\Microsoft\\Exchange Server\\ClientAccess",
        ("owa/Calendar", "owa/Integrated", "owa/oma", "ecp", "API", "PowerShell", "mapi"),
        False,
        False,
    ),
    "2010": Edition(
        (7, 5),
        "C:\\Program Files\\Microsoft\\Exchange Server\\V14\\ClientAccess",
        ("owa/Calendar", "owa/Integrated", "owa/oma", "API", "mapi"),
        False,
        False,
    ),
    "2013": Edition(
        (8, 5),
        "C:\\Program Files\\Microsoft\\Exchange Server\\V15",
        ("owa/Integrated", "owa/oma", "API"),
        rewrite=False,
    ),
    "2016": Edition((10, 0), "C:\\Program Files\\Microsoft\\Exchange Server\\V15"),
    "2019": Edition((10, 0), "C:\\Program Files\\Microsoft\\Exchange Server\\V15"),
    "se": Edition((10, 0), "C:\\Program Files\\Microsoft\\Exchange Server\\V15"),
}


def front_end(edition: Edition) -> list[tuple[str, str]]:
    """The virtual directories of Default Web Site, with their folders."""
    root = f"{edition.root}\\FrontEnd\\HttpProxy" if edition.back_end else edition.root
    return [(url, f"{root}\\{folder}") for url, folder in FRONT if url not in edition.without]


def application_host(edition: Edition, rewrite: bool, ip_restrictions: bool) -> str:
    """The text of applicationHost.config. `rewrite` and `ip_restrictions`: whether those modules
    are installed.
    """
    rewriting = _REWRITE if rewrite else ""
    modules = [*MODULES, *(["IpRestrictionModule"] if ip_restrictions else [])]
    # The installer of URL Rewrite adds its module without a lock, as in the files of real servers.
    added = "".join(f'\t\t\t<add name="{name}" lockItem="true" />\r\n' for name in modules)
    added += '\t\t\t<add name="RewriteModule" />\r\n' if rewrite else ""
    images = "".join(
        f'            <add name="{name}" image="%windir%\\System32\\{name.lower()}.dll" />\r\n'
        for name in (*modules, *(["RewriteModule"] if rewrite else []))
    )
    sites = _site(
        "Default Web Site", 1, "%SystemDrive%\\inetpub\\wwwroot", front_end(edition), (80, 443)
    )
    if edition.back_end:
        inner = [(url, f"{edition.root}\\ClientAccess\\{url.rpartition('/')[2]}") for url in BACK]
        sites += _site("Exchange Back End", 2, f"{edition.root}\\ClientAccess", inner, (81, 444))
    locations = "".join(_location(f"Default Web Site/{url}") for url, _rest in front_end(edition))
    if edition.back_end:
        locations += "".join(_location(f"Exchange Back End/{url}") for url in BACK)
        locations += _location("Exchange Back End/owa/15.9.999.1")
    return (
        _FILE.format(
            rewriting=rewriting,
            images=images,
            sites=sites,
            modules=added,
            locations=locations,
            at_host='allowDefinition="AppHostOnly"',
            at_application='allowDefinition="MachineToApplication"',
        )
        .replace("\r\n", "\n")
        .replace("\n", "\r\n")
    )


def web_config(edition: Edition) -> str | None:
    """The web.config of Default Web Site's root; None where there is none."""
    return _WEB_CONFIG if edition.back_end else None


def _site(
    name: str,
    number: int,
    root: str,
    directories: t.Sequence[tuple[str, str]],
    ports: tuple[int, int],
) -> str:
    applications = "".join(
        f"""                <application path="/{url}" applicationPool="DefaultAppPool">
                    <virtualDirectory path="/" physicalPath="{physical}" />
                </application>
"""
        for url, physical in directories
    )
    bindings = (
        f"""                    <binding protocol="http" bindingInformation="*:{ports[0]}:" />
                    <binding protocol="https" bindingInformation="*:{ports[1]}:" />
                    <binding protocol="https" bindingInformation="127.0.0.1:{ports[1]}:" />
"""
        if number == 1
        else f"""                    <binding protocol="http" bindingInformation="*:{ports[0]}:" />
                    <binding protocol="https" bindingInformation="*:{ports[1]}:" />
"""
    )
    return f"""            <site name="{name}" id="{number}" serverAutoStart="true">
                <application path="/" applicationPool="DefaultAppPool">
                    <virtualDirectory path="/" physicalPath="{root}" />
                </application>
{applications}                <bindings>
{bindings}                </bindings>
            </site>
"""


def _location(path: str) -> str:
    return f"""    <location path="{path}">
        <system.webServer>
            <security>
                <authentication>
                    <anonymousAuthentication enabled="true" />
                    <windowsAuthentication enabled="false" />
                </authentication>
            </security>
            <urlCompression doDynamicCompression="false" />
        </system.webServer>
    </location>
"""


_REWRITE = """            <sectionGroup name="rewrite">
                <section name="globalRules" allowDefinition="AppHostOnly"
                    overrideModeDefault="Deny" />
                <section name="rules" overrideModeDefault="Allow" />
                <section name="outboundRules" overrideModeDefault="Allow" />
                <section name="providers" overrideModeDefault="Allow" />
                <section name="rewriteMaps" overrideModeDefault="Allow" />
                <section name="allowedServerVariables" overrideModeDefault="Deny" />
            </sectionGroup>
"""

_FILE = """<?xml version="1.0" encoding="UTF-8"?>
<!-- An invented server. -->

<configuration>

    <!--
        Sections are opened by a location, such as
        <location path="Default Web Site" overrideMode="Allow">
            <system.webServer />
        </location>
    -->
    <configSections>
        <sectionGroup name="system.applicationHost">
            <section name="applicationPools" overrideModeDefault="Deny" {at_host} />
            <section name="sites" allowDefinition="AppHostOnly" overrideModeDefault="Deny" />
        </sectionGroup>

        <sectionGroup name="system.webServer">
            <section name="defaultDocument" overrideModeDefault="Allow" />
            <section name="globalModules" {at_host} overrideModeDefault="Deny" />
            <section name="handlers" overrideModeDefault="Deny" />
            <section name="httpErrors" overrideModeDefault="Allow" />
            <section name="modules" {at_application} overrideModeDefault="Deny" />
            <sectionGroup name="security">
                <section name="access" overrideModeDefault="Deny" />
                <sectionGroup name="authentication">
                    <section name="anonymousAuthentication" overrideModeDefault="Deny" />
                    <section name="windowsAuthentication" overrideModeDefault="Deny" />
                </sectionGroup>
                <section name="ipSecurity" overrideModeDefault="Deny" />
                <section name="requestFiltering" overrideModeDefault="Allow" />
            </sectionGroup>
            <section name="serverRuntime" overrideModeDefault="Deny" />
            <section name="urlCompression" overrideModeDefault="Allow" />
{rewriting}        </sectionGroup>
    </configSections>

    <system.applicationHost>

        <applicationPools>
            <add name="DefaultAppPool" managedRuntimeVersion="v4.0" />
        </applicationPools>

        <sites>
{sites}            <siteDefaults>
                <logFile logFormat="W3C" directory="%SystemDrive%\\inetpub\\logs\\LogFiles" />
            </siteDefaults>
            <applicationDefaults applicationPool="DefaultAppPool" />
            <virtualDirectoryDefaults allowSubDirConfig="true" />
        </sites>

    </system.applicationHost>

    <system.webServer>

        <globalModules>
{images}        </globalModules>

        <httpErrors lockAttributes="allowAbsolutePathsWhenDelegated,defaultPath">
            <error statusCode="403" prefixLanguageFilePath="C:\\inetpub\\custerr" path="403.htm" />
        </httpErrors>

        <security>
            <access sslFlags="None" />
            <ipSecurity />
            <requestFiltering>
                <fileExtensions allowUnlisted="true" applyToWebDAV="true">
                    <add fileExtension=".cs" allowed="false" />
                    <add fileExtension=".config" allowed="false" />
                </fileExtensions>
                <verbs allowUnlisted="true" applyToWebDAV="true" />
                <hiddenSegments applyToWebDAV="true">
                    <add segment="web.config" />
                    <add segment="bin" />
                </hiddenSegments>
            </requestFiltering>
        </security>

    </system.webServer>
    <location path="" overrideMode="Allow">
        <system.webServer>
\t\t<modules>
{modules}\t\t</modules>
        <handlers accessPolicy="Read, Script">
            <add name="StaticFile" path="*" verb="*" modules="StaticFileModule" />
        </handlers>
        <serverRuntime />
        </system.webServer>
    </location>
    <location path="Default Web Site">
        <system.webServer>
            <security>
                <access sslFlags="Ssl, Ssl128" />
            </security>
            <urlCompression doDynamicCompression="false" />
        </system.webServer>
    </location>
{locations}</configuration>
"""

_WEB_CONFIG = """\ufeff<?xml version="1.0" encoding="UTF-8"?>\r
<configuration>\r
  <location inheritInChildApplications="false">\r
    <system.webServer>\r
      <!-- Less for each request, in the root alone -->\r
      <serverRuntime uploadReadAheadSize="0" />\r
    </system.webServer>\r
  </location>\r
</configuration>\r
"""
