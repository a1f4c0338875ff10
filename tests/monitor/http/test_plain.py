"""A port without a verdict is guarded like one with it."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client import CollectorRegistry

from monitor.http.guard import Tokens
from monitor.http.plain import plain_application
from tests.monitor.http.test_api import basic, listening


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example"])
def test_a_rebound_host_is_refused(host: str) -> None:
    app = plain_application(CollectorRegistry(), lambda: None, tokens=Tokens(), loopback=True)
    with listening(app) as address:
        assert httpx.get(f"http://{address}/metrics", headers={"host": host}).status_code == 421
        assert httpx.get(f"http://{address}/metrics").status_code == 200


def test_metrics_ask_for_the_readers_token_and_probes_do_not() -> None:
    app = plain_application(CollectorRegistry(), lambda: "starting", tokens=Tokens("w", "r"), loopback=True)
    with listening(app) as address:
        asked = [httpx.get(f"http://{address}/metrics", headers=headers) for headers in ({}, basic("r"))]
        assert [answer.status_code for answer in asked] == [401, 200]
        assert httpx.get(f"http://{address}/-/ready").status_code == 503
