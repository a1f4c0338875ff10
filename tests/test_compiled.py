"""The compiled form of the data path (`make test-compiled`): that it is what ran, and that its list is right."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOOK = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
    "hooks"
]["mypyc"]
FILES = [entry.lstrip("/") for entry in HOOK["include"]]
MODULES = [name.removesuffix(".py").replace("/", ".") for name in FILES]
compiled = pytest.mark.skipif(
    "PYTHONSAFEPATH" not in os.environ, reason="the data path runs as source; make test-compiled compiles it"
)


def test_every_file_that_is_compiled_exists() -> None:
    assert [name for name in FILES if not (ROOT / name).is_file()] == []


def test_nothing_of_the_spools_thread_is_compiled() -> None:
    """Compiled code keeps the interpreter's lock, for which the event loop would wait."""
    assert set(MODULES) & {"collectors.spool", "collectors.wire"} == set()


@compiled
@pytest.mark.parametrize("module", MODULES)
def test_the_tests_ran_what_was_compiled(module: str) -> None:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert str(spec.origin).endswith(".so")


@compiled
def test_so_did_their_children() -> None:
    code = "import sys, collectors.splice; sys.stdout.write(collectors.splice.__file__)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.endswith(".so")
