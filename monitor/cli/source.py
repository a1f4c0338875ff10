"""Where live commands get a verdict from: a running monitor (`--url`) or its database (`--db`)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx

from monitor.errors import Unreachable, UsageError

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_URL = "http://127.0.0.1:9870"
POLL_SECONDS = 0.5
_RANK = {"diverged": 2, "inconclusive": 1, "ok": 0}


def source_options(function: F) -> F:
    """`--url` (several monitors, several routes) or `--db` (a monitor that is not running)."""
    url = click.option(
        "--url", "urls", multiple=True, help=f"address of a running monitor [default: {DEFAULT_URL}]"
    )
    database = click.option(
        "--db", type=click.Path(path_type=Path, dir_okay=False), help="database of a stopped monitor"
    )
    return url(database(function))


def get(url: str, path: str, **query: object) -> Any:
    """JSON of a GET; Unreachable names the address and what happened."""
    parameters = {key: str(value) for key, value in query.items() if value is not None}
    return _asked("GET", url, path, timeout=10, params=parameters)


def post(url: str, path: str, body: object, timeout: float = 60) -> Any:
    """JSON of a POST."""
    return _asked("POST", url, path, timeout=timeout, json=body)


def _asked(method: str, url: str, path: str, **request: Any) -> Any:
    """The answer's JSON; a token comes from the environment variable TAILGATE_TOKEN."""
    token = os.environ.get("TAILGATE_TOKEN")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        response = httpx.request(
            method, f"{url.rstrip('/')}{path}", headers=headers, trust_env=False, **request
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        what = str(error) or type(error).__name__
        raise Unreachable(f"{url}: {what}; is the monitor running?") from error
    return _body(url, response)


def _body(url: str, response: httpx.Response) -> Any:
    try:
        body = response.json()
    except json.JSONDecodeError as error:
        raise Unreachable(f"{url}: does not answer like a Tailgate monitor") from error
    if response.status_code >= 400:
        raise UsageError(f"{url}: {body.get('error', response.status_code)}")
    return body


def verdicts(urls: Sequence[str], db: Path | None) -> list[dict[str, Any]]:
    """One verdict per monitor, as the verdict JSON."""
    if db is not None:
        if urls:
            raise UsageError("give --url or --db, not both")
        from monitor.outlook import verdict_of_database

        return [verdict_of_database(db, time.time())]
    return [get(url, "/api/v1/verdict") for url in urls or (DEFAULT_URL,)]


def worst(found: Sequence[Mapping[str, Any]]) -> str:
    """The verdict over several routes: any diverged, else any inconclusive, else ok."""
    return max((str(v["verdict"]) for v in found), key=_RANK.__getitem__)


def wait_for_decision(urls: Sequence[str], db: Path | None, seconds: float) -> list[dict[str, Any]]:
    """Poll until every route is decided or the time is up; Unreachable only if it never answered."""
    deadline = time.monotonic() + seconds
    found: list[dict[str, Any]] = []
    while True:
        failure = None
        try:
            found = verdicts(urls, db)
        except Unreachable as error:
            failure = error
        if found and (worst(found) == "diverged" or all(v["verdict"] == "ok" for v in found)):
            return found
        if time.monotonic() >= deadline:
            if not found and failure:
                raise failure
            return found
        time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))
