"""An upstream in a process of its own that holds every connection it is given: `python -m tests.faults.holding`.

Each connection costs a descriptor; of a test that holds the other ends too, they would be twice as many.
"""

from __future__ import annotations

import asyncio
import resource

from tests.collectors.harness import answer, request

REQUEST, ANSWER = request(), answer()
"""The one exchange that it knows."""
BACKLOG = 4096


class Held(asyncio.Protocol):
    """Answers each `REQUEST`, however it is cut, and never closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.waiting = transport, 0

    def data_received(self, data: bytes) -> None:
        whole, self.waiting = divmod(self.waiting + len(data), len(REQUEST))
        self.transport.write(ANSWER * whole)


async def serve() -> None:
    """Print the port, then hold."""
    server = await asyncio.get_running_loop().create_server(Held, "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def raise_limit() -> int:
    """As many descriptors as this process may have; how many that is."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


if __name__ == "__main__":
    raise_limit()
    asyncio.run(serve())
