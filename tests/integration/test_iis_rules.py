# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in by what iis_path_blocks writes, by three readings: the product's model, the lab's
IIS, and ASP.NET Core's URL Rewrite (variable IIS_REWRITE).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.model import Passing, passing
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import read_step
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.state import State, read_state
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.standin import OPERATIONS
from ansible_collections.mailedge.lockdown.tests.support.iis_blocks import RULES, Server

REWRITE = os.environ.get("IIS_REWRITE", "")
FIXTURES = os.environ.get("MAILEDGE_FIXTURES", "")
SITE = "Default Web Site"
BLOCKS: list[dict[str, t.Any]] = [
    {"path": "/ecp", "networks": ["10.20.9.0/24", "198.51.100.0/25"]},
    {"path": "/owa"},
    {"path": "/EWS/mrsproxy.svc", "networks": ["203.0.113.16/30"]},
    {"path": "/Microsoft-Server-ActiveSync", "networks": []},
]
DESCRIBED: dict[str, t.Any] = {
    "own_networks": ["10.20.0.0/16", "192.168.77.0-192.168.78.9"],
    "blocks": BLOCKS,
    "accept_risks": ["own_networks_shut_out"],
}


def state_of(server: Server, site: str = SITE) -> State:
    """What the product reads."""
    rows = OPERATIONS["iis_read"](server.host.windows, {**read_step(site, []), "id": "iis"})
    host = {"name": "EX1", "addresses": ["192.0.2.25", "2001:db8::25"]}
    return read_state(host, rows, site)


def encoded(text: str, dice: random.Random, share: float) -> str:
    """A path as somebody sends it who hides something: some characters in percent."""
    return "".join(
        f"%{ord(sign):02x}" if sign.isalnum() and dice.random() < share else sign for sign in text
    )


def spelled(path: str, dice: random.Random) -> tuple[str, str]:
    """A path as IIS hands it on, and as it was sent."""
    cooked = dice.choice([path, path.lower(), path.upper()])
    cooked = (
        "/" * dice.randrange(3)
        + cooked
        + dice.choice(["", "/", "/x.aspx", ".", ";a=1", " /", "\\x", "//"])
    )
    if dice.random() < 0.2:
        # Encoded twice: what IIS hands on is encoded still.
        cooked = encoded(cooked, dice, 0.4)
    sent = encoded(cooked, dice, dice.choice([0, 0.5])).replace(" ", "%20")
    return cooked, sent + dice.choice(["", "?a=b", "?as=/nothing"])


def address(dice: random.Random) -> str:
    near = [
        "10.20.9.{}",
        "10.20.8.{}",
        "198.51.100.{}",
        "203.0.113.{}",
        "192.168.78.{}",
        "127.0.0.{}",
        "10.21.0.{}",
    ]
    if dice.random() < 0.85:
        return dice.choice(near).format(dice.randrange(256))
    return dice.choice(["::1", "2001:db8::25", "2001:db8::26", "fe80::1%4", "2001:db8:1::1"])


@pytest.mark.long
@pytest.mark.skipif(not REWRITE, reason="no reading of Microsoft's: set IIS_REWRITE")
def test_a_hundred_thousand_requests_are_let_through_as_the_model_says() -> None:
    server = Server()
    assert server.run(DESCRIBED)["state"] == "in order"
    state = state_of(server)
    paths = [block["path"] for block in BLOCKS]
    known = {path: passing(state, path) for path in paths}
    open_to_all = [
        "/",
        "/EWS/Exchange.asmx",
        "/Autodiscover/a.xml",
        "/owax",
        "/EWS/mrsproxyxsvc",
        "/x/ecp",
        "/ec",
    ]
    dice = random.Random(11)
    requests, expected = [], []
    for _request in range(100_000):
        client = address(dice)
        blocked = dice.random() < 0.8
        path = dice.choice(paths) if blocked else dice.choice(open_to_all)
        cooked, sent = spelled(path, dice)
        variables = {"UNENCODED_URL": sent, "REMOTE_ADDR": client}
        requests.append(
            {
                "path": f"/{cooked.lstrip('/')}" if dice.random() < 0.5 else cooked,
                "query": "",
                "remote": client.partition("%")[0],
                "host": "mail.example.test",
                "variables": variables,
            }
        )
        bare = client.partition("%")[0]
        through = known[path] if blocked else None
        assert through is None or through.certain == through.at_most
        expected.append(through is None or bare in through.certain)
    config = server.iis.disk.place(f"{server.iis.store.folder}\\applicationHost.config")
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        [REWRITE, str(config), "--location", SITE],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(requests)
    wrong = [
        (request, answer, wished)
        for request, answer, wished in zip(requests, answers, expected)
        if (answer["outcome"] == "passed") != wished
    ]
    assert wrong[:3] == []
    assert 20_000 < sum(expected) < 80_000


def test_the_lab_lets_through_whom_the_model_says() -> None:
    server = Server()
    assert server.run(DESCRIBED)["state"] == "in order"
    state, judge = state_of(server), server.iis.judge()
    known = {block["path"]: passing(state, block["path"]) for block in BLOCKS}
    dice = random.Random(12)
    for _request in range(2_000):
        path, client = dice.choice(list(known)), address(dice)
        _cooked, sent = spelled(path, dice)
        answer = judge.request(f"/{sent.lstrip('/')}", client)
        inside = client.partition("%")[0] in known[path].certain
        assert answer.passed <= inside, (sent, client, str(answer))
        assert inside <= (answer.status != 403), (sent, client, str(answer))


NEGATE = ("", ' negate="true"')


