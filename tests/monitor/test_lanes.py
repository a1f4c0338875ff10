"""One connection per request in flight, and the last used is used again."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import httpx
import pytest

from monitor.lanes import Connection, Lanes

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
    async with httpx.AsyncClient(transport=Lanes(url, TLS)) as client:
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


def answered(*pieces: bytes, requests: int = 1) -> list[bytes | str]:
    """What a client makes of these bytes, the same for every connection: bodies, or what went wrong.

    The server closes its side behind them.
    """

    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.01)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def run() -> list[bytes | str]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with httpx.AsyncClient(transport=Lanes(url, TLS)) as client:
            found = []
            for _ in range(requests):
                found.append(await outcome(client, url))
                await asyncio.gather(*(task for task in serving if task))
        server.close()
        return found

    return asyncio.run(run())


async def outcome(client: httpx.AsyncClient, url: str) -> bytes | str:
    try:
        return (await client.get(url)).content
    except httpx.TransportError as error:
        return type(error).__name__


def test_a_body_ends_where_its_length_or_its_last_chunk_says() -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert answered(ANSWER) == [b"ok"]
    assert answered(chunked, b"1\r\no\r\n", b"1\r\nk\r\n0\r\n\r\n") == [b"ok"]


def test_a_body_of_unknown_length_ends_with_its_connection() -> None:
    assert answered(b"HTTP/1.1 200 OK\r\n\r\no", b"k") == [b"ok"]


def test_interim_answers_are_passed_over() -> None:
    assert answered(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", ANSWER) == [b"ok"]


@pytest.mark.parametrize(
    "torn",
    [
        b"",
        b"HTTP/1.1 200 O",
        ANSWER[:-1],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"no HTTP at all",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ],
)
def test_an_answer_that_is_not_whole_is_an_error(torn: bytes) -> None:
    assert answered(torn) == ["RemoteProtocolError"]


def test_a_connection_that_the_server_closed_or_spoke_on_unasked_is_not_used_again() -> None:
    closing = ANSWER.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    for last in (ANSWER, closing, ANSWER + ANSWER, ANSWER + b"rest"):
        assert answered(last, requests=3) == 3 * [b"ok"]


def test_a_large_answer_arrives_whole() -> None:
    body = bytes(range(256)) * (1 << 14)
    assert answered(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)) == [body]


def test_nobody_listening_is_told_from_an_answer_that_broke_off() -> None:
    async def run() -> bytes | str:
        async with httpx.AsyncClient(transport=Lanes("http://127.0.0.1:1", TLS)) as client:
            return await outcome(client, "http://127.0.0.1:1/")

    assert asyncio.run(run()) == "ConnectError"


def test_a_header_cannot_smuggle_a_line() -> None:
    async def run() -> bytes | str:
        transport = Lanes("http://127.0.0.1:1", TLS)
        headers = {"x-request-id": "a\r\nhost: elsewhere"}
        async with httpx.AsyncClient(transport=transport, headers=headers) as client:
            return await outcome(client, "http://127.0.0.1:1/")

    assert asyncio.run(run()) == "LocalProtocolError"


def test_headers_have_small_names_and_one_that_came_twice_has_both_values() -> None:
    connection = Connection()
    connection.headers = [(b"Content-Type", b"text/plain"), (b"Via", b"a"), (b"via", b"b")]
    assert connection.fields() == {"content-type": "text/plain", "via": "a, b"}
