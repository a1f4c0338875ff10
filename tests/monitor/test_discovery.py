from __future__ import annotations

import json
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner

from monitor.cli import tailgate
from monitor.discovery import Found, Options, Where, discover, segment_of
from monitor.errors import TailgateError
from monitor.slices import from_files

CARDINALITY = {"language": 12, "task": 6, "context": 6, "turn": 3, "stream": 2, "model": 2, "customer": 20}


def query_of(connection: duckdb.DuckDBPyConnection) -> Any:
    def query(text: str, bound: Sequence[Any]) -> list[tuple[Any, ...]]:
        return connection.execute(text, list(bound)).fetchall()

    return query


def made(
    seed: int, rows: int, planted: dict[str, int] | None = None, *, bad: float = 0.63, replays: float = 0.0
) -> duckdb.DuckDBPyConnection:
    """Rows with 9 % bad, `bad` in the planted slice; replays at 9 % everywhere."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {d: rng.integers(0, c, rows) for d, c in CARDINALITY.items()}
    inside = np.ones(rows, dtype=bool)
    for dimension, value in (planted or {}).items():
        inside &= columns[dimension] == value
    x = rng.random(rows) < np.where(inside & bool(planted), bad, 0.09)
    x0 = np.where(rng.random(rows) < replays, rng.random(rows) < 0.09, np.nan)
    connection = duckdb.connect(config={"threads": 2})
    names = "".join(f", column{i}::VARCHAR AS {d}" for i, d in enumerate(columns, start=3))
    connection.execute("CREATE TABLE keys AS SELECT range AS i FROM range(?)", [rows])
    arrays = {"column0": np.arange(rows), "column1": x.astype(float), "column2": x0}
    arrays |= {f"column{i}": column for i, column in enumerate(columns.values(), start=3)}
    connection.register("arrays", arrays)
    connection.execute(
        f"""CREATE TABLE rows AS SELECT {seed} || '-' || column0 AS key, column1 AS x,
            CASE WHEN isnan(column2) THEN NULL ELSE column2 END AS x0{names} FROM arrays"""
    )
    return connection


def found_in(connection: duckdb.DuckDBPyConnection, **options: Any) -> list[Found]:
    rows = discover(query_of(connection), {"score": "rows"}, Options(tuple(CARDINALITY), **options))
    return [f for f in rows if f.confirmed]


def test_a_planted_three_way_slice_is_found_by_name_within_five_seconds() -> None:
    connection = made(1, 200_000, {"language": 3, "turn": 1, "customer": 5})
    start = time.process_time()  # of all threads, whoever else uses the machine
    found = found_in(connection)
    assert [f.segment for f in found] == ["language=3,turn=1,customer=5"]
    assert time.process_time() - start < 5
    assert found[0].confirm.n / 100_000 == pytest.approx(0.0014, abs=0.0004)


@pytest.mark.parametrize("planted", [{"language": 3}, {"task": 2, "context": 4}])
def test_a_broad_fault_is_named_broadly(planted: dict[str, int]) -> None:
    expected = ",".join(f"{d}={v}" for d, v in planted.items())
    assert [f.segment for f in found_in(made(2, 40_000, planted, bad=0.3))] == [expected]


def test_two_faults_are_both_named() -> None:
    connection = made(3, 60_000, {"language": 3, "task": 2})
    connection.execute("UPDATE rows SET x = 1 WHERE customer = '7' AND stream = '1' AND hash(key) % 2 = 0")
    assert {f.segment for f in found_in(connection)} == {"language=3,task=2", "stream=1,customer=7"}


def test_healthy_data_report_nothing_in_nineteen_of_twenty_sets() -> None:
    reported = sum(bool(found_in(made(seed, 2_000, replays=0.2), order=2)) for seed in range(100, 140))
    assert reported <= 4


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_healthy_data_report_nothing_in_190_of_200_sets() -> None:
    assert sum(bool(found_in(made(seed, 5_000))) for seed in range(1_000, 1_200)) <= 10


def test_a_slice_that_is_noisy_in_the_replays_too_is_not_news() -> None:
    connection = made(4, 40_000, {"task": 2}, bad=0.5, replays=1.0)
    connection.execute("UPDATE rows SET x0 = (hash(key || 'r') % 2)::DOUBLE WHERE task = '2'")
    assert found_in(connection, allowed=0.02) == []


def test_replays_give_the_floor_of_the_slice() -> None:
    (found,) = found_in(made(5, 40_000, {"task": 2}, bad=0.3, replays=0.2), allowed=0.05)
    assert found.segment == "task=2"
    assert found.confirm.floor == pytest.approx(0.09, abs=0.03)
    assert found.confirm.interval.lower < 0.21 < found.confirm.interval.upper


def test_all_traffic_is_named_where_everything_is_bad() -> None:
    assert [f.segment for f in found_in(made(6, 20_000, replays=0.2), floor=0.02)] == ["all"]


def test_both_halves_are_shown_and_the_search_half_flatters() -> None:
    rows = discover(query_of(made(7, 20_000)), {"score": "rows"}, Options(tuple(CARDINALITY)))
    assert rows
    assert not any(f.confirmed for f in rows)
    assert all(f.search.excess > f.confirm.excess for f in rows)
    assert all(0 < f.p_value <= f.p_adjusted <= 1 for f in rows)


def test_graded_scores_keep_their_mean() -> None:
    connection = made(8, 40_000)
    connection.execute("UPDATE rows SET x = CASE WHEN task = '2' THEN 0.35 ELSE 0.1 END")
    (found,) = found_in(connection)
    assert found.segment == "task=2"
    assert found.confirm.rate == pytest.approx(0.35, abs=0.03)


def test_odd_names_and_values_are_data() -> None:
    connection = duckdb.connect()
    connection.execute(
        """CREATE TABLE rows AS SELECT i::VARCHAR AS key, (i % 4 = 0 OR i % 10 = 0)::INT::DOUBLE AS x,
           NULL::DOUBLE AS x0, CASE WHEN i % 4 = 0 THEN 'it''s; --' END AS "a""b" FROM range(4000) t(i)"""
    )
    found = discover(query_of(connection), {"s": "rows"}, Options(('a"b',)))
    assert [f.segment for f in found if f.confirmed] == ["a\"b=it's; --"]


def test_no_rows_find_nothing() -> None:
    connection = made(9, 10)
    connection.execute("DELETE FROM rows")
    assert found_in(connection) == []


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(tailgate, ["discover", *arguments], catch_exceptions=False)


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_the_command_reads_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"scores.{kind}"
    form = {"csv": "(HEADER)", "parquet": "(FORMAT parquet)", "jsonl": "(FORMAT json)"}[kind]
    made(10, 30_000, {"task": 2, "context": 4}).execute(
        f"COPY (SELECT * RENAME (key AS id) FROM rows) TO '{path}' {form}"
    )
    result = invoke(str(path), "--format", "json")
    body = json.loads(result.stdout)
    assert (result.exit_code, body["rows"], body["skipped"]) == (0, 30_000, {})
    assert [s["segment"] for s in body["slices"] if s["confirmed"]] == ["context=4,task=2"]


def test_unusable_rows_are_counted_with_their_reason(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("id,x,task\na,0,m\nb,oops,m\nc,1.5,m\nd\n,0,m\n")
    slices = from_files([path])
    assert slices.skipped == {"no_id": 1, "no_score": 1, "out_of_range": 1, "bad_line": 1}
    assert slices.rows == 1


def pair(i: int) -> str:
    task = ("math", "chat")[i % 2]
    scores = {
        "answer": {"value": float(i % 10 == 0 or (i % 4 == 0 and task == "math"))},
        "script": {"value": 0},
    }
    return json.dumps({"id": f"p{i}", "segments": {"task": task, "turn": "1"}, "scores": scores})


def test_pairs_written_by_score_are_read_per_signal(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join([*(pair(i) for i in range(2_000)), "{broken"]))
    body = json.loads(invoke(str(path), "--format", "json").stdout)
    assert [(s["segment"], s["signal"]) for s in body["slices"] if s["confirmed"]] == [
        ("task=math", "answer")
    ]
    assert body["rows"] == 4_000


def test_the_table_prints_what_to_add_to_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    made(11, 30_000, {"task": 2, "context": 4}).execute(
        f"COPY (SELECT * RENAME (key AS id) FROM rows) TO '{path}'"
    )
    result = invoke(str(path))
    assert "crosses:\n  - [context, task]" in result.stderr
    assert "context=4,task=2" in result.stdout
    assert result.exit_code == 0


@pytest.mark.parametrize("arguments", [[], ["--db", "nowhere.duckdb"], ["x.txt"]])
def test_bad_usage_is_said_in_one_line(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "x.txt").write_text("")
    paths = [str(tmp_path / a) if "." in a else a for a in arguments]
    with pytest.raises(TailgateError):
        invoke(*paths)


def test_a_slice_is_written_like_a_segment() -> None:
    where: Where = (("language", "th"), ("context", "8k-32k"))
    assert (segment_of(where), segment_of(())) == ("language=th,context=8k-32k", "all")


def test_the_store_is_read_with_prompts_kept_together_and_repeats_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute((files("monitor") / "sql" / "001_initial.sql").read_text())
        connection.execute(
            """INSERT INTO pairs (seq, block, id, received_at, scored_at, segments, operation, collector,
                 inclusion, prompt_key, flags)
               SELECT i, 0, i, 0, 0, MAP {'all': 'all', 'task': ['math', 'chat'][i % 2 + 1]}, 'chat', 'jsonl', 1,
                 'k' || i, CASE WHEN i % 10 = 0 THEN ['repeat'] ELSE [] END FROM range(4000) t(i)"""
        )
        connection.execute(
            """INSERT INTO scores SELECT i, 'format', (i % 4 = 0 OR i % 9 = 0)::INT, NULL, '', '', NULL, NULL
               FROM range(4000) t(i)"""
        )
    body = json.loads(invoke("--db", str(path), "--format", "json").stdout)
    assert (body["rows"], body["dimensions"]) == (3_600, ["task"])
    assert [s["segment"] for s in body["slices"] if s["confirmed"]] == ["task=math"]


def test_rows_without_ids_truth_values_and_nested_segments_are_read(tmp_path: Path) -> None:
    flat, nested = tmp_path / "a.csv", tmp_path / "b.jsonl"
    flat.write_text("x,task\ntrue,m\nFalse,c\n0.25,m\n")
    nested.write_text(
        '{"id": "a", "x": true, "segments": {"task": "m"}}\n{"id": "b", "x": 0, "segments": {"turn": "1"}}\n'
    )
    assert from_files([flat]).rows == 3
    slices = from_files([nested])
    assert slices.query("SELECT key, x, task, turn FROM slice_rows ORDER BY key", ()) == [
        ("a", 1.0, "m", None),
        ("b", 0.0, None, "1"),
    ]


def test_an_excess_may_be_negative_and_missing_ones_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,excess,task\na,-1,m\nb,0.5,c\nc,,c\nd,2,c\n")
    slices = from_files([path])
    assert slices.query("SELECT x, x0 FROM slice_rows ORDER BY key", ()) == [(0.0, 1.0), (0.5, 0.0)]
    assert slices.skipped == {"no_score": 1, "out_of_range": 1}