def invented(dice: random.Random, name: str) -> str:
    """A rule of somebody else."""
    patterns = [
        r"^10\.20\.",
        r"^(?:10\.20\.[0-9]{1,3}\.[0-9]{1,3})$",
        "203",
        "^::1$",
        ".*",
        "(?!x)",
    ]
    conditions = "".join(
        f'<add input="{dice.choice(["{REMOTE_ADDR}", "{REMOTE_ADDR}", "{HTTP_HOST}"])}" '
        f'pattern="{dice.choice(patterns)}"'
        f"{dice.choice(NEGATE)} />"
        for _condition in range(dice.randrange(3))
    )
    url = dice.choice([".*", "^ecp", "^owa", "^(owa|ecp)", "^EWS/", "(.*)", "^ow", "ecp", "^x"])
    action = dice.choice(["AbortRequest", 'CustomResponse" statusCode="403', "None", "None"])
    grouping = dice.choice(["MatchAll", "MatchAny"])
    stop = dice.choice(["true", "false"])
    return (
        f'<rule name="{name}" stopProcessing="{stop}"><match url="{url}" /><conditions '
        f'logicalGrouping="{grouping}">{conditions}</conditions><action type="{action}" /></rule>'
    )


def ip_list(dice: random.Random) -> str:
    entries = [
        ("10.20.0.0", "255.255.0.0"),
        ("203.0.113.0", "255.255.255.240"),
        ("2001:db8:1::", "48"),
        ("::1", "128"),
    ]
    inner = "".join(
        f'<add ipAddress="{address}" subnetMask="{mask}" '
        f'allowed="{dice.choice(["true", "false"])}" />'
        for address, mask in dice.sample(entries, dice.randrange(4))
    )
    flag = dice.choice(["true", "false"])
    return (
        "<system.webServer><security><ipSecurity "
        f'allowUnlisted="{flag}">{inner}</ipSecurity></security></system.webServer>'
    )


CLIENTS = (
    "203.0.113.9",
    "10.20.3.4",
    "192.168.5.5",
    "127.0.0.1",
    "2001:db8:1::5",
    "2001:db8:2::5",
    "::1",
)
PATHS = ("/ecp", "/owa", "/EWS")


@pytest.mark.parametrize("seed", range(8))
def test_what_the_model_is_sure_of_is_so_whatever_else_stands_there(seed: int) -> None:
    """Rules, lists, `<clear/>` and missing modules at random. Whom the model calls stopped no
    request gets in, and whom it calls let in some request does.
    """
    dice = random.Random(seed)
    server = Server()
    site = "".join(invented(dice, f"site {number}") for number in range(dice.randrange(3)))
    server.iis.replace(
        '<location path="Default Web Site">',
        f'<location path="Default Web Site">{RULES.format(site)}',
    )
    for path in PATHS:
        if dice.random() < 0.5:
            rules = dice.choice(["", "", "<clear />"]) + "".join(
                invented(dice, f"{path} {number}") for number in range(dice.randrange(2))
            )
            modules = dice.choice(["", "", '<modules><remove name="RewriteModule" /></modules>'])
            inner = RULES.format(rules).replace("<rewrite>", f"{modules}<rewrite>")
            server.iis.put_web_config(path, inner)
        if dice.random() < 0.3:
            server.iis.add_location(f"{SITE}{path}/sub", ip_list(dice))
    method = dice.choice(["rewrite", "ip_security"])
    described = {
        "own_networks": ["10.20.0.0/16"],
        "method": method,
        "blocks": [{"path": path} for path in PATHS[:2]],
    }
    result = server.run({**described, "accept_risks": ["own_networks_shut_out"]})
    assert not result.get("failed"), result["msg"]
    state, judge = state_of(server), server.iis.judge()
    for path in PATHS:
        sure = passing(state, path)
        for client in CLIENTS:
            check(path, client, sure, judge)


def check(path: str, client: str, sure: Passing, judge: t.Any) -> None:
    name = path.strip("/")
    targets = [
        path,
        f"{path}/",
        f"//{name}/",
        f"{path}/x.aspx",
        f"/%{ord(name[0]):02x}{name[1:]}/",
        f"{path}/sub/",
    ]
    answers = {target: judge.request(target, client) for target in targets}
    through = [target for target, answer in answers.items() if answer.passed]
    assert client in sure.at_most or not through, (path, client, through, sure.because)
    assert client not in sure.certain or through, (path, client, list(map(str, answers.values())))


@pytest.mark.skipif(not FIXTURES, reason="no files of real servers: set MAILEDGE_FIXTURES")
@pytest.mark.parametrize(
    ("file", "method"),
    [
        ("exchange2013_cas_applicationHost.config", "ip_security"),
        pytest.param(
            "exchange2016_applicationHost_mixed.config", "rewrite", marks=pytest.mark.long
        ),
        ("exchange2019_applicationHost.config", "rewrite"),
    ],
)
def test_files_of_real_servers_are_read_planned_and_given_back(file: str, method: str) -> None:
    with open(os.path.join(FIXTURES, file), encoding="utf-8-sig", newline="") as real:
        text = real.read()
    server = Server(here=False, rewrite=method == "rewrite")
    server.iis.text = text
    described = {"own_networks": ["10.20.0.0/16"], "blocks": [{"path": "/ecp"}, {"path": "/owa"}]}
    planned = server.run(described, check=True)
    if planned.get("failed"):
        # Neither module is installed there, and that is what is said.
        assert "URL Rewrite is not installed" in planned["msg"]
        assert "Web-IP-Security" in planned["msg"]
        assert server.iis.text == text
        return
    assert len(planned["plan"]) == 3
    done = server.run(described)
    assert not done.get("failed"), done["msg"]
    changed = [line for line in server.iis.text.splitlines() if line not in text.splitlines()]
    assert changed
    assert server.run(described)["changed"] is False
    server.run({"snapshot": "original"})
    assert server.iis.text == text
