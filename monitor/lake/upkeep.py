"""What keeps a lake's files few, its snapshots young and everything free of those who asked to be forgotten.

DuckLake deletes nothing at once: rows that went are still in files, files that went are still in snapshots,
and a loader that died leaves files that no snapshot knows. Each of the three has its own statement.
"""

from __future__ import annotations

from typing import Final

from monitor.lake.catalog import Lake
from monitor.parquet.engine import text

SMALL_BYTES: Final = 16_000_000
"""Files below are merged with their neighbours of the same day: each row is written a few times, not every hour."""
GRACE: Final = "INTERVAL 1 HOUR"
"""How long replaced files stay for readers whose snapshot still names them."""
ABANDONED: Final = "INTERVAL 1 DAY"
TABLES: Final = ("pairs", "scores")
_BOUNDS: Final = """
    UPDATE {schema}.ducklake_table_column_stats s SET min_value = {low}, max_value = {high}
    FROM {schema}.ducklake_table t JOIN {schema}.ducklake_column c USING (table_id)
    WHERE s.table_id = t.table_id AND s.column_id = c.column_id AND s.min_value IS NOT NULL AND s.max_value IS NOT NULL
    AND t.table_name = {table} AND t.end_snapshot IS NULL AND c.column_name = {column} AND c.end_snapshot IS NULL"""
_MERGE: Final = f"CALL ducklake_merge_adjacent_files('lake', max_file_size => {SMALL_BYTES})"


def tidy(lake: Lake, keep_days: float) -> None:
    """Merge small files, forget snapshots older than `keep_days` and the files that only they needed."""
    for statement in (
        "CALL ducklake_rewrite_data_files('lake')",
        _MERGE,
        f"CALL ducklake_expire_snapshots('lake', older_than => now() - INTERVAL '{keep_days} days')",
        f"CALL ducklake_cleanup_old_files('lake', older_than => now() - {GRACE})",
        f"CALL ducklake_delete_orphaned_files('lake', older_than => now() - {ABANDONED})",
    ):
        lake.query(statement)


def purge(lake: Lake) -> bool:
    """Make erased rows unreadable: rewrite files that hold some, drop every snapshot but the last, delete the rest.

    Whether it was due. Due stays due until it was done, whoever dies in between. A query that began before may
    fail once: its snapshot is gone.
    """
    if lake.query("SELECT purge_due FROM loader.turn") != [(True,)]:
        return False
    with lake.transaction():  # from here on nobody else commits, so that files no snapshot knows are nobody's
        pass
    lake.query("CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)")
    lake.query(_MERGE)
    *earlier, _ = sorted(row[0] for row in lake.query("SELECT snapshot_id FROM ducklake_snapshots('lake')"))
    if earlier:
        lake.query(f"CALL ducklake_expire_snapshots('lake', versions => {earlier})")
    lake.query("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)")
    lake.query("CALL ducklake_delete_orphaned_files('lake', cleanup_all => true)")
    for table in TABLES:
        _narrow(lake, table)
    with lake.transaction():
        lake.query("UPDATE loader.turn SET purge_due = false")
    return True


def _narrow(lake: Lake, table: str) -> None:
    """The catalog keeps the least and the largest value that a column ever had: they may be an erased pair's.

    DuckLake only ever widens these bounds, and has no statement for it; the catalog's tables are its
    specification (https://ducklake.select/docs/stable/specification/tables/ducklake_table_column_stats).
    """
    columns = [row[0] for row in lake.query(f"DESCRIBE {table}") if row[1] == "VARCHAR"]
    for column in columns:
        ((low, high),) = lake.query(f'SELECT min("{column}"), max("{column}") FROM {table}')
        update = _BOUNDS.format(
            schema=lake.schema,
            table=text(table),
            column=text(column),
            low=text(low or ""),
            high=text(high or ""),
        )
        lake.query(f"CALL postgres_execute('postgres', {text(update)})")
