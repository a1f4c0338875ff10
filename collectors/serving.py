"""The two kinds of servers that senders talk to, started on an address and stopped in order."""

from __future__ import annotations

import asyncio
import hmac
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from monitor.addresses import host_port
from monitor.errors import ConfigError, Unreachable
from monitor.http.patience import Patient

try:
    import grpc
except ImportError as error:  # pragma: no cover  exercised in a venv without the extra
    raise ConfigError("collect: needs pip install 'tailgate[collect]'") from error

_CONCURRENT_CALLS = 256
_MOST_CONNECTIONS = 1024
"""Beyond this uvicorn answers 503, which exporters try again later."""
_GRACE_SECONDS = 2.0


class _Quiet(uvicorn.Server):
    """Signals are the process's business."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def shown(host: str, port: int) -> str:
    """An address as people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listener(address: str, key: str) -> socket.socket:
    """A listening socket; Unreachable, naming the configuration key, where it cannot be had."""
    host, port = host_port(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise Unreachable(f"{key}: cannot listen on {address}: {error.strerror}") from error


def authorized(given: str, token: str) -> bool:
    """Whether a sender showed the token, if there is one."""
    return not token or hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


@asynccontextmanager
async def http_server(
    app: Any, address: str, key: str, patience: type[Patient] = Patient
) -> AsyncIterator[str]:
    """Serves an ASGI application; yields the address in use (port 0 = any)."""
    sock = listener(address, key)
    config = uvicorn.Config(
        app, log_level="warning", lifespan="off", access_log=False, server_header=False,
        timeout_graceful_shutdown=int(_GRACE_SECONDS), http=patience, limit_concurrency=_MOST_CONNECTIONS,
    )  # fmt: skip
    server = _Quiet(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield shown(*sock.getsockname()[:2])
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def grpc_server(
    handler: grpc.GenericRpcHandler,
    address: str,
    key: str,
    *,
    max_message_bytes: int,
    calls: int = _CONCURRENT_CALLS,
) -> AsyncIterator[str]:
    """Serves one gRPC service; `max_message_bytes` holds before and after decompression."""
    host, port = host_port(address)
    options = (("grpc.max_receive_message_length", max_message_bytes), ("grpc.so_reuseport", 0))
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=calls)
    server.add_generic_rpc_handlers((handler,))
    try:
        bound = server.add_insecure_port(shown(host, port))
    except RuntimeError as error:
        raise Unreachable(f"{key}: cannot listen on {address}") from error
    await server.start()
    try:
        yield shown(host, bound)
    finally:
        await server.stop(_GRACE_SECONDS)
