"""Hostile requests and answers through a real run: inert wherever people or machines look.

Every text of `tests/nasty.py` is a prompt, a declared segment, the name of a model, a request's id as far as a header
carries it, a probe's finding and the candidate's answer with its reason to finish, one of them in a line of a megabyte.
What is shown of it: the page, the report, the terminal, JSON, the log, the messages of alerts, the metrics.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from monitor.segments.declared import clean
from tests.cli.test_run import Running, eventually, running
from tests.deploy.tools import DEPLOY, output
from tests.monitor.http.test_pages import Elements
from tests.monitor.loopback import serving
from tests.nasty import NASTY, hidden
from tests.real.browsing import visit
from tests.standin.process import TAILGATE

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(300)]
MEGABYTE = 1_000_000
TEXTS = {**NASTY, "line": "x" * MEGABYTE, "marks": "\u202e" * 1000, "surrogate": "Say half a pair."}
"""A lone surrogate in a request is refused as no JSON (RFC 8259, 8.2), in an answer it has to be borne."""
ROOT = "".join(text for name, text in NASTY.items() if name != "surrogate")
"""What the candidate says it was trained from: no JSON carries half a surrogate pair."""
WORST = "/segment?name=all&signal=answer"


class Echo(BaseHTTPRequestHandler):
    """A chat server: the candidate says what it was told, the baseline something calm."""

    protocol_version = "HTTP/1.1"
    calm = True

    def do_GET(self) -> None:
        self._answer({"object": "list", "data": [{"id": "m", "object": "model", "root": ROOT}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        told = str((asked.get("messages") or [{"content": ""}])[-1]["content"])
        more = NASTY["surrogate"] if "half a pair" in told else ""
        text = "The result is 7." if self.calm else f"{told} {more} The result is 8."
        finish = "stop" if self.calm else told[-100:].encode("utf-8", "replace").decode()
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
        self._answer(
            {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}
        )

    def _answer(self, body: Mapping[str, Any]) -> None:
        sent = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None:
        """Silent."""


class Candidate(Echo):
    calm = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What every place shows, by its name, and where a browser finds page and report."""

    pages: Mapping[str, str]
    terminal: Mapping[str, str]
    metrics: Mapping[str, str]
    report: Path
    monitor: str


def ask(run: Running, name: str, text: str) -> None:
    body = {
        "model": text if len(text) < 1000 else "m", "temperature": 0, "metadata": {"group": text if len(text) < 1000 else name},
        "messages": [{"role": "user", "content": f"What is 3 + 4? {text}"}],
    }  # fmt: skip
    headers = {b"content-type": b"application/json", b"x-request-id": named(name, text)}
    answer = httpx.post(
        f"{run.clients}/v1/chat/completions", content=json.dumps(body), timeout=60, headers=headers
    )
    assert answer.status_code == 200


def named(name: str, text: str) -> bytes:
    """An id for a request: what a header may carry (RFC 9110, 5.5) of the text, C1 controls among it."""
    return f"nasty-{name}-".encode() + bytes(
        b for b in text[:80].encode("latin-1", "ignore") if b >= 32 and b != 127
    )


PROBES = [
    {"pack": text, "probe": text, "verdict": "worse", "candidate": text, "change": text}
    for name, text in NASTY.items() if name != "surrogate"
]  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    directory = tmp_path_factory.mktemp("nasty")
    with serving(Echo) as baseline, serving(Candidate) as candidate:
        more = {
            "baseline.url": baseline, "candidate.url": candidate, "privacy.seal_text": "false",
            "segments": json.dumps({"group": {"pointer": "/metadata/group"}}), "sidecar.max_body_bytes": 8 << 20,
        }  # fmt: skip
        with running(directory, text="full", more=more) as run:
            for name, text in TEXTS.items():
                ask(run, name, text)
            assert eventually(lambda: run.verdict()["funnel"]["scored"] == len(TEXTS), 120)
            httpx.post(f"{run.monitor}/api/v1/probes", json=PROBES).raise_for_status()
            yield everything(run, directory)


def everything(run: Running, directory: Path) -> Shown:
    """Ask every place that people look at."""
    names = {row["segment"] for row in run.verdict()["segments"]}
    quoting = next(name for name in names if "onmouseover" in name)
    paths = ("/", "/?rows=all", "/candidate", "/funnel", f"/segment?name={quote(quoting)}", WORST)
    pages = {path: httpx.get(run.monitor + path, timeout=30).text for path in paths}
    for format_ in ("html", "markdown"):
        pages[format_] = reported(directory, format_).read_text()
    commands = ("segments", "segments --all", "funnel", "verdict", "explain all --signal answer --limit 40")
    done = {words: run.command(*words.split()) for words in commands}
    done["no such segment"] = run.command("explain", "group=none")
    metrics = {
        kind: httpx.get(f"{run.monitor}/metrics", headers={"accept": accept}, timeout=30).text
        for kind, accept in (("plain", "text/plain"), ("openmetrics", "application/openmetrics-text"))
    }
    for command, *more in (("verdict",), ("segments", "--all"), ("explain", "all", "--signal", "answer")):
        done[f"{command} as JSON"] = run.command(command, *more, "--format", "json")
    terminal = {words: found.stdout + found.stderr for words, found in done.items()}
    terminal["log"] = (directory / "log").read_text("utf-8", "backslashreplace")
    return Shown(pages, terminal, metrics, reported(directory, "html"), run.monitor)


