# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's request and answer formats, without any PowerShell."""

from __future__ import annotations

import base64
import gzip
import json
import pathlib
import string
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _codec as codec
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import (
    CodecError,
    Credential,
    HostFact,
)

_text = st.text(st.characters(exclude_categories=["Cs"]))
_scalar = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    _text,
    st.text("~tnr\n\r\\", max_size=8),
    st.builds(Credential, _text, _text),
    st.builds(HostFact, _text),
)
_value = st.recursive(
    _scalar,
    lambda inner: st.one_of(st.lists(inner), st.lists(_text), st.dictionaries(_text, inner)),
    max_leaves=12,
)


@given(st.dictionaries(_text, _value))
def test_a_request_comes_back_as_it_was(request_: dict[str, t.Any]) -> None:
    assert codec.decode_request(codec.encode_request(request_)) == request_


@given(
    st.dictionaries(_text, st.recursive(_text | st.integers() | st.none(), st.lists, max_leaves=10))
)
def test_an_answer_comes_back_as_it_was(answer: dict[str, t.Any]) -> None:
    answer["protocol"] = codec.PROTOCOL
    assert codec.decode_answer(codec.encode_answer(answer)) == answer


def test_standard_input_survives_every_code_page() -> None:
    stdin = codec.encode_request(
        {"name": "Frontend \u201cwide\u201d \u00fc\u6f22", "list": ["a"] * 10_000}
    )
    assert set(stdin.decode("ascii")) <= set(string.ascii_letters + string.digits + "+/=\n")
    assert (
        gzip.decompress(base64.b64decode(stdin.splitlines()[0])).decode("ascii")
        == codec.agent_text()
    )


def _agent_of(request_: dict[str, t.Any]) -> str:
    return gzip.decompress(base64.b64decode(codec.encode_request(request_).splitlines()[0])).decode(
        "ascii"
    )


def test_an_area_travels_only_with_a_request_that_needs_it() -> None:
    plain = _agent_of(
        {"steps": [{"op": "call", "cmdlet": "Get-Thing"}, {"op": "digest", "steps": ["reach"]}]}
    )
    assert "Invoke-ReachStep" not in plain
    needed = _agent_of({"steps": [{"op": "call"}, {"op": "reach", "targets": []}]})
    assert needed.count("function Invoke-ReachStep") == 1
    assert len(needed) > len(plain)


@pytest.mark.parametrize("step", ["reach", {"op": ["reach"]}, {}, None])
def test_an_odd_step_brings_no_area(step: t.Any) -> None:
    assert _agent_of({"steps": [step]}) == codec.agent_text()


def test_every_area_is_small_and_registers_its_operations() -> None:
    folder = pathlib.Path(codec.__file__).parent
    assert {path.name for path in folder.glob("agent_*.ps1")} == set(codec.AREAS.values())
    for operation, name in codec.AREAS.items():
        text = (folder / name).read_text(encoding="ascii")
        assert len(text.splitlines()) < 250
        assert f"$operations['{operation}'] = '" in text


def test_tuples_arrive_as_lists_and_subclasses_of_str_as_text() -> None:
    class Tagged(str):
        """As Ansible hands over every string that came from a playbook."""

    encoded = codec.encode_request(
        {"targets": (("mx.example", 25),), Tagged("key"): Tagged("value~")}
    )
    assert codec.decode_request(encoded) == {"targets": [["mx.example", 25]], "key": "value~"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1 << 63, "does not fit 64 bits"),
        (float("nan"), "not finite"),
        ({1: "x"}, "key that is not a string"),
        ({"secret"}, "type set at request.steps\\[1\\] cannot be sent"),
        ("quoted \ud83d", "surrogate"),
    ],
)
def test_what_cannot_be_sent_is_refused_without_being_quoted(value: t.Any, message: str) -> None:
    with pytest.raises(CodecError, match=message) as caught:
        codec.encode_request({"steps": [1, value]})
    assert "secret" not in str(caught.value)
    assert "quoted" not in str(caught.value)


def _with_body(body: str) -> bytes:
    return b"YWdlbnQ=\n" + base64.b64encode(gzip.compress(body.encode())) + b"\n"


