"""Writes the dashboards' JSON beside the code that makes them."""

from __future__ import annotations

from pathlib import Path

from dashboards.build import rendered

FOLDER = Path(__file__).parent

if __name__ == "__main__":
    for name, text in rendered().items():
        (FOLDER / name).write_text(text)