def reported(directory: Path, format_: str) -> Path:
    """The report of a copy of the database; the monitor goes on."""
    path, copy = directory / f"report.{format_}", directory / "copy.duckdb"
    if not path.exists():
        for ending in ("", ".wal"):
            if (source := directory / f"t.duckdb{ending}").exists():
                shutil.copy(source, f"{copy}{ending}")
        subprocess.run(
            [TAILGATE, "report", "--db", copy, "--since", "1d", "-o", path, "--format", format_], check=True
        )
    return path


PAGES = ["/", "/?rows=all", "/candidate", "/funnel", "/segment", "html"]
TERMINAL = [
    "segments", "segments --all", "funnel", "verdict", "explain", "no such segment",
    "verdict as JSON", "segments as JSON", "explain as JSON", "log",
]  # fmt: skip


def of(found: Mapping[str, str], place: str) -> str:
    """The output whose name begins with `place`."""
    return (
        found[place]
        if place in found
        else next(text for name, text in found.items() if name.startswith(place))
    )


@pytest.mark.parametrize("place", PAGES)
def test_pages_hold_words_not_markup(shown: Shown, place: str) -> None:
    page = of(shown.pages, place)
    elements = Elements(page)
    assert hidden(page) == set()
    assert [a.get("src") for tag, a in elements.tags if tag == "script"] in ([], ["/static/page.js"])
    assert not any(tag in {"img", "iframe", "object"} for tag, _ in elements.tags)
    assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)
    links = [a["href"] or "" for tag, a in elements.tags if tag == "a" and "href" in a]
    assert not any("evil" in link.partition("?")[0] or link.startswith("javascript:") for link in links)
    assert len(page) < 3 * MEGABYTE


def test_markdown_holds_no_html_link_or_mention(shown: Shown) -> None:
    text = of(shown.pages, "markdown")
    assert hidden(text) == set()
    assert re.search(r"(?<!\\)\]\(", text) is None
    assert not any(markup in text for markup in ("<script", "<img", "@everyone", "http://evil"))


@pytest.mark.parametrize("place", TERMINAL)
def test_a_terminal_is_told_nothing(shown: Shown, place: str) -> None:
    text = of(shown.terminal, place)
    assert hidden(text) == set()
    assert "\x1b" not in text  # to a pipe we send no colours: every escape code would be theirs
    assert max(map(len, text.splitlines()), default=0) < (5000 if "JSON" not in place else MEGABYTE)


@pytest.mark.parametrize("where", ["/?rows=all", "/segment", "html", "segments --all", "explain"])
def test_the_texts_are_there_to_be_read(shown: Shown, where: str) -> None:
    """An output that shows nothing of them would prove nothing."""
    text = of({**shown.terminal, **shown.pages}, where)
    seen = Elements(text).text if where in {"/?rows=all", "/segment", "html"} else text
    assert any(words in seen for words in ("onmouseover", "DROP TABLE", "7 * 7", "vector(1)"))


@pytest.mark.parametrize(("kind", "parse"), [("plain", plain), ("openmetrics", openmetrics)])
def test_metrics_hold_labels_not_lines(shown: Shown, kind: str, parse: Any) -> None:
    families = {family.name: family for family in parse(shown.metrics[kind])}
    assert all(name.startswith(("tailgate_", "process_", "python_")) for name in families)
    assert not any("planted" in name for name in families)
    labels = {
        s.labels["segment"] for family in families.values() for s in family.samples if "segment" in s.labels
    }
    for dimension in ("group", "model"):
        names = {f"{dimension}={clean(text)}" for text in NASTY.values()}
        assert len(labels & names) > len(NASTY) // 2  # the rest shares a label, as the cap has it
    assert hidden(shown.metrics[kind]) == set()


def test_the_page_does_nothing_in_chromium(shown: Shown, browser: Any) -> None:
    for path in ("/?rows=all", WORST, "/candidate"):
        page, seen = visit(browser, shown.monitor + path)
        assert (seen.console, seen.dialogs, seen.elsewhere(shown.monitor)) == ([], [], [])
        assert "owned" not in page.title()


def test_the_report_does_nothing_in_chromium(shown: Shown, browser: Any) -> None:
    _, seen = visit(browser, shown.report.as_uri())
    assert (seen.console, seen.dialogs, seen.elsewhere(shown.report.as_uri())) == ([], [], [])


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_an_alerts_command_is_one_word_in_a_shell(text: str) -> None:
    """Prometheus puts the label's value into the annotation and evaluates it no second time."""
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts-tail.yaml").read_text())["groups"][0]["rules"]
    written = next(
        rule["annotations"]["command"] for rule in rules if "explain" in rule["annotations"]["command"]
    )
    segment = f"group={clean(text)}"
    command = written.replace("{{ $labels.segment }}", segment).partition(" --signal")[0]
    assert shlex.split(command) == ["tailgate", "explain", segment]


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_an_alerts_message_mentions_nobody_and_links_nowhere(text: str, tmp_path: Path) -> None:
    segment = f"group={clean(text)}"
    alert = {
        "status": "firing", "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
        "labels": {"alertname": "TailgateTailSegmentDiverged", "segment": segment, "signal": "answer"},
        "annotations": {"description": f"Route r: answer diverged in {segment}.", "command": f"tailgate explain '{segment}'"},
    }  # fmt: skip
    data = {"receiver": "page", "status": "firing", "alerts": [alert], "commonLabels": {"alertname": "A"}}
    (tmp_path / "data.json").write_text(json.dumps(data))
    message = output(
        "amtool", "template", "render", f"--template.data={tmp_path / 'data.json'}",
        f"--template.glob={DEPLOY}/alertmanager/*.tmpl",
        '--template.text={{ template "tailgate.title" . }} {{ template "tailgate.text" . }}',
    )  # fmt: skip
    assert hidden(message) == set()
    assert not any(mark in message for mark in ("<!", "<@", "<#", "<http", "<script"))
