"""One connection per request in flight, and the last used is used again."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import httpx

from monitor.lanes import Lanes

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
TLS = httpx.create_ssl_context()


class Counting:
    """A server that counts its connections and answers after a moment."""

    def __init__(self) -> None:
        self.connections = 0
        self.serving: set[asyncio.Task[None] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.serving.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # the client is done
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(0.05)
                writer.write(ANSWER)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def ended(self) -> None:
        """All connections are closed."""
        await asyncio.gather(*(task for task in self.serving if task))


async def connections(*at_once: int) -> int:
    """How many connections it takes to send so many requests at once, one group after the other."""
    counting = Counting()
    server = await asyncio.start_server(counting.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with httpx.AsyncClient(transport=Lanes(TLS)) as client:
        for count in at_once:
            answers = await asyncio.gather(*(client.get(url) for _ in range(count)))
            assert [answer.content for answer in answers] == count * [b"ok"]
    server.close()
    await counting.ended()
    return counting.connections


def test_requests_one_after_the_other_share_a_connection() -> None:
    assert asyncio.run(connections(1, 1, 1, 1)) == 1


def test_requests_at_once_have_a_connection_each_and_leave_it_to_the_next() -> None:
    assert asyncio.run(connections(5, 3, 5)) == 5


def test_a_request_that_fails_gives_its_lane_back() -> None:
    async def run() -> int:
        lanes = Lanes(TLS)
        async with httpx.AsyncClient(transport=lanes) as client:
            for _ in range(3):
                try:
                    await client.get("http://127.0.0.1:1/")
                except httpx.ConnectError:
                    continue
        return len(lanes._all)

    assert asyncio.run(run()) == 1
