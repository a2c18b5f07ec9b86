# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a row of a policy or a service holds always, or under a condition that the tables do not
tell.

What is not known here counts as a condition, so that a later FortiOS cannot make a barrier of what
is none. The names were read in the public schema of the vendor's collection, for FortiOS 6.0 to
7.6; that an unknown field which is off is no condition is a judgement.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Row

_OFF = frozenset({"", "disable", "none", "0", "0x00"})
_IDENTITY = frozenset(
    {"name", "uuid", "uuid-idx", "comment", "comments", "color", "fabric-object", "visibility"}
)

# Read by the model itself.
_READ = frozenset(
    {
        *(
            "policyid",
            "status",
            "action",
            "srcintf",
            "dstintf",
            "srcaddr",
            "srcaddr6",
            "dstaddr",
            "dstaddr6",
        ),
        *(
            "srcaddr-negate",
            "srcaddr6-negate",
            "dstaddr-negate",
            "dstaddr6-negate",
            "service",
            "service-negate",
        ),
        *(
            "internet-service",
            "internet-service6",
            "internet-service-src",
            "internet-service6-src",
            "match-vip",
        ),
    }
)
_READ_BEGINNING = "internet-service"

# What becomes of a packet that matches; it decides nothing about which packets do.
_TREATMENT = frozenset(
    {
        *(
            "label",
            "global-label",
            "nat",
            "natip",
            "natinbound",
            "natoutbound",
            "inbound",
            "outbound",
            "ippool",
        ),
        *(
            "poolname",
            "poolname6",
            "fixedport",
            "port-preserve",
            "port-random",
            "pcp-inbound",
            "pcp-outbound",
        ),
        *(
            "pcp-poolname",
            "logtraffic",
            "logtraffic-start",
            "log-http-transaction",
            "capture-packet",
        ),
        *("custom-log-fields", "utm-status", "inspection-mode", "profile-type", "profile-group"),
        *(
            "profile-protocol-options",
            "ips-sensor",
            "dlp-sensor",
            "application-list",
            "ips-voip-filter",
        ),
        *(
            "scan-botnet-connections",
            "app-monitor",
            "traffic-shaper",
            "traffic-shaper-reverse",
            "per-ip-shaper",
        ),
        *(
            "dynamic-shaping",
            "auto-asic-offload",
            "np-acceleration",
            "policy-offload",
            "anti-replay",
        ),
        *(
            "delay-tcp-npu-session",
            "tcp-mss-sender",
            "tcp-mss-receiver",
            "tcp-session-without-syn",
            "session-ttl",
        ),
        *(
            "tcp-timeout-pid",
            "udp-timeout-pid",
            "timeout-send-rst",
            "send-deny-packet",
            "firewall-session-dirty",
        ),
        *(
            "schedule-timeout",
            "block-notification",
            "replacemsg-override-group",
            "vlan-cos-fwd",
            "vlan-cos-rev",
        ),
        *(
            "diffserv-copy",
            "diffserv-forward",
            "diffserv-reverse",
            "diffservcode-forward",
            "diffservcode-rev",
        ),
        *(
            "fec",
            "dsri",
            "wccp",
            "wanopt",
            "wanopt-detection",
            "wanopt-passive-opt",
            "wanopt-peer",
            "webcache",
        ),
        *(
            "webcache-https",
            "webproxy-forward-server",
            "ssl-mirror",
            "ssl-mirror-intf",
            "decrypted-traffic-mirror",
        ),
        *("passive-wan-health-measurement", "permit-any-host", "permit-stun-host", "email-collect"),
        *("cgn-session-quota", "cgn-resource-quota", "cgn-log-server-grp", "cgn-eif", "cgn-eim"),
        # They say how a country, a date, a mark or a login is looked up, and nothing where none is
        # named.
        *(
            "geoip-anycast",
            "geoip-match",
            "reputation-direction",
            "reputation-direction6",
            "policy-expiry-date",
        ),
        *(
            "policy-expiry-date-utc",
            "dscp-value",
            "dscp-negate",
            "tos",
            "tos-negate",
            "ztna-tags-match-logic",
        ),
        *(
            "fsso",
            "wsso",
            "auth-cert",
            "auth-path",
            "auth-redirect-addr",
            "fsso-agent-for-ntlm",
            "ntlm-guest",
        ),
        *("ntlm-enabled-browsers", "captive-portal-exempt", "redirect-url"),
    }
)
_TREATMENT_END = "-profile"
_POLICY_HARMLESS: t.Mapping[str, frozenset[str]] = {"schedule": frozenset({"", "always"})}

_SERVICE_READ = frozenset(
    {
        "protocol",
        "protocol-number",
        "tcp-portrange",
        "udp-portrange",
        "udplite-portrange",
        "sctp-portrange",
    }
)
_SERVICE_TREATMENT = frozenset(
    {
        *(
            "category",
            "helper",
            "check-reset-range",
            "icmptype",
            "icmpcode",
            "session-ttl",
            "tcp-halfclose-timer",
        ),
        *("tcp-halfopen-timer", "tcp-rst-timer", "tcp-timewait-timer", "udp-idle-timer"),
    }
)
_SERVICE_HARMLESS: t.Mapping[str, frozenset[str]] = {"iprange": frozenset({"", "0.0.0.0"})}


def of_policy(row: Row) -> list[str]:
    """The fields of a policy that are, or may be, conditions under which alone it matches."""
    known = _IDENTITY | _READ | _TREATMENT
    return [
        field
        for field, value in row.items()
        if field not in known
        and not field.startswith(_READ_BEGINNING)
        and not field.endswith(_TREATMENT_END)
        and not _is_off(value, _POLICY_HARMLESS.get(field, _OFF))
    ]


def of_service(row: Row) -> list[str]:
    """The same of a service; one for an address or a host name alone is the most usual."""
    known = _IDENTITY | _SERVICE_READ | _SERVICE_TREATMENT
    return [
        field
        for field, value in row.items()
        if field not in known and not _is_off(value, _SERVICE_HARMLESS.get(field, _OFF))
    ]


def _is_off(value: t.Any, harmless: t.Collection[str]) -> bool:
    if isinstance(value, (list, tuple, dict)):
        return not value
    return value is None or str(value).strip().lower() in harmless
