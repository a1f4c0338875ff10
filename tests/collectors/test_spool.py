"""The hand-over on real files: order, positions, damage, bounds, and what is said about losses."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from collectors.spool import Limits, Writer, bind, load_key, new_stream, segment_path, segments
from collectors.spool_reader import Entry, Reader, erase
from collectors.wire import Capture, Counters, Gap, Seal
from monitor.errors import ConfigError, ForeignSpool, StoreError
from tests.collectors.harness import TIMEOUT, wait_until
from tests.collectors.test_wire import capture
from tests.faults.breakages import small_disk

KEY = b"k" * 32
LIMITS = Limits(max_bytes=1 << 24, max_age_seconds=3600, sync_seconds=0.05)


@dataclass(frozen=True)
class Item:
    """What the tests hand over."""

    at: float
    body: bytes = b"{}"
    subject: str | None = None
    size: int = 100


@dataclass
class Tail:
    """A writer and what it counted."""

    directory: Path
    stream: str
    limits: Limits = LIMITS
    lost: dict[str, int] = field(default_factory=dict)
    written: int = 0
    writer: Writer[Item] = field(init=False)

    def __post_init__(self) -> None:
        self.writer = Writer(
            self.directory,
            self.stream,
            KEY,
            self.limits,
            render=lambda item, number: (capture(number, item.at, item.body), item.subject),
            account=lambda final: Counters(
                self.stream, 0.0, 0.0, 0, written=self.written, sampled=self.written, final=final
            ),
            lost=lambda reason, count: self.lost.__setitem__(reason, self.lost.get(reason, 0) + count),
            wrote=lambda count: setattr(self, "written", self.written + count),
        )

    def __enter__(self) -> Tail:
        self.writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def put(self, *items: Item) -> None:
        """Hand over and wait until it is decided."""
        before = self.written + sum(self.lost.values())
        for item in items:
            self.writer.queue.append(item)
        wait_until(lambda: self.written + sum(self.lost.values()) == before + len(items))


def times(entries: list[Entry]) -> list[float]:
    """When the captures among the entries were received."""
    return [entry.record.received_at for entry in entries if isinstance(entry.record, Capture)]


def gaps(entries: list[Entry]) -> list[tuple[str, int]]:
    """Losses among the entries."""
    return [(entry.record.reason, entry.record.count) for entry in entries if isinstance(entry.record, Gap)]


def write(directory: Path, stream: str, *at: float, limits: Limits = LIMITS) -> None:
    """A finished stream."""
    with Tail(directory, stream, limits) as tail:
        tail.put(*(Item(t) for t in at))


def test_streams_are_merged_by_time_and_the_order_is_stable(tmp_path: Path) -> None:
    write(tmp_path, "w0-a", 1.0, 4.0, 5.0)
    write(tmp_path, "w1-b", 2.0, 3.0, 6.0)
    first = Reader(tmp_path, KEY).read()
    assert times(first) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert Reader(tmp_path, KEY).read() == first


def test_any_committed_position_resumes_without_loss_or_repetition(tmp_path: Path) -> None:
    write(tmp_path, "w0-a", *map(float, range(20)))
    everything = Reader(tmp_path, KEY).read()
    for cut in range(1, len(everything)):
        head = everything[:cut]
        positions = {entry.stream: entry.position for entry in head}
        assert head + Reader(tmp_path, KEY, positions).read() == everything


def test_a_reader_follows_what_is_appended_within_100_ms(tmp_path: Path) -> None:
    reader = Reader(tmp_path, KEY)
    with Tail(tmp_path, "w0-a") as tail:
        for at in (1.0, 2.0, 3.0):
            tail.writer.queue.append(Item(at))
            handed = time.monotonic()
            wait_until(lambda: tail.written == at)  # noqa: B023  called at once
            assert time.monotonic() - handed < 0.3  # 50 ms by design; the rest is a busy machine
            wait_until(lambda: times(reader.read()) == [at])  # noqa: B023


def test_committed_segments_are_deleted_and_the_live_one_is_kept(tmp_path: Path) -> None:
    small = LIMITS._replace(max_bytes=1 << 20)  # segments of 64 KiB
    with Tail(tmp_path, "w0-a", small) as tail:
        tail.put(*(Item(float(i), b"x" * 40_000) for i in range(6)))
        reader = Reader(tmp_path, KEY)
        entries = reader.read()
        assert len(segments(tmp_path)) > 1
        reader.release({})
        assert len(segments(tmp_path)) > 1
        reader.release({entry.stream: entry.position for entry in entries})
        assert len(segments(tmp_path)) == 1
    positions = {entry.stream: entry.position for entry in [*entries, *reader.read()]}
    wait_until(lambda: reader.release(positions) or not segments(tmp_path))
    assert not segments(tmp_path)


def test_a_torn_tail_is_tolerated(tmp_path: Path) -> None:
    write(tmp_path, "w0-a", 1.0, 2.0, 3.0)
    path = segments(tmp_path)[0].path
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        seen = times(Reader(tmp_path, KEY).read())
        assert seen == [1.0, 2.0, 3.0][: len(seen)]


@pytest.mark.parametrize("where", [0.0, 0.3, 0.5, 0.7])
def test_damage_costs_what_it_hits_and_is_counted(where: float, tmp_path: Path) -> None:
    write(tmp_path, "w0-a", *map(float, range(1, 31)))
    path = segments(tmp_path)[0].path
    data = bytearray(path.read_bytes())
    at = int(where * len(data))
    data[at : at + 10] = b"\xa7T" * 5
    path.write_bytes(data)
    reader = Reader(tmp_path, KEY)
    entries = reader.read()
    assert len(times(entries)) + sum(count for _, count in gaps(entries)) == 30
    assert len(times(entries)) >= 28
    assert reader.corrupt in {1, 2}  # the header and the frame before it


def test_a_deleted_segment_is_a_counted_gap(tmp_path: Path) -> None:
    small = LIMITS._replace(max_bytes=1 << 20)
    with Tail(tmp_path, "w0-a", small) as tail:
        for i in range(8):
            tail.put(Item(float(i), b"x" * 40_000))
    segments(tmp_path)[1].path.unlink()
    entries = Reader(tmp_path, KEY).read()
    assert len(times(entries)) + sum(count for _, count in gaps(entries)) == 8
    assert {reason for reason, _ in gaps(entries)} == {"spool_lost"}


def test_a_full_spool_drops_the_newest_and_counts_it(tmp_path: Path) -> None:
    with Tail(tmp_path, "w0-a", LIMITS._replace(max_bytes=1 << 20)) as tail:
        tail.put(*(Item(float(i), b"x" * 100_000) for i in range(20)))
        assert tail.lost == {"spool_full": 20 - tail.written}
        assert 0 < tail.written < 12
    assert sum(segment.path.stat().st_size for segment in segments(tmp_path)) < (1 << 20) + (1 << 17)


def test_old_segments_are_deleted_unread(tmp_path: Path) -> None:
    limits = Limits(1 << 24, max_age_seconds=1.0, sync_seconds=0.05)
    with Tail(tmp_path, "w0-a", limits) as tail:
        tail.put(Item(1.0))
        wait_until(lambda: not times(Reader(tmp_path, KEY).read()), 5.0)


def test_a_directory_that_vanishes_is_made_again(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    with Tail(spool, "w0-a") as tail:
        tail.put(Item(1.0))
        for segment in segments(spool):
            segment.path.unlink()
        spool.rmdir()
        wait_until(lambda: _recovers(tail, spool))
    assert sum(tail.lost.values()) + tail.written >= 2


def _recovers(tail: Tail, spool: Path) -> bool:
    tail.put(Item(2.0))
    return bool(times(Reader(spool, KEY).read()))


def test_a_spool_that_cannot_be_written_drops_and_counts(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    with Tail(blocked / "spool", "w0-a") as tail:
        tail.put(Item(1.0), Item(2.0))
        assert tail.lost == {"spool_error": 2}


def test_a_read_only_disk_drops_and_counts_until_it_can_be_written(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(small_disk(tmp_path, kilobytes=256))
        except PermissionError as error:
            pytest.skip(str(error))
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        tail = stack.enter_context(Tail(tmp_path, "w0-a"))
        tail.put(Item(1.0))
        assert tail.lost == {"spool_error": 1}
        subprocess.run(["mount", "-o", "remount,rw", str(tmp_path)], check=True)
        wait_until(lambda: _recovers(tail, tmp_path))


def test_a_slow_disk_delays_durability_and_never_the_hand_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncing, done = threading.Event(), threading.Event()

    def slow(_: int) -> None:
        syncing.set()
        done.wait(TIMEOUT)

    monkeypatch.setattr(os, "fdatasync", slow)
    with Tail(tmp_path, "w0-a") as tail:
        tail.put(Item(1.0))
        assert syncing.wait(TIMEOUT)
        tail.put(Item(2.0), Item(3.0))
        assert times(Reader(tmp_path, KEY).read()) == [1.0, 2.0, 3.0]
        done.set()


def test_erasing_a_subject_leaves_a_gap_and_everybody_else(tmp_path: Path) -> None:
    with Tail(tmp_path, "w0-a") as tail:
        tail.put(Item(1.0, subject="u1"), Item(2.0, b"about u2", subject="u2"), Item(3.0))
        assert erase(tmp_path, KEY, "u2") == 1
        tail.put(Item(4.0, subject="u1"))
    entries = Reader(tmp_path, KEY).read()
    assert times(entries) == [1.0, 3.0, 4.0]
    assert gaps(entries) == [("erased", 1)]


@pytest.mark.parametrize("header", ["JosÃ©", "José"])
def test_a_subject_is_found_however_its_header_was_decoded(header: str, tmp_path: Path) -> None:
    """UTF-8 that was read byte by byte, and what a client sent in Latin-1."""
    with Tail(tmp_path, "w0-a") as tail:
        tail.put(Item(1.0, subject=header))
        assert erase(tmp_path, KEY, "José") == 1


def test_a_subject_that_no_header_can_carry_is_nobodys(tmp_path: Path) -> None:
    write(tmp_path, "w0-a", 1.0)
    assert erase(tmp_path, KEY, "\ud800") == 0


def test_erasing_reaches_what_lies_behind_damage(tmp_path: Path) -> None:
    with Tail(tmp_path, "w0-a") as tail:
        tail.put(*(Item(float(n), subject="u1") for n in range(1, 31)))
    path = segments(tmp_path)[0].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 10] = b"\xa7T" * 5
    path.write_bytes(data)
    assert erase(tmp_path, KEY, "u1") >= 28
    assert times(Reader(tmp_path, KEY).read()) == []


def test_a_spool_that_cannot_be_erased_from_says_so(tmp_path: Path) -> None:
    write(tmp_path, "w0-a", 1.0)
    path = segments(tmp_path)[0].path
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError, match="cannot be erased from"):
        erase(tmp_path, KEY, "u1")


def test_the_last_counters_are_final_and_behind_the_last_capture(tmp_path: Path) -> None:
    write(tmp_path, "w0-a", 1.0, 2.0)
    last = Reader(tmp_path, KEY).read()[-1].record
    assert isinstance(last, Counters)
    assert (last.final, last.written) == (True, 2)


def test_a_killed_writer_loses_at_most_what_came_since_the_last_write(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from tests.collectors.test_spool import Tail, Item\n"
        "with Tail(Path(sys.argv[1]), 'w0-a') as tail:\n"
        "  for i in range(1, 100000):\n"
        "    tail.writer.queue.append(Item(float(i))); print(i, flush=True); time.sleep(0.001)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    offered = [process.stdout.readline() for _ in range(400)]
    process.send_signal(signal.SIGKILL)
    offered += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    entries = Reader(tmp_path, KEY).read(10_000)
    assert times(entries) == [float(i) for i in range(1, len(times(entries)) + 1)]
    assert len(offered) - len(times(entries)) <= 150


def test_a_spool_belongs_to_one_store(tmp_path: Path) -> None:
    bind(tmp_path / "spool", "store-1")
    bind(tmp_path / "spool", "store-1")
    with pytest.raises(ForeignSpool, match="belongs to the store store-1") as caught:
        bind(tmp_path / "spool", "store-2")
    assert caught.value.exit_code == 4


def test_the_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    key = load_key(tmp_path / "spool")
    assert (len(key), load_key(tmp_path / "spool")) == (32, key)
    assert (tmp_path / "tailgate.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("value", ["", "not base64!", "c2hvcnQ="])
def test_a_wrong_key_names_its_variable(value: str, tmp_path: Path) -> None:
    os.environ["TAILGATE_TEST_KEY"] = value
    with pytest.raises(ConfigError, match="TAILGATE_TEST_KEY"):
        load_key(tmp_path, "TAILGATE_TEST_KEY")


def test_stream_names_sort_by_time_and_never_repeat() -> None:
    assert len({new_stream(0) for _ in range(100)}) == 100


def test_a_stream_that_was_killed_ends_in_a_gap_with_its_last_account(tmp_path: Path) -> None:
    stream = "w0-00000000000000ff"
    seal = Seal(KEY, stream)
    account = Counters(
        stream, at=50.0, started_at=1.0, worker=0, sampled=9, written=0, dropped={"thinned": 2}
    )
    path = segment_path(tmp_path, stream, 1)
    path.write_bytes(seal.frame(account, 1))
    os.utime(path, (1.0, 1.0))
    reader = Reader(tmp_path, KEY)
    found = [entry.record for entry in (*reader.read(), *reader.read())]
    assert found == [account, Gap(stream, "capture_killed", 7, 50.0)]
    assert reader.read() == []
    assert reader.release({stream: (1, path.stat().st_size, 0)}) == 1


def test_a_settled_stream_was_not_killed(tmp_path: Path) -> None:
    write(tmp_path, "w0-00000000000000fe", 1.0, 2.0)
    for segment in segments(tmp_path):
        os.utime(segment.path, (1.0, 1.0))
    reader = Reader(tmp_path, KEY)
    records = [entry.record for entry in (*reader.read(), *reader.read())]
    assert not any(isinstance(record, Gap) for record in records)
