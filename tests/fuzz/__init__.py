"""Fuzz targets and what runs them.

A target is a module `tests/fuzz/fuzz_NAME.py` with

    COVERS: tuple[str, ...]        modules or packages whose branches it must reach
    SEEDS: tuple[bytes, ...]       well-formed inputs to start from
    def run(data: bytes) -> None   raises where the code under test is wrong

`make fuzz` runs each target a million times under coverage guidance; `make test` runs a
reduced, fixed-seed count of the same targets.
"""
