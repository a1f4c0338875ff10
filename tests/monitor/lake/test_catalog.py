"""What a lake refuses, in an environment that has none; with one: tests/real/test_ducklake.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.lake import command
from monitor.errors import ConfigError
from monitor.lake.catalog import opened


def test_an_environment_without_the_extensions_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"duckdb here is .*: pip install 'tailgate\[ducklake\]'"):
        opened("", "tailgate", str(tmp_path)).__enter__()


@pytest.mark.parametrize("catalog", ["host=h password=secret", "postgresql://user:secret@host/base"])
def test_a_password_on_the_command_line_is_refused_and_not_repeated(tmp_path: Path, catalog: str) -> None:
    with pytest.raises(ConfigError, match="PGPASSWORD or PGPASSFILE") as found:
        opened(catalog, "tailgate", str(tmp_path)).__enter__()
    assert "secret" not in str(found.value)


def test_a_schema_that_is_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--schema"):
        opened("", "a b", str(tmp_path)).__enter__()


@pytest.mark.parametrize("data", ["exports", "exports/lake", "."])
def test_a_lake_inside_the_export_is_refused(tmp_path: Path, data: str) -> None:
    """A lake deletes files that it does not know."""
    arguments = ["--archive", str(tmp_path / "exports"), "--data", str(tmp_path / data)]
    with pytest.raises(ConfigError, match="lie in each other"):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
