"""Programs of the Debian packages: skipped where missing, a failure in CI (`.ci/run` installs them)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
PACKAGES = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
}


def absent(words: str) -> NoReturn:
    """Something is not installed: a skip, in CI a failure."""
    if os.environ.get("CI"):
        pytest.fail(words)
    pytest.skip(words)


def program(name: str) -> str:
    """Path of an installed program."""
    found = shutil.which(name)
    if found is None:
        words = f"{name} is not installed (apt-get install --no-install-recommends {PACKAGES[name]})"
        absent(words)
    return found


def output(name: str, *arguments: str | Path, directory: Path = DEPLOY) -> str:
    """Standard output of a program that must succeed."""
    done = subprocess.run(
        [program(name), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
