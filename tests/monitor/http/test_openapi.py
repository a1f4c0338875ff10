"""The published OpenAPI document: it lists what is served, and no request made from it ends in a 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from starlette.routing import Route

from monitor.http.api import Api
from monitor.http.openapi import document
from monitor.http.pages import pages
from monitor.http.switch import Sidecar
from tests.monitor.http.test_api import FixedService, row, serving, verdict
from tests.monitor.http.test_pages import PageService

NOBODY = Sidecar("127.0.0.1:9")


class WorkingService(PageService):
    """Whose reload works: the one answer of 503 that is meant."""

    def reload(self) -> str:
        return "abc"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    service = WorkingService(row())
    with serving(service, pages=pages(service, NOBODY, 1.0)) as client:
        yield client


@pytest.mark.slow
def test_no_request_is_answered_by_a_server_error(client: httpx.Client) -> None:
    api = schemathesis.openapi.from_dict(client.get("/api/v1/openapi.json").json())
    asked = set()
    for found in api.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # our own document is valid
        answers = answers_of(operation, str(client.base_url))
        asked.add(operation.path)
        assert {status for status in answers if status >= 500} == set(), operation.path
    assert asked == set(document()["paths"])


def answers_of(operation: Any, url: str) -> set[int]:
    """Statuses of requests that the document allows and of some that it does not."""
    seen: set[int] = set()
    for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=6, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def ask(case: Any) -> None:
            seen.add(case.call(base_url=url).status_code)

        with suppress(Unsatisfiable):  # nothing about it can be wrong
            ask()
    return seen


def test_every_route_is_published() -> None:
    routes = {
        (route.path, method.lower())
        for route in [*Api(FixedService(verdict())).routes(), *pages(PageService(row()), NOBODY, 1.0)]
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert routes == {(path, method) for path, item in document()["paths"].items() for method in item}
