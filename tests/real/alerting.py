"""Real Prometheus and Alertmanager over a running route, with the shipped rules at test timings."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml

from monitor.demo import free_ports
from tests.deploy.tools import DEPLOY, program

Json = dict[str, Any]
WINDOW = "20s"


@dataclass(slots=True)
class Inbox:
    """Notifications as Alertmanager posted them, by receiver."""

    posts: list[tuple[float, str, Json]] = field(default_factory=list)

    def alerts(self, name: str = "", status: str = "firing", receiver: str = "", **labels: str) -> list[Json]:
        """Every alert of every notification that matches."""
        return [
            alert
            for _, where, post in list(self.posts)
            for alert in post["alerts"]
            if alert["status"] == status and where.startswith(receiver)
            and alert["labels"]["alertname"].startswith(name) and labels.items() <= alert["labels"].items()
        ]  # fmt: skip

    def await_alert(self, name: str, seconds: float, status: str = "firing", **labels: str) -> Json:
        """The first such alert; fails after `seconds`."""
        deadline = time.monotonic() + seconds
        while not (found := self.alerts(name, status, **labels)):
            assert time.monotonic() < deadline, f"no {status} {name}; got {self.names()}"
            time.sleep(0.2)
        return found[0]

    def names(self) -> set[str]:
        return {alert["labels"]["alertname"] for alert in self.alerts()}


@dataclass(frozen=True, slots=True)
class Alerting:
    """Addresses of both servers, and what arrived."""

    prometheus: str
    alertmanager: str
    inbox: Inbox

    def query(self, expression: str) -> list[Json]:
        """Result of an instant query; fails where Prometheus refuses it."""
        answer = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": expression}, timeout=30).json()
        assert answer["status"] == "success", answer
        return list(answer["data"]["result"])

    def states(self, name: str) -> list[str]:
        """State of each alert of that name in Alertmanager: active or suppressed."""
        found = httpx.get(f"{self.alertmanager}/api/v2/alerts", timeout=10).json()
        return [a["status"]["state"] for a in found if a["labels"]["alertname"] == name]


@contextmanager
def inbox() -> Iterator[tuple[Inbox, str]]:
    """An HTTP server that keeps what is posted."""
    kept = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            kept.posts.append((time.monotonic(), self.path.strip("/"), json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kept, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


# Ages in seconds that an alert waits for, and what they are here.
AGES = {"> 900": "> 9", "+ 86400": "+ 5"}


def quick_rules(directory: Path) -> list[str]:
    """The shipped rules with windows, waits and ages of seconds; expressions and other thresholds as they are."""
    written = []
    for path in (DEPLOY / "prometheus").glob("*.yaml"):
        text = re.sub(r"\[\d+[mhd]\]", f"[{WINDOW}]", path.read_text())
        text = re.sub(r"^(    (?:keep_firing_)?for:) .+$", r"\1 2s", text, flags=re.MULTILINE)
        for age, short in AGES.items():
            text = text.replace(age, short)
        (directory / path.name).write_text(text)
        written.append(str(directory / path.name))
    return written


def quick_alertmanager(url: str) -> Json:
    """The shipped routing and inhibitions; receivers are webhooks, waits are seconds."""
    config: Json = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yaml").read_text())
    config["templates"] = [str(DEPLOY / "alertmanager" / "*.tmpl")]
    config["receivers"] = [
        {"name": receiver["name"], "webhook_configs": [{"url": f"{url}/{receiver['name']}", "send_resolved": True}]}
        for receiver in config["receivers"]
    ]  # fmt: skip
    (ours,) = config["route"]["routes"]
    for route in (ours, *ours["routes"]):
        route |= {"group_wait": "1s", "group_interval": "1s"}
    return config


def _prometheus(rules: list[str], targets: Mapping[str, str], alertmanager: str, every: str) -> Json:
    return {
        "global": {"scrape_interval": every, "evaluation_interval": "1s"},
        "rule_files": rules,
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [url.removeprefix("http://")]}]}
            for job, url in targets.items()
        ],
    }


@contextmanager
def alerting(targets: Mapping[str, str], directory: Path, every: str = "2s") -> Iterator[Alerting]:
    """Both servers, scraping `targets` (job: address).

    `every` two seconds: a monitor with all its labels takes half a second of a busy core per page.
    """
    at, am = (f"127.0.0.1:{port}" for port in free_ports(2))
    with ExitStack() as stack:
        kept, url = stack.enter_context(inbox())
        prometheus, manager = directory / "prometheus.yaml", directory / "alertmanager.yaml"
        prometheus.write_text(yaml.safe_dump(_prometheus(quick_rules(directory), targets, am, every)))
        manager.write_text(yaml.safe_dump(quick_alertmanager(url)))
        commands = (
            [program("prometheus-alertmanager"), f"--config.file={manager}", f"--storage.path={directory}/am",
             f"--web.listen-address={am}", "--cluster.listen-address=", "--log.level=error"],
            [program("prometheus"), f"--config.file={prometheus}", f"--storage.tsdb.path={directory}/data",
             f"--web.listen-address={at}", "--log.level=error"],
        )  # fmt: skip
        for command in commands:
            process = stack.enter_context(subprocess.Popen(command, cwd=directory))
            stack.callback(process.kill)
        started = Alerting(f"http://{at}", f"http://{am}", kept)
        for address in (started.prometheus, started.alertmanager):
            assert eventually(lambda address=address: httpx.get(f"{address}/-/ready").status_code == 200)  # type: ignore[misc]
        yield started


def eventually(check: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether `check` holds within `seconds`; connection errors count as no."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if check():
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    return False
