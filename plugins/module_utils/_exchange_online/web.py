# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP to Microsoft's cloud: counted, bounded in time and size, never redirected.

The library requests is what msal, which fetches the tokens, brings with it; it honours the proxies
of the environment. It is imported when it is needed, because only tenants need it.
"""

from __future__ import annotations

import importlib
import time
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.errors import (
    NotInstalled,
    Unreachable,
    Unreadable,
    plain,
)

_LARGEST = 64 << 20
_CHUNK = 64 << 10


def library(name: str) -> t.Any:
    """A library that only Exchange Online needs. Raises NotInstalled."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotInstalled(
            f"The Python library {name} cannot be imported on the host that runs this task "
            f"({plain(error)}), and Exchange Online needs it. Nothing was sent to the tenant. "
            "Install what requirements-exchange-online.txt of this collection names: "
            "pip install msal."
        ) from None


class Response:
    """An answer, in the shape that msal expects as well."""

    def __init__(self, status_code: int, headers: t.Mapping[str, str], text: str) -> None:
        self.status_code, self.headers, self.text = status_code, headers, text

    def raise_for_status(self) -> None:
        """Raise Unreadable for an answer that says no."""
        if self.status_code >= 400:
            raise Unreadable(f"The answer was {self.status_code}: {plain(self.text)}")


class Web:
    """A session. `requests` counts what was sent, also by msal."""

    def __init__(
        self,
        *,
        validate_certs: bool = True,
        ca_path: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        self.requests = 0
        self.timeout = timeout
        self._verify: bool | str = (ca_path or True) if validate_certs else False
        self._library: t.Any = None
        self._session: t.Any = None

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            self._session.close()
            self._session = None

    # What msal calls, as its documentation of http_client asks for it.

    def get(
        self,
        url: str,
        params: t.Any = None,
        headers: t.Mapping[str, str] | None = None,
        **_more: t.Any,
    ) -> Response:
        """One GET. Raises Unreachable."""
        return self.send("GET", url, params=params, headers=headers)

    def post(
        self,
        url: str,
        params: t.Any = None,
        data: t.Any = None,
        headers: t.Mapping[str, str] | None = None,
        **_more: t.Any,
    ) -> Response:
        """One POST. Raises Unreachable."""
        return self.send("POST", url, params=params, data=data, headers=headers)

    def send(
        self,
        method: str,
        url: str,
        *,
        params: t.Any = None,
        data: t.Any = None,
        headers: t.Mapping[str, str] | None = None,
        bearer: str = "",
    ) -> Response:
        """One request, and the whole answer in time. Raises Unreachable."""
        session = self._opened()
        errors = self._library.exceptions
        self.requests += 1
        end = time.monotonic() + self.timeout

        def with_token(request: t.Any) -> t.Any:
            # Without this, a login for the host in the file .netrc would take the token's place.
            if bearer:
                request.headers["Authorization"] = f"Bearer {bearer}"
            return request

        try:
            with session.request(
                method,
                url,
                params=params,
                data=data,
                headers=dict(headers or {}),
                auth=with_token,
                timeout=self.timeout,
                allow_redirects=False,
                stream=True,
                verify=self._verify,
            ) as answer:
                content = bytearray()
                for chunk in answer.iter_content(_CHUNK):
                    content += chunk
                    if time.monotonic() > end:
                        raise errors.ReadTimeout("the answer did not end in time")
                    if len(content) > _LARGEST:
                        raise errors.ContentDecodingError("the answer has no end")
                return Response(
                    answer.status_code, answer.headers, bytes(content).decode("utf-8", "replace")
                )
        except errors.SSLError as error:
            raise Unreachable(
                f"The certificate of {_host(url)} cannot be trusted ({plain(_cause(error))}). "
                "Nothing was sent to it. Name the authority that signed it in ca_path.",
                sent=False,
            ) from None
        except (errors.RequestException, OSError, ValueError) as error:
            cause = _cause(error)
            raise Unreachable(
                f"{_host(url)} cannot be reached, or did not answer in whole within "
                f"{self.timeout:g} seconds ({type(cause).__name__}: {plain(cause)}).",
                sent=not self._unsent(error, cause),
            ) from None

    def _opened(self) -> t.Any:
        if self._session is None:
            self._library = library("requests")
            self._session = self._library.Session()
        return self._session

    def _unsent(self, error: Exception, cause: BaseException) -> bool:
        """Whether it is certain that nothing arrived: there was no connection."""
        return (
            isinstance(error, (self._library.exceptions.ConnectTimeout, ValueError))
            or type(cause).__name__ in ("NewConnectionError", "ConnectTimeoutError")
            or type(cause).__name__ == "NameResolutionError"
        )


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].partition("?")[0] or url


def _cause(error: BaseException) -> BaseException:
    """The innermost of errors that are wrapped in each other, without the URL that they repeat."""
    for _depth in range(5):
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if not isinstance(inner, BaseException):
            return error
        error = inner
    return error
