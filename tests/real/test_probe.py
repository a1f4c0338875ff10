"""`tailgate probe --pack smoke` in CI: a model that cannot fails it, in far less than five minutes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from junitparser import Failure, JUnitXml

from monitor.probes.pack import load
from tests.real.product import TAILGATE
from tests.real.vllm_server import Server

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900)]

SECONDS_OF_CI = 300
AT_ONCE = "2"
"""As many as the tiny server has places: more would be shed and waited out."""


def probed(server: Server, *arguments: str) -> tuple[int, str, float]:
    """Exit code, stderr and seconds of one smoke run."""
    command = [TAILGATE, "probe", "--candidate", server.url, "--pack", "smoke", "--concurrency", AT_ONCE]
    began = time.monotonic()
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=800)
    return done.returncode, done.stderr, time.monotonic() - began


def failed(path: Path) -> dict[str, str]:
    """Failed cases and why, as a CI server reads them."""
    cases = [case for suite in JUnitXml.fromfile(str(path)) for case in suite]
    return {
        case.name: result.message for case in cases for result in case.result if isinstance(result, Failure)
    }


def test_random_weights_fail_the_smoke_pack_within_minutes(vllm_tiny: Server, tmp_path: Path) -> None:
    junit = tmp_path / "probe.xml"
    code, complaints, seconds = probed(vllm_tiny, "--junit", str(junit))
    assert code == 1, complaints
    assert failed(junit).keys() == load("smoke").axes.keys()
    assert "below range" in failed(junit)["context"]
    assert seconds < SECONDS_OF_CI


def test_a_model_that_works_passes_it(standin_server: Server, tmp_path: Path) -> None:
    junit = tmp_path / "probe.xml"
    code, complaints, seconds = probed(standin_server, "--junit", str(junit))
    assert (code, failed(junit)) == (0, {}), complaints
    assert JUnitXml.fromfile(str(junit)).tests == len(load("smoke").axes) + 3
    assert seconds < SECONDS_OF_CI
