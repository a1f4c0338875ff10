"""A full run with planted strings: what was never to be kept is nowhere, what was erased is gone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.cli.test_run import Running, eventually, running
from tests.standin.process import TAILGATE

CREDENTIALS = {
    "authorization": "Bearer 9f2c1e7a-planted-bearer-credential",
    "cookie": "session=77aa41d0-planted-cookie",
    "x-api-key": "c0ffee42-planted-api-key",
    "proxy-authorization": "Basic cGxhbnRlZDpwcm94eQ==",
}
PLANTED = [*CREDENTIALS.values(), "9f2c1e7a-planted", "77aa41d0-planted", "c0ffee42-planted", "cGxhbnRlZDpw"]
pytestmark = pytest.mark.timeout(300)
MARKS = {"ann": "qzxjkv-8841-ann", "carol": "wvfgqz-5530-carol", "bob": "hjkpqx-1127-bob"}


def ask(run: Running, user: str, number: int) -> None:
    text = f"What is {number} + 2? My reference is {MARKS[user]}."
    body = {"model": "standin", "messages": [{"role": "user", "content": text}]}
    headers = {"x-user": user, "x-request-id": f"{user}-{MARKS[user]}-{number}", **CREDENTIALS}
    answer = httpx.post(f"{run.clients}/v1/chat/completions", json=body, headers=headers, timeout=30)
    assert answer.status_code == 200


def holding(directory: Path, *needles: str) -> list[str]:
    """Files below `directory` that hold any of the strings, byte for byte."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [str(p) for p in files if any(needle.encode() in p.read_bytes() for needle in needles)]


def command(*arguments: str) -> str:
    done = subprocess.run([TAILGATE, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run leaves that kept every text readable, and forgot one subject while it ran."""
    directory = tmp_path_factory.mktemp("privacy")
    more = {"privacy.seal_text": "false", "export.directory": directory / "exported"}
    with running(directory, text="full", more=more) as run:
        for number in range(5):
            for user in MARKS:
                ask(run, user, number)
        assert holding(directory, *PLANTED) == []  # while requests lie in the spool
        assert eventually(lambda: run.verdict()["funnel"]["scored"] == 15, 120)
        pages = "".join(httpx.get(f"{url}/metrics").text for url in (run.monitor, run.admin))
        assert not any(needle in pages for needle in PLANTED)
        assert json.loads(run.command("erase", "--subject", "carol").stdout)["pairs"] == 5
        assert len(run.command("export", "--subject", "ann").stdout.splitlines()) == 5
        assert run.command("export", "--subject", "carol").stdout == ""
    command("export", "--db", str(directory / "t.duckdb"), "--to", str(directory / "exported"))
    return directory


def test_no_credential_or_cookie_is_on_disk_or_in_the_log(stopped: Path) -> None:
    assert holding(stopped, *PLANTED) == []


def test_who_was_erased_is_in_no_byte_and_the_others_are(stopped: Path) -> None:
    assert holding(stopped, MARKS["carol"], "carol") == []
    assert len(holding(stopped, MARKS["bob"])) >= 2  # database and Parquet: the search can find something


def test_a_stopped_monitors_subject_is_exported_and_then_gone_everywhere(stopped: Path) -> None:
    database = ("--db", str(stopped / "t.duckdb"))
    pairs = [json.loads(line) for line in command("export", "--subject", "ann", *database).splitlines()]
    assert {MARKS["ann"] in pair["texts"]["request"] for pair in pairs} == {True}
    gone = json.loads(command("erase", "--subject", "ann", *database))
    assert (gone["pairs"], gone["exported"]) == (5, 5)
    assert holding(stopped, MARKS["ann"], "ann-") == []
    assert len(holding(stopped, MARKS["bob"])) >= 2


def test_the_audit_says_how_many_and_never_who(stopped: Path) -> None:
    from monitor.store import Store

    store = Store(stopped / "t.duckdb")
    rows = store.query("SELECT action, detail FROM audit ORDER BY time")
    store.close()
    assert ("erase", "5 pairs") in rows
    assert not any(user in detail for _, detail in rows for user in MARKS)
