# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sections that the lab understands, by version of IIS.

From Microsoft's IIS_schema.xml and rewrite_schema.xml, in words of our own.
A section that is declared and not here is taken as it stands: nothing in it is judged, and nothing
in it decides over a request.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.schema import (
    ANYTHING,
    Attribute,
    Collection,
    Schema,
    attributes,
)

REWRITE = "system.webServer/rewrite/"
RULES = f"{REWRITE}rules"
GLOBAL_RULES = f"{REWRITE}globalRules"
IP_SECURITY = "system.webServer/security/ipSecurity"
REQUEST_FILTERING = "system.webServer/security/requestFiltering"
MODULES = "system.webServer/modules"
SITES = "system.applicationHost/sites"
REDIRECTION = "configurationRedirection"

SYNTAX = {"ECMAScript": 0, "Wildcard": 1, "ExactMatch": 2}
GROUPING = {"MatchAll": 0, "MatchAny": 1}
ACTIONS = {"None": 0, "Rewrite": 1, "Redirect": 2, "CustomResponse": 3, "AbortRequest": 4}
MATCHES = {"Pattern": 0, "IsFile": 1, "IsDirectory": 2}
REDIRECTS = {"Permanent": 301, "Found": 302, "SeeOther": 303, "Temporary": 307}
DENIALS = {"AbortRequest": 0, "Unauthorized": 401, "Forbidden": 403, "NotFound": 404}


def _flag(name: str, default: bool) -> Attribute:
    return Attribute(name, "bool", default)


def _pairs(*key: str, extra: t.Sequence[Attribute] = (), items: str = "add") -> Schema:
    known = attributes(*(Attribute(name, required=True, not_empty=True) for name in key), *extra)
    return Schema(collection=Collection({items: Schema(known)}, key, "clear", "remove"))


def _rules() -> Schema:
    condition = attributes(
        Attribute("input", required=True),
        Attribute("matchType", "enum", "Pattern", values=MATCHES),
        Attribute("pattern"),
        _flag("ignoreCase", True),
        _flag("negate", False),
    )
    conditions = Schema(
        attributes(
            Attribute("logicalGrouping", "enum", "MatchAll", values=GROUPING),
            _flag("trackAllCaptures", False),
        ),
        collection=Collection({"add": Schema(condition)}, duplicates=True),
    )
    variable = attributes(
        Attribute("name", required=True), Attribute("value"), _flag("replace", True)
    )
    action = attributes(
        Attribute("type", "enum", "None", values=ACTIONS),
        Attribute("url"),
        _flag("appendQueryString", True),
        _flag("logRewrittenUrl", False),
        Attribute("redirectType", "enum", "Permanent", values=REDIRECTS),
        Attribute("statusCode", "uint", 403, limits=(300, 307), excluded=True),
        Attribute("subStatusCode", "uint", 0, limits=(0, 999)),
        Attribute("statusReason"),
        Attribute("statusDescription"),
    )
    rule = Schema(
        attributes(
            Attribute("name", required=True, not_empty=True),
            _flag("enabled", True),
            Attribute("patternSyntax", "enum", "ECMAScript", values=SYNTAX),
            _flag("stopProcessing", False),
            # 2.1 only: kept on foreign rules.
            Attribute(
                "responseCacheDirective",
                "enum",
                "Auto",
                values={"Auto": 0, "Always": 1, "Never": 2, "NotIfRuleMatched": 3},
            ),
        ),
        {
            "match": Schema(
                attributes(
                    Attribute("url", required=True, not_empty=True),
                    _flag("ignoreCase", True),
                    _flag("negate", False),
                )
            ),
            "conditions": conditions,
            "serverVariables": Schema(
                collection=Collection({"set": Schema(variable)}, duplicates=True)
            ),
            "action": Schema(action),
        },
    )
    return Schema(
        attributes(_flag("useOriginalURLEncoding", True)),
        collection=Collection({"rule": rule}, ("name",), "clear", "remove"),
    )


def _maps() -> Schema:
    entry = attributes(Attribute("key", required=True), Attribute("value"))
    one_map = Schema(
        attributes(
            Attribute("name", required=True, not_empty=True),
            Attribute("defaultValue"),
            _flag("ignoreCase", True),
        ),
        collection=Collection({"add": Schema(entry)}, ("key",)),
    )
    return Schema(collection=Collection({"rewriteMap": one_map}, ("name",), "clear", "remove"))


def _ip_security(version: tuple[int, int]) -> Schema:
    known = [_flag("allowUnlisted", True), _flag("enableReverseDns", False)]
    if version >= (8, 0):
        # iis.net, "IIS 8.0 Dynamic IP Address Restrictions".
        known += [
            Attribute("denyAction", "enum", "Forbidden", values=DENIALS),
            _flag("enableProxyMode", False),
        ]
    entry = attributes(
        Attribute("ipAddress"),
        Attribute("subnetMask", default="255.255.255.255"),
        Attribute("domainName"),
        _flag("allowed", False),
    )
    # The key is text: `24` and `255.255.255.0` are two.
    key = ("ipAddress", "subnetMask", "domainName")
    return Schema(
        attributes(*known), collection=Collection({"add": Schema(entry)}, key, "clear", "remove")
    )


