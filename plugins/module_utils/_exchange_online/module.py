# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Exchange Online module as a program: its options, its client, and what it runs."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import (
    argspec,
    edge,
    model,
    watcher,
    words,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.client import (
    ExchangeOnline,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.errors import (
    ExchangeOnlineError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.exchangers import (
    Source,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.in_force import (
    PROPAGATION,
    awaited,
    problem,
    propagating,
    wait,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.layer import (
    TenantLayer,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.model import Named
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.port import (
    TenantPort,
    another_tenant,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.recipe import (
    BY_CONNECTOR,
    Wish,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.resources import (
    CONNECTOR,
    CONNECTOR_SOURCE,
    RULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.state import (
    TenantState,
    moment_of,
    read,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.tokens import (
    CLOUDS,
    Login,
    Tokens,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.web import Web
from ansible_collections.mailedge.lockdown.plugins.module_utils._module import (
    made,
    tell_warnings,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.snapshots import (
    as_result,
    kept,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import approval
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    snapshot as snapshots,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.folder import (
    CONTENT,
    Folder,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    Refused,
    Result,
    judged,
    shortened,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.run import (
    Task,
    execute,
)

LOCK: dict[str, t.Any] = {
    "argument_spec": {**argspec.TENANT_OPTIONS, **argspec.LOCK_OPTIONS, **argspec.TASK_OPTIONS},
    "supports_check_mode": True,
}
INFO: dict[str, t.Any] = {
    "argument_spec": {
        **argspec.TENANT_OPTIONS,
        **{
            name: argspec.LOCK_OPTIONS[name]
            for name in (
                "provider_certificate",
                "provider_ranges",
                "on_premises_certificate",
                "on_premises_ranges",
            )
        },
        "only_snapshots": {"type": "bool", "default": False},
        "wait_minutes": {"type": "int", "default": 0},
        "in_force_by": {"type": "str"},
        "microsoft_monitor": {"type": "bool", "default": False},
        "graph_url": {"type": "str"},
    },
    "supports_check_mode": True,
}


def connect(params: t.Mapping[str, t.Any]) -> tuple[ExchangeOnline, Web]:
    """The client that the options describe; nothing is sent yet."""
    web = Web(
        validate_certs=params["validate_certs"],
        ca_path=params["ca_path"],
        timeout=float(params["timeout"]),
    )
    cloud = CLOUDS[params["cloud"]]
    api = (params["api_url"] or cloud.api).rstrip("/")
    return _client(params, web, cloud.api, api, documented=params["documented_api"]), web


def _client(
    params: t.Mapping[str, t.Any], web: Web, resource: str, url: str, *, documented: bool = False
) -> ExchangeOnline:
    """A client of a service at `url`, with tokens for `resource`."""
    login = Login(
        params["tenant_id"],
        client=params["client_id"] or "",
        secret=params["client_secret"] or "",
        certificate=params["certificate"] or "",
        passphrase=params["certificate_passphrase"] or "",
        managed_identity=params["managed_identity"],
    )
    authority = (params["authority_url"] or CLOUDS[params["cloud"]].authority).rstrip("/")
    tokens = Tokens(login, authority, resource, web)
    return ExchangeOnline(params["tenant_id"], url, tokens, web, documented=documented)


def named_by(params: t.Mapping[str, t.Any]) -> Named:
    """Whom the options name. Raises RangeError for what looks like a mistake."""
    return Named(
        provider=_ranges_guards.named(params["provider_ranges"]),
        provider_certificate=_name(params["provider_certificate"]),
        on_premises=_ranges_guards.friends(params["on_premises_ranges"]),
        on_premises_certificate=_name(params["on_premises_certificate"]),
    )


def _name(text: str | None) -> str:
    return (text or "").strip().lower()


def wish_of(params: t.Mapping[str, t.Any]) -> Wish:
    """What the options ask for. Raises RangeError and PlanError."""
    name = params["name"].strip()
    if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise PlanError(
            f"The name {name[:80]!r} is no name for connectors and rules. Nothing was changed. "
            f"Take 1 to {_LONGEST_NAME} characters."
        )
    direct_send = params["reject_direct_send"]
    if direct_send is None and params["method"] == BY_CONNECTOR:
        # The connector refuses Direct Send as well; the setting holds where it is taken away.
        direct_send = True
    return Wish(
        name=name,
        method=params["method"],
        named=named_by(params),
        enforce=params["rule_mode"] == "enforce",
        require_tls=params["require_tls"],
        direct_send=direct_send,
        filtering=params["enhanced_filtering"],
    )


_LONGEST_NAME = 40


def lock(arguments: t.Mapping[str, t.Any]) -> None:
    """The whole module that locks."""
    module = made(**arguments)
    params = module.params
    wanted = CONTENT if params["content"] else params["snapshot"]
    wrong = [
        argspec.problems(params),
        snapshots.check_wanted(params["snapshot"]) if params["snapshot"] else "",
        snapshots.check_run_id(params["run_id"]) if params["run_id"] else "",
    ]
    if any(wrong):
        module.fail_json(msg=" ".join(filter(None, wrong)), changed=False, cost={"requests": 0})
    client, web = connect(params)
    with client:
        try:
            layer = TenantLayer(
                client,
                None if wanted is not None else wish_of(params),
                mx=Source(
                    tuple(params["mx_hosts"]),
                    params["mx_from_dns"],
                    params["resolver"],
                    params["resolver_port"],
                ),
                may_write=params["check_permissions"] or not module.check_mode,
            )
            port = TenantPort(
                client,
                layer,
                Folder(params["snapshot_folder"]),
                wanted=wanted,
                content=params["content"],
                wait=web.sleep,
            )
            task = Task(
                check_mode=module.check_mode,
                diff=module._diff,
                accept_risks=params["accept_risks"],
                snapshot=wanted,
                keep_later_changes=params["keep_later_changes"],
                run_id=params["run_id"],
                approved=approval.given(params["approved_plan"]),
            )
            result = execute(layer, port, task)
            _tell_propagation(result, port)
        except Refused as refused:
            tell_warnings(module, refused.result)
            module.fail_json(msg=str(refused), **shortened(refused.result))
        except (ExchangeOnlineError, PlanError, RangeError) as error:
            module.fail_json(
                msg=_untouched(error), changed=False, cost={"requests": client.requests}
            )
    tell_warnings(module, result)
    module.exit_json(**result)


def _tell_propagation(result: Result, port: TenantPort) -> None:
    """What was written is in force everywhere after a while: that is told, and never taken for
    open.
    """
    if result["changed"] and result.get("snapshot"):
        until = port.now() + PROPAGATION
        result["tenant"] = {**result["tenant"], "in_force_by": snapshots.stamp(until)}
        warnings = [
            text for text in result.get("warnings", ()) if not text.startswith(_CHANGED_AGO)
        ]
        result["warnings"] = [*warnings, propagating(until)]


_CHANGED_AGO = "The tenant was changed less than"


def info(arguments: t.Mapping[str, t.Any]) -> None:
    """The whole module that only reads."""
    module = made(**arguments)
    params = module.params
    wrong = " ".join(filter(None, (argspec.problems(params), problem(params), _unwatched(params))))
    if wrong:
        module.fail_json(msg=wrong, changed=False, cost={"requests": 0})
    told = moment_of(params["in_force_by"])
    listed = _listed(params)
    if params["only_snapshots"]:
        module.exit_json(changed=False, cost={"requests": 0}, **listed)
    client, web = connect(params)
    with client:
        try:
            named = named_by(params)
            state = wait(client, read(client), told, params["wait_minutes"], web.sleep)
        except (ExchangeOnlineError, PlanError, RangeError) as error:
            module.fail_json(
                msg=_untouched(error), changed=False, cost={"requests": client.requests}
            )
        result = {**_looked(client, state, named, told), **listed}
        if params["microsoft_monitor"]:
            # It says nothing of who gets in, so that it changes no state.
            url = (params["graph_url"] or watcher.GRAPH).rstrip("/")
            result["microsoft_monitor"] = watcher.watch(
                _client(params, web, watcher.GRAPH, url)
            ).as_result()
    module.exit_json(changed=False, cost={"requests": client.requests}, **result)


def _unwatched(params: t.Mapping[str, t.Any]) -> str:
    """Why Microsoft's monitor cannot be asked; empty where it can."""
    if params["microsoft_monitor"] and params["cloud"] != "worldwide" and not params["graph_url"]:
        return (
            "microsoft_monitor is true, and Microsoft has its monitor in the worldwide cloud alone."
        )
    return ""


def _looked(
    client: ExchangeOnline,
    state: TenantState,
    named: Named,
    told: datetime.datetime | None,
) -> Result:
    until = awaited(client, state, told)
    strangers = model.strangers(state, named)
    doubts = [
        *state.unread,
        *model.ways_past_rules(state),
        *model.unnamed_on_premises(state, named),
    ]
    return {
        "tenant": {
            "id": client.tenant,
            "domains": list(state.domains),
            "reject_direct_send": state.organization.get("reject_direct_send"),
            **({"in_force_by": snapshots.stamp(until)} if until else {}),
        },
        **judged(strangers, strangers, strangers, unfinished=False, unsettled=bool(doubts)),
        "edge": edge.of(state, named),
        "answers": words.answers(state),
        "bypasses": model.bypasses(state),
        "unread": doubts,
        "reading": dict(state.reading),
        "inbound_connectors": [
            {**CONNECTOR.show(row), CONNECTOR_SOURCE: row.get(CONNECTOR_SOURCE, "")}
            for _key, row in sorted(state.connectors.items())
        ],
        "transport_rules": [RULE.show(row) for _key, row in sorted(state.rules.items())],
    }


def _listed(params: t.Mapping[str, t.Any]) -> Result:
    folder = Folder(params["snapshot_folder"])
    held = [
        kept(
            file,
            TenantLayer.name,
            TenantLayer.tables,
            lambda origin: another_tenant(origin, params["tenant_id"]),
        )
        for file in folder.files()
        if snapshots.is_name(file.name)
    ]
    return as_result(
        [snapshot for snapshot in held if snapshot is not None], "tenant", str(folder.path)
    )


def _untouched(error: Exception) -> str:
    """What is said of an error before the first write."""
    text = str(error)
    return text if "othing was" in text else f"{text} Nothing was changed."
