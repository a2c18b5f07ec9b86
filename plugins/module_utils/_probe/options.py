# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of mail_edge_probe, and what they must be for the answers to mean anything.

Everything is refused before it is sent.
"""

from __future__ import annotations

import re
import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import is_local
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import Question
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import CLOSED, OPEN
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web import WebQuestion
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web_table import TARGETS
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    LOOPBACK,
    RangeError,
    RangeSet,
    parse_address,
)

ARGUMENTS: dict[str, t.Any] = {
    "targets": {"type": "list", "elements": "str"},
    "target_addresses": {"type": "dict", "default": {}},
    "protocol": {"type": "str", "choices": ["smtp", "https"], "default": "smtp"},
    "port": {"type": "int"},
    "paths": {"type": "list", "elements": "str", "default": []},
    "closed_paths": {"type": "list", "elements": "str", "default": []},
    "open_paths": {"type": "list", "elements": "str", "default": []},
    "sender": {"type": "str"},
    "recipient": {"type": "str"},
    "relay_recipient": {"type": "str"},
    "own_domain_sender": {"type": "str"},
    "helo_name": {"type": "str"},
    "source_address": {"type": "str"},
    "address_family": {"type": "str", "choices": ["any", "ipv4", "ipv6"], "default": "any"},
    "timeout": {"type": "int", "default": 40},
    "connect_timeout": {"type": "int", "default": 20},
    "starttls": {
        "type": "str",
        "choices": ["if_offered", "never", "require"],
        "default": "if_offered",
    },
    "control_host": {"type": "str"},
    "control_port": {"type": "int"},
    "reached_before": {"type": "list", "elements": "str", "default": []},
    "allowed_ranges": {"type": "list", "elements": "str", "default": []},
    "own_networks": {"type": "list", "elements": "str", "default": []},
    "expect": {"type": "str", "choices": ["closed", "open", "any"], "default": "any"},
}
# What one of several looks may say for itself; what it does not say is the task's.
LOOK_OPTIONS = (
    "targets",
    "protocol",
    "port",
    "paths",
    "closed_paths",
    "open_paths",
    "source_address",
    "address_family",
    "control_host",
    "control_port",
    "reached_before",
    "allowed_ranges",
    "own_networks",
)
# Where a server of the protocol listens.
PORTS: t.Mapping[str, int] = types.MappingProxyType({"smtp": 25, "https": 443})
ARGUMENTS["looks"] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "expect": {"type": "str", "choices": ["closed", "open", "any"]},
        **{
            option: {fact: value for fact, value in ARGUMENTS[option].items() if fact != "default"}
            for option in LOOK_OPTIONS
        },
    },
}

# RFC 2606 and RFC 6761.
_RESERVED = re.compile(
    r"(?:.*\.)?(?:example(?:\.(?:com|net|org))?|test|invalid|localhost)", re.IGNORECASE
)
# RFC 5321, 4.1.2, without quoted local parts: what is quoted there would have to be quoted in a
# command as well.
_MAILBOX = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*)"
)
_LITERAL = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]+)\]")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
# Without a blank, a fragment or another host; dots that lead up are somebody else's path.
_PATH = re.compile(r"/(?!/)(?!.*/\.\.(?:/|\Z))[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,200}")
_ROLES = ("sender", "recipient", "relay_recipient", "own_domain_sender")


class OptionError(ValueError):
    """An option that can't be used; a sentence that names it."""


def each_look(params: t.Mapping[str, t.Any]) -> list[tuple[str, dict[str, t.Any]]]:
    """The looks of a task: name, and the options of each.

    One without a name where the task names none.
    """
    if not params["looks"]:
        return [("", dict(params))]
    own = ("expect", *LOOK_OPTIONS)
    each = []
    for look in params["looks"]:
        said = {option: look[option] for option in own if look.get(option) is not None}
        inherited = dict(params)
        if said.get("protocol", params["protocol"]) != params["protocol"]:
            # A port of the one protocol, or a server that answers on it, says nothing of another.
            inherited.update(port=None, control_port=None, control_host=None)
        each.append((look["name"], {**inherited, **said}))
    return each


