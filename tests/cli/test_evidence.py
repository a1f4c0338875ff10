"""`tailgate evidence` as people call it: CSV on stdin, JSON lines on stdout, an exit code."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from monitor.cli.evidence import command
from monitor.detector import WEEK
from monitor.errors import UsageError

NULL = ["--null", "0.1", "--allowed", "0.02", "--budget", "1"]
TWO = ["--two-stream", "--allowed", "0.02", "--budget", "1"]


def call(text: str | bytes, options: list[str]) -> tuple[int, list[dict[str, Any]], str]:
    result = CliRunner().invoke(command, options, input=text, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, [json.loads(line) for line in result.stdout.splitlines()], result.stderr


def csv_of(
    rates: dict[str, list[float]], seed: int = 1, *, replays: float | None = None, week: float = WEEK
) -> str:
    """One segment per key; its scores are 0/1 with the given rates, one after the other, over a week."""
    rng = np.random.default_rng(seed)
    lines = []
    for segment, means in rates.items():
        for index, mean in enumerate(means):
            moment = 1.7e9 + week * (index + 1) / len(means)
            lines.append(f"{moment:.3f},{segment},answer,{int(rng.random() < mean)},candidate")
            if replays is not None and rng.random() < 0.2:
                lines.append(f"{moment:.3f},{segment},answer,{int(rng.random() < replays)},replay")
    return "time,segment,signal,x,arm\n" + "\n".join(lines) + "\n"


def kinds(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(e["event"], e["segment"]) for e in events if e["event"] != "final"]


def test_a_drop_is_found_in_its_segment_and_the_exit_code_says_so() -> None:
    code, events, _ = call(
        csv_of({"language=th": [0.05] * 1_000 + [0.4] * 200, "language=de": [0.05] * 1_200}), NULL
    )
    assert (code, kinds(events)) == (1, [("alarm", "language=th")])
    assert set(events[0]) == {"event", "time", "segment", "signal", "evidence"}
    change = 1.7e9 + WEEK * 1_000 / 1_200
    assert change < events[0]["time"] < change + 80 * WEEK / 1_200


def test_a_fixed_drop_clears_and_exits_with_zero() -> None:
    code, events, _ = call(csv_of({"a": [0.1] * 600 + [0.6] * 100 + [0.05] * 300}), NULL)
    assert (code, kinds(events)) == (0, [("alarm", "a"), ("clear", "a")])


def test_every_pair_of_segment_and_signal_gets_a_final_line() -> None:
    text = "time,segment,signal,x\n1,a,answer,0\n2,a,format,0\n3,b,answer,1\n"
    _, events, _ = call(text, NULL)
    assert [(e["segment"], e["signal"]) for e in events] == [
        ("a", "answer"),
        ("a", "format"),
        ("b", "answer"),
    ]
    assert {e["event"] for e in events} == {"final"}


def test_evidence_is_the_published_formula() -> None:
    """Two exchanges of one segment, computed by hand: pay B dt / 6 to each bet, then multiply."""
    text = f"time,segment,signal,x\n0,a,s,0\n{WEEK},a,s,1\n"
    _, events, _ = call(text, ["--null", "0.1", "--allowed", "0.1", "--budget", "0.06"])
    bets = np.array([1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 7 / 8])
    assert events[-1]["evidence"] == pytest.approx(0.01 * (1 + bets / 0.2 * 0.8).sum(), rel=1e-12)


def test_two_streams_learn_the_floor_from_replays() -> None:
    code, events, _ = call(csv_of({"a": [0.2] * 1_500 + [0.6] * 200}, replays=0.2), TWO)
    assert (code, kinds(events)) == (1, [("alarm", "a")])
    assert call(csv_of({"a": [0.2] * 1_500}, replays=0.2), TWO)[0] == 0


def test_rows_may_come_segment_by_segment() -> None:
    text = csv_of({"a": [0.1] * 500, "b": [0.1] * 400 + [0.6] * 100})
    header, *lines = text.splitlines()
    by_time = "\n".join([header, *sorted(lines, key=lambda line: float(line.partition(",")[0]))])
    assert call(text, NULL)[1] == call(by_time, NULL)[1]


def test_a_healthy_week_of_many_segments_stays_silent() -> None:
    assert kinds(call(csv_of({f"s={i}": [0.1] * 400 for i in range(60)}), NULL)[1]) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x,a,s,0.5", "time is not a number"),
        ("nan,a,s,0.5", "time is not a number"),
        ("1,a,s,1.5", "x is not a number in [0, 1]"),
        ("1,a,s,", "x is not a number in [0, 1]"),
        ("1,,s,0.5", "no segment or signal"),
        ("1,a", "too few columns"),
        ("", "empty line"),
        ("1,a,s,0.5,baseline", "arm is neither candidate nor replay"),
        ("1,a,s,0.5,replay", "replay row without --two-stream"),
        ('1,a,s,"' + "0" * 200_000 + '",candidate', "not CSV"),
    ],
)
def test_a_bad_row_costs_itself_and_is_counted(line: str, reason: str) -> None:
    text = f"time,segment,signal,x,arm\n1,a,s,0,candidate\n{line}\n2,a,s,0,candidate\n"
    code, events, told = call(text, NULL)
    assert (code, len(events)) == (0, 1)
    assert told == f"1 rows left out ({reason}: 1)\n"


@pytest.mark.parametrize("text", ["", "time,segment,signal\n", "1,a,s,0.5\n", b"\xff\xfe\x00"])
def test_a_stream_without_its_columns_is_a_usage_error(text: str | bytes) -> None:
    with pytest.raises(UsageError, match="time,segment,signal,x"):
        call(text, NULL)


def test_no_rows_are_no_evidence() -> None:
    assert call("time,segment,signal,x\n", NULL) == (0, [], "")


@pytest.mark.parametrize(
    "options",
    [
        ["--allowed", "0.1", "--budget", "1"],
        [*NULL, "--two-stream"],
        ["--null", "0.95", "--allowed", "0.05", "--budget", "1"],
    ],
)
def test_questions_that_cannot_be_asked_are_usage_errors(options: list[str]) -> None:
    with pytest.raises(UsageError):
        call("time,segment,signal,x,arm\n", options)


def test_two_streams_need_the_arm() -> None:
    with pytest.raises(UsageError, match="arm"):
        call("time,segment,signal,x\n", TWO)


def test_a_hundred_thousand_rows_take_about_a_second() -> None:
    text = csv_of({f"s={i}": [0.1] * 1_000 for i in range(100)})
    started = time.monotonic()
    call(text, NULL)
    assert time.monotonic() - started < 5
