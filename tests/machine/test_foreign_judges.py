# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others say of the FortiGate model and its plans, who know nothing of this collection.

Aerleon writes policies as FortiGate CLI and answers by itself who passes; our model, and the lab's
packets, are asked of what was written. Exclusions are left out, which its answers ignore.
hier_config predicts what a configuration becomes by a change: what a run sends, written as CLI,
makes the device's text of afterwards of that before, and a rollback the other way round. The order
of policies it does not know.
"""

from __future__ import annotations

import json
import pathlib
import re
import tempfile
import typing as t
import unittest.mock
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import state as states
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.inbound_options import (
    InboundOptions,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import (
    Target,
    model_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import parse_range
from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate import cli, schema
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import POLICY, Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.machine.searching import examples
from ansible_collections.mailedge.lockdown.tests.support.fortigate import LOCK, Firewall
from ansible_collections.mailedge.lockdown.tests.support.random_firewalls import (
    DOUBTFUL_POLICIES,
    OWN,
    POLICIES,
    RANGES,
    SOURCES,
    Direct,
    seed,
)

Terms = list[dict[str, t.Any]]

# ---------------------------------------------------------------- who passes, by Aerleon

NETWORKS = {
    "HALF": ["198.51.100.0/25"],
    "PROVIDER": ["198.51.100.0/24"],
    "OTHERS": ["203.0.113.128/25", "198.51.100.0/25"],
    "OFFICE": ["10.20.0.0/16"],
    "MAIL": ["10.20.1.11/32"],
    "SERVERS": ["10.20.1.0/24"],
    "WEB": ["10.20.1.12/32"],
}
PORTS = {"SMTP": ["25"], "HTTPS": ["443"], "MAILPORTS": ["25", "587"], "LOW": ["1-1023"]}
DOORS = [("10.20.1.11", 25), ("10.20.1.12", 25), ("10.20.1.11", 443)]
TERM = st.fixed_dictionaries(
    {"action": st.sampled_from(["accept", "accept", "deny"])},
    optional={
        "source-address": st.lists(
            st.sampled_from(["HALF", "PROVIDER", "OTHERS", "OFFICE"]),
            min_size=1,
            max_size=2,
            unique=True,
        ).map(" ".join),
        "destination-address": st.sampled_from(["MAIL", "SERVERS", "WEB"]),
        "destination-port": st.sampled_from(sorted(PORTS)),
    },
)
TERMS = st.lists(TERM, min_size=1, max_size=5)


class Aerleon:
    """One policy by Aerleon."""

    def __init__(self, terms: Terms) -> None:
        self._api = pytest.importorskip(
            "aerleon.api", reason="Aerleon is not installed (requirements-judges.txt)"
        )
        pytest.importorskip("absl.logging").set_verbosity("fatal")
        self._names = pytest.importorskip("aerleon.lib.naming").Naming()
        networks = {
            name: {"values": [{"address": address} for address in held]}
            for name, held in NETWORKS.items()
        }
        services = {
            name: [{"protocol": "tcp", "port": port} for port in held]
            for name, held in PORTS.items()
        }
        self._names.ParseDefinitionsObject({"networks": networks, "services": services}, "here")
        named = [
            {
                "name": f"t{number}",
                **term,
                **({"protocol": "tcp"} if "destination-port" in term else {}),
            }
            for number, term in enumerate(terms)
        ]
        header = {"targets": {"fortigate": "from-zone wan1 to-zone internal inet"}}
        self._policy = {"filename": "here", "filters": [{"header": header, "terms": named}]}

    def text(self) -> str:
        """The policy as FortiGate CLI."""
        return str(next(iter(self._api.Generate([self._policy], self._names).values())))

    def passes(self, source: str, to: str, port: int) -> bool:
        """Whether it lets a packet through, by its own answer; what no term matches is refused."""
        asked = {"src": source, "dst": to, "sport": "any", "dport": str(port), "proto": "tcp"}
        answers = [
            answer
            for terms in self._api.AclCheck(self._policy, self._names, **asked).values()
            for answer in terms.values()
        ]
        assert not any(answer["possibles"] for answer in answers)
        return bool(answers) and answers[0]["message"].split()[-1] == "accept"


def all_agree(terms: Terms) -> None:
    """Aerleon, our model and the lab's packets, of each packet."""
    judge, device = Aerleon(terms), Device()
    cli.load(device, judge.text())
    wanted = InboundOptions("birke", 25)
    client: t.Any = Direct(device)
    model = model_of(states.read(client, wanted.tables), ["wan1"])
    for source in SOURCES:
        for to, port in DOORS:
            passage = model.lookup(source, Target(port, address=parse_range(to)))
            assert passage is None or passage.certain
            answers = (
                judge.passes(source, to, port),
                passage is not None,
                device.admits(source, to, port),
            )
            assert len(set(answers)) == 1, (source, to, port, answers, judge.text())


