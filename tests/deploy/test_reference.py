"""The references say what the code has: regenerate them with `make reference`."""

from __future__ import annotations

import pytest

from monitor.config import Config
from tests.deploy.exported import exported
from tests.deploy.reference import DIRECTORY, FILES, keys


@pytest.mark.parametrize("name", FILES)
def test_a_reference_is_what_the_code_says(name: str) -> None:
    assert (DIRECTORY / name).read_text("utf-8") == FILES[name]()


def test_every_key_has_a_reason() -> None:
    assert [key for key, _, _, words in keys(Config) if not words] == []


def test_every_metric_is_listed() -> None:
    text = FILES["metrics.md"]()
    suffixes = ("_bucket", "_sum", "_count", "_created")
    names = {name for name in exported() if name.startswith("tailgate_") and not name.endswith(suffixes)}
    assert {name for name in names if f"`{name}`" not in text} == set()