@pytest.mark.parametrize(
    "body",
    [
        "mailedge 1\nm0",
        "mailedge 2\nm0\n.",
        "mailedge 1\nm1\nsx\n.",
        "mailedge 1\nl3\nsx\n.",
        "mailedge 1\nm1\nsx\na9\ny\n.",
        "mailedge 1\nm1\nix\nsy\n.",
        "mailedge 1\nsx\n.",
        "mailedge 1\nm0\nm0\n.",
        "mailedge 1\nz\n.",
        "mailedge 1\nm1\nsx\nc\nsuser\n.",
        "mailedge 1\nm-1\n.",
    ],
)
def test_a_malformed_request_is_refused(body: str) -> None:
    with pytest.raises(CodecError):
        codec.decode_request(_with_body(body))


def test_a_request_cut_anywhere_is_refused() -> None:
    body = "mailedge 1\nm2\nsx\nsvalue\nslist\na2\none\ntwo\n."
    assert codec.decode_request(_with_body(body)) == {"x": "value", "list": ["one", "two"]}
    for length in range(len(body)):
        with pytest.raises(CodecError):
            codec.decode_request(_with_body(body[:length]))
    packed = base64.b64decode(_with_body(body).splitlines()[1])
    for length in range(len(packed)):
        with pytest.raises(CodecError):
            codec.decode_request(b"YWdlbnQ=\n" + base64.b64encode(packed[:length]) + b"\n")


def test_an_answer_is_found_among_noise_and_wrapped_lines() -> None:
    encoded = codec.encode_answer({"protocol": 1, "text": "\u00fc" * 500}).decode()
    body = encoded[len(codec.BEGIN) : -len(codec.END) - 2]
    wrapped = "\r\n".join(body[at : at + 79] for at in range(0, len(body), 79))
    noisy = f"WARNING: profile\r\n{codec.BEGIN}{wrapped}{codec.END}\r\nbye"
    assert codec.decode_answer(noisy.encode()) == {"protocol": 1, "text": "\u00fc" * 500}


def test_what_every_server_answers_fits_into_one_piece_of_winrm() -> None:
    """Rows of rights, as on a small server; a piece is some 100,000 bytes (tests/lab/wsman)."""
    right = {
        "User": "BIRKE\\Exchange Servers",
        "ExtendedRights": ["ms-Exch-SMTP-Submit"],
        "_each": "CN=" * 100,
    }
    answer = {
        "protocol": 1,
        "steps": {"rights": {"objects": [{**right, "row": row} for row in range(300)]}},
    }
    assert len(json.dumps(answer)) > 100_000
    packed = codec.encode_answer(answer)
    assert len(packed) < 20_000
    assert codec.decode_answer(packed) == answer


def _packed(body: bytes) -> bytes:
    return f"{codec.BEGIN}\n{base64.b64encode(body).decode()}\n{codec.END}".encode()


@pytest.mark.parametrize(
    ("stdout", "message"),
    [
        (b"", "No answer"),
        (b"powershell : not recognized", "No answer"),
        (codec.BEGIN.encode() + b"\neyJh", "cut"),
        (f"{codec.BEGIN}\neyJ\n{codec.END}".encode(), "damaged"),
        (f"{codec.BEGIN}\n####\n{codec.END}".encode(), "damaged"),
        (_packed(gzip.compress(b'{"protocol": 1}')[:-4]), "cut"),
        (_packed(gzip.compress(b'{"protocol": 1}')[:-8] + bytes(8)), "damaged"),
        (_packed(b'{"protocol": 1}'), "damaged"),
        (codec.encode_answer({"protocol": 2}), "another protocol"),
    ],
)
def test_what_is_no_answer_is_named(stdout: bytes, message: str) -> None:
    with pytest.raises(CodecError, match=message):
        codec.decode_answer(stdout)


def test_the_bootstrap_fits_the_shortest_command_line_and_carries_nothing_of_the_request() -> None:
    # cmd.exe takes 8,191 characters, of which Ansible's own wrapping leaves about 3,000 of script.
    assert len(codec.BOOTSTRAP_SCRIPT) < 2_000
    assert len(codec.BOOTSTRAP) < 8_191
    encoded = codec.BOOTSTRAP.rsplit(" ", 1)[1]
    assert base64.b64decode(encoded).decode("utf-16-le") == codec.BOOTSTRAP_SCRIPT


def test_a_password_is_not_shown_by_accident() -> None:
    credential = Credential("SITE\\admin", "Zw1ebel-canary")
    assert "canary" not in repr(credential)
    assert "canary" not in f"{credential}"
