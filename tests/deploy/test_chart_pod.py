"""The pod of `helm test`: its command as rendered, against a running route and against one that is not mirrored."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.chart import of_kind, rendered
from tests.deploy.test_chart import SIDECAR
from tests.real.product import run
from tests.standin.process import running_standin

pytestmark = pytest.mark.slow


def helm_test(*addresses: str) -> subprocess.CompletedProcess[str]:
    """The test container's command with these arguments."""
    (pod,) = of_kind(rendered(SIDECAR), "Pod")
    container: dict[str, Any] = pod["spec"]["containers"][0]
    assert len(container["args"]) == 2
    _, *command = container["command"]
    return subprocess.run(
        [sys.executable, *command, *addresses], capture_output=True, text=True, check=False, timeout=100
    )


def test_it_passes_where_what_is_sent_is_scored(tmp_path: Path) -> None:
    with running_standin() as baseline, running_standin("--role", "candidate") as candidate, run(baseline, candidate, tmp_path) as product:  # fmt: skip
        done = helm_test(product.monitor, product.clients)
    assert (done.returncode, "scored after" in done.stdout) == (0, True), done.stderr


def test_it_fails_where_the_monitor_does_not_answer() -> None:
    assert helm_test("http://127.0.0.1:9", "http://127.0.0.1:9").returncode == 1