@examples(20)
@given(terms=TERMS)
def test_model_packets_and_aerleon_agree(terms: Terms) -> None:
    all_agree(terms)


@pytest.mark.long
@examples(300)
@given(terms=TERMS)
def test_model_packets_and_aerleon_agree_at_length(terms: Terms) -> None:
    all_agree(terms)


# ---------------------------------------------------------------- what becomes of it, by
# hier_config


class HierConfig:
    """Configurations by hier_config, as the paths of their lines."""

    def __init__(self) -> None:
        self._module = pytest.importorskip(
            "hier_config", reason="hier_config is not installed (requirements-judges.txt)"
        )

    def read(self, text: str) -> t.Any:
        """A configuration. The ends of sections are left out, which it takes for lines."""
        lines = [line for line in text.splitlines() if line.strip() not in ("next", "end")]
        return self._module.get_hconfig(self._module.Platform.FORTINET_FORTIOS, "\n".join(lines))

    def lines(self, config: t.Any) -> set[tuple[str, ...]]:
        """Each line with those that it stands under."""
        return {tuple(line.path()) for line in config.all_children()}

    def future(self, before: str, changes: t.Iterable[str]) -> set[tuple[str, ...]]:
        """What a configuration becomes by changes, one after the other.

        hier_config writes `unset NAME` for the opposite of `set NAME VALUE`, but here takes it for
        that of a line `NAME`, and keeps both; for it the opposite of `set NAME` is said in full.
        """
        config = self.read(before)
        for change in changes:
            said = re.sub(r"^( *unset )(?!edit )", r"\1set ", change, flags=re.MULTILINE)
            config = config.future(self.read(said), prune_empty_branches=True)
        return self.lines(config)

    def remediation(self, before: str, after: str) -> set[tuple[str, ...]]:
        """What would have to be changed."""
        workflow = self._module.WorkflowRemediation(self.read(before), self.read(after))
        return self.lines(workflow.remediation_config)


class Recorder:
    """What is sent to the lab's FortiGate, as CLI."""

    def __init__(self, server: FortiGateServer) -> None:
        self._answer, self._version, self.sent = server.answer, server.device.version, list[str]()

    def __call__(
        self, method: str, target: str, headers: t.Mapping[str, str], body: bytes
    ) -> t.Any:
        given = self._answer(method, target, headers, body)
        assert given is not None
        url = urllib.parse.urlsplit(target)
        parts = [
            urllib.parse.unquote(segment)
            for segment in url.path.removeprefix("/api/v2/").split("/")
        ]
        moves = "move" in urllib.parse.parse_qs(url.query).get("action", [])
        if method != "GET" and parts[0] == "cmdb" and len(parts) > 2 and not moves:
            path = "/".join(parts[1:3])
            # Of a new entry its own, because the answer in a transaction has the number 0.
            key = parts[3] if len(parts) > 3 else json.loads(body)[schema.TABLES[path].key]
            shown = int(key) if path == POLICY else str(key)
            section = f"config {path.replace('.', ' ').replace('/', ' ')}"
            if method == "DELETE":
                # `delete KEY` in CLI; for hier_config the opposite of a line begins with unset.
                lines = [f"unset {cli.entry(path, shown, {})[0]}"]
            else:
                fields = schema.TABLES[path].fields
                row = {
                    name: fields[name].take(value)
                    for name, value in json.loads(body).items()
                    if name in fields
                }
                if method == "POST":
                    # The device makes the rest of a new entry.
                    made = {
                        name: field.default
                        for name, field in fields.items()
                        if field.here(self._version)
                    }
                    row = {
                        name: value
                        for name, value in {**made, **row}.items()
                        if value not in ("", [], ())
                    }
                lines = cli.entry(path, shown, row, full=True)
            self.sent.append("\n".join([section, *(f"    {line}" for line in lines), "end"]))
        return given

    def taken(self) -> list[str]:
        """What was sent since it was last asked."""
        sent, self.sent = self.sent, []
        return sent


