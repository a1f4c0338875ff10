"""What a request must pass before a handler sees it: host, origin, token, size.

Loopback is not a trust boundary for browsers: any web page can make one post to 127.0.0.1, and DNS
rebinding can make it read. Hence the Host check on loopback, and JSON-only writes without a foreign
Origin (OWASP CSRF and DNS-rebinding cheat sheets).
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 4 << 20
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_READING = frozenset({"/gate/flagger"})
"""Writes nothing, although Flagger asks by POST; and its webhooks cannot carry a token."""
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (
        b"content-security-policy",
        (
            b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
            b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
)


class _TooLarge(Exception):  # noqa: N818  internal signal
    """The body outgrew its bound while it was read."""


def _refusal(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)


class Guard:
    """ASGI middleware. `token` guards writes; `loopback` adds the Host check."""

    def __init__(self, app: ASGIApp, *, token: str | None, loopback: bool) -> None:
        self._app = app
        self._token = token
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refuse(scope["method"], scope["path"], headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        try:
            await self._app(scope, _bounded(receive), _hardened(send))
        except _TooLarge:
            await _refusal(413, f"bodies are limited to {MAX_BODY_BYTES} bytes")(scope, receive, send)

    def _refuse(self, method: str, path: str, headers: Headers) -> JSONResponse | None:
        if self._loopback and _hostname(f"//{headers.get('host', '')}") not in _LOCAL:
            return _refusal(421, "unknown Host; bind http.listen to this address to allow it")
        if method in _SAFE:
            return None
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            return _refusal(403, "cross-origin writes are refused")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            return _refusal(413, f"bodies are limited to {MAX_BODY_BYTES} bytes")
        if self._token and path not in _READING and not _authorised(headers, self._token):
            return _refusal(401, "a bearer token is required (http.token_env)")
        return None


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # an unclosed bracket
        return None


def _authorised(headers: Headers, token: str) -> bool:
    given = headers.get("authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(given.encode(), token.encode())


def _bounded(receive: Receive) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY_BYTES:
            raise _TooLarge
        return message

    return bounded


def _hardened(send: Send) -> Send:
    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        await send(message)

    return hardened
