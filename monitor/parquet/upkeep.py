"""What keeps exported files few, young and free of those who asked to be forgotten.

    compact   the hours of a closed day become one file; the hours go when no reader can still hold them
    retain    whole days beyond the retention are deleted
    erase     every file that holds the subject is rewritten without it, whoever wrote it

A monitor compacts only its own files; any monitor may erase from all. Both write, then look for requests
that came meanwhile, so a compaction never brings back what was erased while it ran.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import groupby

import duckdb

from monitor.parquet.engine import connect, copy, scan, text, translated
from monitor.parquet.layout import DAY, RANGED, Erasure, Part, erasures, parts, standing, start_of, whole_name
from monitor.parquet.places import Place

GRACE_SECONDS = 3600.0
"""How long a superseded file stays for readers that listed the place before it was superseded."""


def compact(place: Place, store: str, now: float) -> int:
    """Merge each closed day of `store` into one file and delete what was superseded long ago; how many days."""
    counting, superseded = standing(part for part in parts(place.names("pairs")) if part.store == store)
    for part in superseded:
        if place.age(part.name("pairs")) > GRACE_SECONDS:
            _delete(place, part)
    merged = 0
    for day, group in groupby(counting, key=lambda part: part.day):
        days = list(group)
        if len(days) > 1 and start_of(day) + DAY <= now:
            _merge(place, days)
            merged += 1
    return merged


def _merge(place: Place, days: Sequence[Part]) -> None:
    whole = days[0]._replace(last=max(part.last for part in days))
    for table, order in (("scores", "seq, signal"), ("pairs", "seq")):
        draft = place.draft()
        paths = place.fetch([part.name(table) for part in days])
        with closing(connect(draft.parent)) as connection:
            _run(place, connection, copy(f"SELECT * FROM {scan(paths)} ORDER BY {order}", draft))
        place.put(draft, whole.name(table))
    place.forget()
    # Somebody may have asked while the hours were being read.
    for erasure in erasures(place.names("erased")):
        erase_from(place, [whole], erasure)


def retain(place: Place, route: str, before: float) -> int:
    """Delete whole days of a route that ended before UNIX time `before`; how many files."""
    old = [
        part
        for part in parts(place.names("pairs"))
        if part.route == route and start_of(part.day) + DAY <= before
    ]
    for part in old:
        _delete(place, part)
    for erasure in erasures(place.names("erased")):
        if erasure.at < before:
            place.delete(erasure.name)
    return len(old)


def erase(place: Place, key: str, now: float) -> int:
    """Forget the subject behind a keyed hash (`pairs.subject_key`) everywhere; how many pairs are gone.

    The request stays in the place until the retention has passed: other monitors heed it when they
    export what they hold of the subject. Raises StoreError; then ask again, what was done stays done.
    """
    place.sweep()
    request = Erasure(key, int(now) + 1)
    draft = place.draft()
    draft.write_bytes(b"")
    place.put(draft, request.name)
    return erase_from(place, parts(place.names("pairs")), request)


def erase_from(place: Place, found: Iterable[Part], request: Erasure) -> int:
    """Rewrite those of the parts that hold the subject; how many pairs are gone."""
    gone = 0
    for part in found:
        gone += _erase(place, part, request)
        place.forget()
    return gone


def _erase(place: Place, part: Part, request: Erasure) -> int:
    paths = place.fetch([part.name("pairs")])
    if not paths:
        return 0
    # A row without a subject stays: NOT (NULL AND …) would drop it.
    theirs = f"subject_key IS NOT DISTINCT FROM {text(request.key)} AND received_at <= {request.at}"
    with closing(connect()) as connection:
        rows = _run(place, connection, f"SELECT seq, id FROM {scan(paths)} WHERE {theirs}")
        if not rows:
            return 0
        connection.execute("CREATE TABLE gone (seq BIGINT, id VARCHAR)")
        connection.executemany("INSERT INTO gone VALUES (?, ?)", rows)
        _rewrite(
            place, connection, whole_name("labels", part.route, part.store), "id NOT IN (SELECT id FROM gone)"
        )
        _rewrite(place, connection, part.name("scores"), "seq NOT IN (SELECT seq FROM gone)")
        # Last: as long as the pairs stand, a repeated request finds what is left to do.
        _rewrite(place, connection, part.name("pairs"), f"NOT ({theirs})")
    return len(rows)


def _rewrite(place: Place, connection: duckdb.DuckDBPyConnection, name: str, kept: str) -> None:
    if not (paths := place.fetch([name])):
        return
    draft = place.draft()
    _run(place, connection, copy(f"SELECT * FROM {scan(paths)} WHERE {kept}", draft))
    place.put(draft, name)


def _run(place: Place, connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[object, ...]]:
    try:
        return connection.execute(sql).fetchall()
    except duckdb.Error as error:
        raise translated(place.location, error) from error


def _delete(place: Place, part: Part) -> None:
    for table in RANGED:
        place.delete(part.name(table))