def as_predicted(policies: list[dict[str, t.Any]]) -> None:
    """A lock and its rollback do what hier_config expects of what they send, and send no more than
    it would.
    """
    judge = HierConfig()
    with (
        FortiGateServer(Device(future=["moon-phase"])) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        seed(
            server.device,
            [
                {name: value for name, value in row.items() if name != "moon-phase"}
                for row in policies
            ],
        )
        firewall, recorder = Firewall(server, pathlib.Path(folder)), Recorder(server)
        with unittest.mock.patch.object(server, "answer", recorder):
            before = cli.show(server.device, full=True)
            lock = {**LOCK, "vips": ["VIP-mail", "VIP-both"], "ranges": RANGES, "own_networks": OWN}
            result = firewall.run(fortios_inbound_lock, **lock, accept_risks=["provider_shut_out"])
            if result["failed"] or not result["changed"]:
                assert not recorder.taken()
                return
            after, sent = cli.show(server.device, full=True), recorder.taken()
            assert judge.future(before, sent) == judge.lines(judge.read(after))
            lines = {line for text in sent for line in judge.lines(judge.read(text))}
            assert lines <= judge.remediation(before, after)
            firewall.done(fortios_rollback)
            back = recorder.taken()
            assert cli.show(server.device, full=True) == before
            assert judge.future(after, back) == judge.lines(judge.read(before))


@examples(5)
@given(policies=POLICIES)
def test_a_run_and_its_rollback_do_what_hier_config_predicts(
    policies: list[dict[str, t.Any]],
) -> None:
    as_predicted(policies)


def test_hier_config_predicts_a_policy_that_turns_from_a_service_to_addresses_and_back() -> None:
    by_service = {
        "action": "accept",
        "srcintf": [{"name": "dmz"}],
        "dstintf": [{"name": "internal"}],
        "srcaddr": [],
        "internet-service-src": "enable",
        "internet-service-src-name": [{"name": "Mimecast-Mimecast"}],
        "dstaddr": [{"name": "of mail"}],
        "service": [{"name": "SMTP"}],
    }
    as_predicted([by_service])


@pytest.mark.parametrize(
    ("change", "left"),
    [("unset a", {"set a-b 2"}), ("unset a-b", {"set a 1"}), ("set a 3", {"set a 3", "set a-b 2"})],
)
def test_hier_config_unsets_the_field_that_is_named_and_no_other(
    change: str, left: set[str]
) -> None:
    lines = ("edit 1", "    set a 1", "    set a-b 2", "next"), ("edit 1", f"    {change}", "next")
    before, changed = (
        "\n".join(["config one", *(f"    {line}" for line in part), "end"]) for part in lines
    )
    entry = ("config one", "edit 1")
    assert HierConfig().future(before, [changed]) == {
        entry[:1],
        entry,
        *((*entry, line) for line in left),
    }


@pytest.mark.long
@examples(40)
@given(policies=st.one_of(POLICIES, DOUBTFUL_POLICIES))
def test_a_run_and_its_rollback_do_what_hier_config_predicts_at_length(
    policies: list[dict[str, t.Any]],
) -> None:
    as_predicted(policies)