def _request_filtering() -> Schema:
    unlisted = (_flag("allowUnlisted", True), _flag("applyToWebDAV", True))
    extensions = _pairs("fileExtension", extra=[_flag("allowed", True)])
    verbs = _pairs("verb", extra=[_flag("allowed", True)])
    hidden = _pairs("segment")
    limits = attributes(
        Attribute("maxAllowedContentLength", "uint", 30000000),
        Attribute("maxUrl", "uint", 4096),
        Attribute("maxQueryString", "uint", 2048),
    )
    return Schema(
        attributes(
            _flag("allowDoubleEscaping", False),
            _flag("allowHighBitCharacters", True),
            _flag("unescapeQueryString", True),
            _flag("removeServerHeader", False),
        ),
        {
            "fileExtensions": Schema(attributes(*unlisted), collection=extensions.collection),
            "requestLimits": Schema(limits, {"headerLimits": ANYTHING}),
            "verbs": Schema(attributes(*unlisted), collection=verbs.collection),
            "hiddenSegments": Schema(attributes(unlisted[1]), collection=hidden.collection),
            "denyUrlSequences": _pairs("sequence"),
            "alwaysAllowedUrls": _pairs("url"),
            "alwaysAllowedQueryStrings": ANYTHING,
            "denyQueryStringSequences": ANYTHING,
            "filteringRules": ANYTHING,
        },
    )


def _modules() -> Schema:
    entry = attributes(
        Attribute("name", required=True, not_empty=True),
        Attribute("type"),
        Attribute("preCondition"),
    )
    return Schema(
        attributes(
            _flag("runAllManagedModulesForAllRequests", False),
            _flag("runManagedModulesForWebDavRequests", False),
        ),
        collection=Collection({"add": Schema(entry)}, ("name",), "clear", "remove"),
    )


def _documents() -> Schema:
    entry = attributes(Attribute("value", required=True))
    # The one list here whose local items come first.
    files = Collection({"add": Schema(entry)}, ("value",), "clear", "remove", append=False)
    return Schema(attributes(_flag("enabled", True)), {"files": Schema(collection=files)})


def _sites() -> Schema:
    directory = Schema(
        attributes(
            Attribute("path", required=True),
            Attribute("physicalPath"),
            Attribute("userName"),
            Attribute("password"),
            Attribute("logonMethod", default="ClearText"),
            _flag("allowSubDirConfig", True),
        )
    )
    application = Schema(
        attributes(
            Attribute("path", required=True),
            Attribute("applicationPool"),
            Attribute("enabledProtocols", default="http"),
            Attribute("serviceAutoStartEnabled", "bool", False),
            Attribute("serviceAutoStartProvider"),
            _flag("preloadEnabled", False),
        ),
        {"virtualDirectoryDefaults": ANYTHING},
        Collection({"virtualDirectory": directory}, ("path",), "clear", "remove"),
    )
    binding = Schema(
        attributes(
            Attribute("protocol", required=True),
            Attribute("bindingInformation", required=True),
            Attribute("sslFlags", "uint", 0),
        )
    )
    site = Schema(
        attributes(
            Attribute("name", required=True),
            Attribute("id", "uint", 0, required=True),
            _flag("serverAutoStart", True),
        ),
        {
            "bindings": Schema(
                collection=Collection(
                    {"binding": binding}, ("protocol", "bindingInformation"), "clear"
                )
            ),
            **dict.fromkeys(_SITE_PARTS, ANYTHING),
        },
        Collection({"application": application}, ("path",), "clear", "remove"),
    )
    return Schema(
        elements=dict.fromkeys(
            ("siteDefaults", "applicationDefaults", "virtualDirectoryDefaults"), ANYTHING
        ),
        collection=Collection({"site": site}, ("name",), "clear", "remove"),
    )


_SITE_PARTS = (
    "limits",
    "logFile",
    "traceFailedRequestsLogging",
    "hsts",
    "ftpServer",
    "applicationDefaults",
    "virtualDirectoryDefaults",
)
_REDIRECTION = Schema(
    attributes(
        _flag("enabled", False),
        Attribute("path"),
        Attribute("userName"),
        Attribute("password"),
        _flag("enableUncPolling", False),
        Attribute("pollingPeriod", "timeSpan", "00:01:00"),
    )
)


@functools.lru_cache
def known(version: tuple[int, int], rewrite: bool) -> dict[str, Schema | None]:
    """The sections of a version of IIS. None: no schema file says what may stand there.

    Without URL Rewrite its schema file is not there either; its declarations in
    applicationHost.config may be.
    """
    parts: dict[str, Schema | None] = {
        "rules": _rules(),
        "globalRules": _rules(),
        "rewriteMaps": _maps(),
        "allowedServerVariables": _pairs("name"),
        "outboundRules": ANYTHING,
        "providers": ANYTHING,
    }
    return {
        IP_SECURITY: _ip_security(version),
        REQUEST_FILTERING: _request_filtering(),
        MODULES: _modules(),
        "system.webServer/globalModules": _pairs(
            "name", extra=[Attribute("image"), Attribute("preCondition")]
        ),
        SITES: _sites(),
        "system.webServer/defaultDocument": _documents(),
        REDIRECTION: _REDIRECTION,
        **{f"{REWRITE}{name}": schema if rewrite else None for name, schema in parts.items()},
    }
