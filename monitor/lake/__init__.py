"""Exported files as two DuckLake tables, `pairs` and `scores`, with transactions and snapshots. Optional.

`catalog` opens the lake (its catalog is in PostgreSQL), `load` makes it show what the export holds,
`upkeep` keeps its files few and free of those who asked to be forgotten. Only loaders write; everybody reads.

DuckLake runs in an environment of its own (`pip install 'tailgate[ducklake]'`): a DuckDB loads only
extensions that were built for its own version, and the newest that come as wheels are for 1.5.5, while a
monitor needs 2.0. Monitors never meet this code; the files between them are plain Parquet.
"""
