"""Closed hours as hive-partitioned Parquet: what reports, slice search and anybody's SQL read.

`layout` names files, `places` moves them (a directory, or S3 through pyarrow), `export` fills them from a
store, `upkeep` compacts, forgets and ages them, `reading` answers the store's own queries from them.
"""
