"""What a request must pass before a handler sees it: host, origin, token, size.

Loopback is not a trust boundary for browsers: any web page can make one post to 127.0.0.1, and DNS
rebinding can make it read. Hence the Host check on loopback, and writes without a foreign Origin
(OWASP CSRF and DNS-rebinding cheat sheets). Tokens come as `Bearer`, or as the password of Basic
authentication, which a browser asks for by itself (RFC 7617); the user name is not looked at.
"""

from __future__ import annotations

import asyncio
import hmac
from base64 import b64decode
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 4 << 20
BODY_SECONDS = 30.0
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_READING = frozenset({"/gate/flagger"})
"""Writes nothing, although Flagger asks by POST; and its webhooks cannot carry a token."""
_OPEN = _READING | {"/-/healthy", "/-/ready"}
"""Asked by machines that carry no token, and telling little: probes of Kubernetes, Flagger's gate."""
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    # `no-referrer` would make a browser send `Origin: null` with the page's own form (Fetch, 3.2).
    (b"referrer-policy", b"same-origin"),
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


class _TooSlow(Exception):  # noqa: N818  internal signal
    """The body was not there in time."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """`write` opens everything, `read` everything that changes nothing; None asks for no token."""

    write: str | None = None
    read: str | None = None

    def allow_write(self, given: str) -> bool:
        """Whether a request with this token may change something."""
        return self.write is None or _equal(given, self.write)

    def allow_read(self, given: str) -> bool:
        """Whether it may look."""
        return self.read is None or _equal(given, self.read) or (bool(self.write) and self.allow_write(given))


def _equal(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _refusal(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status, headers=headers)


def _unauthorised(message: str) -> JSONResponse:
    return _refusal(401, message, {"www-authenticate": 'Basic realm="tailgate", charset="UTF-8"'})


class Guard:
    """ASGI middleware. `tokens` guard writes and reads; `loopback` adds the Host check."""

    def __init__(
        self, app: ASGIApp, *, tokens: Tokens, loopback: bool, body_seconds: float = BODY_SECONDS
    ) -> None:
        self._app = app
        self._body_seconds = body_seconds
        self._tokens = tokens
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
            await self._app(scope, _bounded(receive, self._body_seconds), _hardened(send))
        except _TooLarge:
            await _refusal(413, f"bodies are limited to {MAX_BODY_BYTES} bytes")(scope, receive, send)
        except _TooSlow:
            ended = {"connection": "close"}
            await _refusal(408, "the body did not arrive in time", ended)(scope, receive, send)

    def _refuse(self, method: str, path: str, headers: Headers) -> JSONResponse | None:
        if self._loopback and _hostname(f"//{headers.get('host', '')}") not in _LOCAL:
            return _refusal(421, "unknown Host; bind http.listen to this address to allow it")
        given = _given(headers)
        if path not in _OPEN and not self._tokens.allow_read(given):
            return _unauthorised("a token is required to read (http.read_token_env)")
        return None if method in _SAFE else self._refuse_write(path, headers, given)

    def _refuse_write(self, path: str, headers: Headers, given: str) -> JSONResponse | None:
        if _is_foreign(headers):
            return _refusal(403, "cross-origin writes are refused")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()) or int(length[:12]) > MAX_BODY_BYTES:
            return _refusal(413, f"bodies are limited to {MAX_BODY_BYTES} bytes")
        if path not in _READING and not self._tokens.allow_write(given):
            return _unauthorised("a token is required to write (http.token_env)")
        return None


def _is_foreign(headers: Headers) -> bool:
    """Whether a browser says that another site's page made this request."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        return True
    return headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # an unclosed bracket
        return None


def _given(headers: Headers) -> str:
    """The token of the request; empty where there is none that can be read."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.casefold() == "bearer":
        return credentials.strip()
    if scheme.casefold() != "basic":
        return ""
    try:
        return b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except ValueError:  # not Base64, not UTF-8
        return ""


def _bounded(receive: Receive, seconds: float) -> Receive:
    """The body within its size and its time; what comes behind it (a disconnect) may take as long as it likes."""
    seen, complete = 0, False
    until = asyncio.get_running_loop().time() + seconds

    async def bounded() -> Message:
        nonlocal seen, complete
        try:
            async with asyncio.timeout_at(None if complete else until):
                message = await receive()
        except TimeoutError as error:
            raise _TooSlow from error
        complete = complete or not message.get("more_body", False)
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