def port_of(params: t.Mapping[str, t.Any], option: str = "port") -> int:
    """The port that is named, else the one of the protocol."""
    return int(params[option] or PORTS[params["protocol"]])


def _domain(option: str, mailbox: str) -> str:
    parts = _MAILBOX.fullmatch(mailbox)
    if not parts or len(mailbox) > 254:
        raise OptionError(
            f"{option} is {mailbox!r}, which is not a mail address such as name@domain. Nothing "
            "was sent."
        )
    return parts.group(1).lower()


def _address_or_name(option: str, text: str) -> str:
    """A target as getaddrinfo() takes it."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        parse_address(bare)
        return bare
    except RangeError:
        pass
    # A name with other letters is what it becomes in the DNS; one with a colon or a slash is no
    # name.
    try:
        ascii_name = bare.encode("idna").decode("ascii")
    except UnicodeError:
        ascii_name = ""
    if not _NAME.fullmatch(ascii_name) or len(ascii_name) > 254:
        raise OptionError(
            f"{option} has {text!r}, which is neither a host name nor an IP address. The port has "
            "an option of its own. "
            "Nothing was sent."
        )
    return ascii_name


def _literal_or_name(text: str) -> str:
    literal = _LITERAL.fullmatch(text)
    try:
        if literal:
            parse_address(literal.group(1))
            return text
    except RangeError:
        pass
    if literal or not _NAME.fullmatch(text) or len(text) > 254:
        raise OptionError(
            f"helo_name is {text!r}, which is neither a host name nor an address in brackets. "
            "Nothing was sent."
        )
    return text


def check_targets(params: t.Mapping[str, t.Any]) -> list[str]:
    """The targets in the form that getaddrinfo() takes. Raises OptionError."""
    targets = [_address_or_name("targets", target.strip()) for target in params["targets"] or []]
    if not targets:
        raise OptionError("targets is empty, so there is nothing to look at. Nothing was sent.")
    return targets


def check_control(params: t.Mapping[str, t.Any]) -> str | None:
    """The control host in the form that getaddrinfo() takes. Raises OptionError."""
    host = params["control_host"]
    return _address_or_name("control_host", host.strip()) if host else None


def _reached_before(params: t.Mapping[str, t.Any]) -> RangeSet:
    addresses = params["reached_before"] or []
    try:
        # Not ranges: what was not reached itself has proven nothing.
        for address in addresses:
            parse_address(address)
        return RangeSet.parse(addresses)
    except RangeError as error:
        raise OptionError(
            f"reached_before takes addresses only. {error} Nothing was sent."
        ) from None


def _check_numbers(params: t.Mapping[str, t.Any]) -> None:
    for option in ("port", "control_port"):
        if params[option] is not None and not 1 <= params[option] <= 65535:
            raise OptionError(
                f"{option} is {params[option]}: it must be between 1 and 65535. Nothing was sent."
            )
    for option in ("timeout", "connect_timeout"):
        if not 1 <= params[option] <= 3600:
            raise OptionError(
                f"{option} is {params[option]}, and has to be 1 to 3600 seconds. Nothing was sent."
            )


def check_question(params: t.Mapping[str, t.Any]) -> Question:
    """What to ask of a mail server. Raises OptionError."""
    _check_numbers(params)
    domains = {option: _domain(option, params[option]) for option in _ROLES if params[option]}
    if domains.get("sender") is None or domains.get("recipient") is None:
        raise OptionError("sender and recipient are both needed. Nothing was sent.")
    for option, what in (
        ("sender", "own_domain_sender asks that question"),
        ("relay_recipient", "that is no relaying"),
    ):
        if domains.get(option) == domains["recipient"]:
            raise OptionError(
                f"{option} has the domain of recipient, {domains['recipient']}, but must be "
                f"outside of the site: {what}. "
                "Nothing was sent."
            )
    source, allowed, own_networks = _whence(params)
    return Question(
        sender=params["sender"],
        recipient=params["recipient"],
        relay_recipient=params["relay_recipient"] or None,
        own_domain_sender=params["own_domain_sender"] or None,
        helo_name=_literal_or_name(params["helo_name"]) if params["helo_name"] else None,
        source=source,
        starttls=params["starttls"],
        connect_seconds=float(params["connect_timeout"]),
        reply_seconds=float(params["timeout"]),
        allowed=allowed,
        reached_before=_reached_before(params),
        own_networks=own_networks,
    )


def check_web_question(params: t.Mapping[str, t.Any]) -> WebQuestion:
    """What to ask of a web server. Raises OptionError."""
    _check_numbers(params)
    source, allowed, own_networks = _whence(params)
    paths: dict[str, str | None] = {}
    for option, wanted in (("paths", None), ("open_paths", OPEN), ("closed_paths", CLOSED)):
        for path in params[option] or ():
            if not _PATH.fullmatch(path):
                raise OptionError(
                    f"{option} has {path!r}, which is not the path of a web site, such as /owa. "
                    "Nothing was sent."
                )
            if wanted and paths.get(path, wanted) not in (None, wanted):
                raise OptionError(
                    f"{path} is in open_paths and in closed_paths, and can be one of them. Nothing "
                    "was sent."
                )
            paths[path] = wanted or paths.get(path)
    return WebQuestion(
        paths or dict.fromkeys(TARGETS),
        source=source,
        connect_seconds=float(params["connect_timeout"]),
        reply_seconds=float(params["timeout"]),
        allowed=allowed,
        own_networks=own_networks,
        reached_before=_reached_before(params),
    )


def _whence(params: t.Mapping[str, t.Any]) -> tuple[str | None, RangeSet, RangeSet]:
    """The address to look from, whom the lock lets in, and who is within the site."""
    source = params["source_address"] or None
    try:
        allowed = RangeSet.parse(params["allowed_ranges"] or [])
        # Whoever is to be let in is asked from wherever it stands.
        own = params["own_networks"] if params["expect"] != OPEN else []
        own_networks = RangeSet.parse(own or [])
        if source is not None:
            parse_address(source)
    except RangeError as error:
        raise OptionError(f"{error} Nothing was sent.") from None
    if source is not None and not is_local(source):
        raise OptionError(
            f"source_address is {source}, which is not an address of this host. Nothing was sent."
        )
    return source, allowed, own_networks


def refuse_reserved(question: Question, targets: t.Iterable[str]) -> None:
    """Raises OptionError for mail addresses that Exchange refuses whatever its connectors let in:
    such a refusal proves nothing. A server on this machine's loopback, such as a lab, is asked.
    """
    reserved = reserved_addresses(question)
    elsewhere = [target for target in targets if not _on_loopback(target)]
    if reserved and elsewhere:
        raise OptionError(
            f"{', '.join(reserved)}: domains that are reserved for examples (RFC 2606) are refused "
            f"by Exchange whatever its connectors let in, so that {elsewhere[0]} would look "
            "locked. Name real addresses of your own, and a real mailbox at the site. Nothing was "
            "sent."
        )


def reserved_caution(question: Question | None) -> str:
    """What is to be said of such addresses where they are asked for; empty where there are none."""
    reserved = ", ".join(reserved_addresses(question)) if question else ""
    return reserved and (
        f"{reserved}: Exchange may refuse domains that are reserved for examples (RFC 2606), "
        "whatever its connectors let in. Such a refusal is taken for inconclusive."
    )


def _on_loopback(target: str) -> bool:
    try:
        return parse_address(target) in LOOPBACK
    except RangeError:
        return target.lower().rstrip(".") == "localhost"


def reserved_addresses(question: Question) -> list[str]:
    """The addresses in domains reserved for examples, which Exchange may refuse for that reason."""
    asked = (
        question.sender,
        question.recipient,
        question.relay_recipient,
        question.own_domain_sender,
    )
    return list(
        dict.fromkeys(
            address
            for address in asked
            if address and _RESERVED.fullmatch(address.rpartition("@")[2])
        )
    )
