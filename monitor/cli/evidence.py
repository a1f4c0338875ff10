"""`tailgate evidence`: the sequential test for scores that people bring themselves."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import pairwise

import click
import numpy as np

from monitor.cli.json_out import echo_json
from monitor.cli.stream_csv import Stream, read_stream
from monitor.detector import SMALLEST_NULL, WEEK, Bank, Crossing, block_ids
from monitor.errors import UsageError
from monitor.noise_floor import Floats


@click.command("evidence")
@click.option(
    "--null", "null", type=click.FloatRange(0, 1), metavar="M", help="the known rate to compare with"
)
@click.option("--two-stream", is_flag=True, help="the rate is unknown: rows with arm=replay tell it")
@click.option(
    "--allowed", type=click.FloatRange(0, 1), required=True, metavar="D", help="excess that is tolerated"
)
@click.option(
    "--budget",
    type=click.FloatRange(0, min_open=True),
    required=True,
    metavar="B",
    help="false alarms per week",
)
def command(null: float | None, two_stream: bool, allowed: float, budget: float) -> int:  # noqa: FBT001  click passes it
    """Test "mean of x > M + D" for every segment and signal of a CSV on stdin, continuously.

    Columns: time,segment,signal,x[,arm]; time in seconds, x in [0, 1] with 1 = bad, arm `candidate`
    (default) or `replay`. Expected false alarms per week stay below B however often one looks. Prints
    one JSON line per alarm and clear, and a final line per (segment, signal). Exit 1 if an alarm is
    open at the end. Rows are taken in the order of their times. Repeats are not removed: bring one row
    per independent observation.
    """
    if two_stream == (null is not None):
        raise UsageError("give either --null M or --two-stream")
    limit = allowed if null is None else null + allowed
    if limit >= 1:
        raise UsageError(f"a mean cannot exceed M + D = {limit:g}; lower --null or --allowed")
    stream = read_stream(sys.stdin.buffer, two_stream=two_stream)
    _report_bad_rows(stream.bad)
    return _run(stream, limit, budget, two_stream=two_stream)


def _run(stream: Stream, limit: float, budget: float, *, two_stream: bool) -> int:
    """Equal shares over all (segment, signal), paid by the clock from the stream's first time."""
    bank = Bank(two_stream=two_stream)
    if stream.keys:
        times = stream.times
        nulls = np.full(len(stream.keys), max(limit, 0.0 if two_stream else SMALLEST_NULL))
        bank.add(nulls, float(times[0]), budget / WEEK / len(stream.keys))
        for start, stop in _weeks(times):
            part = slice(start, stop)
            blocks = block_ids(times[part])
            x0 = stream.x0[part] if two_stream else None
            for crossing in bank.feed(stream.rows[part], times[part], stream.x[part], x0, blocks):
                _print_crossing(crossing, stream, float(times[start + crossing.index]))
            bank.rotate()
        _print_final(bank, stream, float(times[-1]))
    return int(bank.cells.firing.any())


def _weeks(times: Floats) -> list[tuple[int, int]]:
    """The stream cut at whole weeks from its start: reference windows end there."""
    week = ((times - times[0]) // WEEK).astype(np.int64)
    cuts = [0, *(np.flatnonzero(np.diff(week)) + 1).tolist(), len(times)]
    return list(pairwise(cuts))


def _print_crossing(crossing: Crossing, stream: Stream, time: float) -> None:
    _print("alarm" if crossing.alarm else "clear", time, stream.keys[crossing.row], crossing.evidence)


def _print_final(bank: Bank, stream: Stream, time: float) -> None:
    for key, evidence in zip(stream.keys, bank.cells.evidence.tolist(), strict=True):
        _print("final", time, key, evidence)


def _print(event: str, time: float, key: tuple[str, str], evidence: float) -> None:
    line = {"event": event, "time": time, "segment": key[0], "signal": key[1], "evidence": evidence}
    echo_json(line)


def _report_bad_rows(bad: Counter[str]) -> None:
    if bad:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in bad.most_common())
        click.echo(f"{bad.total()} rows left out ({reasons})", err=True)
