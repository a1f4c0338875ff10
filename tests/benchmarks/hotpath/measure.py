"""Runs every variant under every profile, interleaved: A B C A B C, never A A B B.

Neighbours on the machine come and go within minutes; interleaving lets every variant meet them
alike, and one round's figures are compared with each other before rounds are summarised.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.hotpath import process
from tests.benchmarks.hotpath.native import CACHE, Load, read_load, start_load, upstream
from tests.benchmarks.hotpath.variants import Place, Variant

PROXY_CORE, LOAD_CORE = 0, 1
STREAM_CHUNKS, STREAM_INTERVAL_US = 150, 20_000

Sample = dict[str, float]
Samples = dict[str, dict[str, list[Sample]]]
"""profile name -> variant name -> one sample per round."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of load and how many rounds of it."""

    name: str
    text: str
    load: Load
    rounds: int


PROFILES = (
    Profile(
        "saturation",
        "closed loop, 32 keep-alive connections, 1.0 KB requests, 1.6 KB answers",
        Load(seconds=2.5, connections=32),
        rounds=11,
    ),
    Profile(
        "rate",
        "open loop, 200 requests/s, same sizes",
        Load(seconds=3.5, warm_up=1, connections=32, rate=200),
        rounds=5,
    ),
    Profile(
        "streams",
        "200 concurrent streams of 150 events 20 ms apart",
        Load(seconds=4, warm_up=3.2, connections=200, chunks=STREAM_CHUNKS, spread_us=3_000_000),
        rounds=5,
    ),
)


@contextmanager
def place(upstream_port: int) -> Iterator[Place]:
    """An empty directory with free ports, removed afterwards."""
    CACHE.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=CACHE))
    try:
        yield Place(directory, process.free_port(), upstream_port, process.free_port())
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def measure(profiles: Sequence[Profile], variants: Sequence[Variant], say: Callable[[str], None]) -> Samples:
    """All samples. Pins proxies to one core, the mock upstream and the load to another."""
    samples: Samples = {}
    with upstream(chunks=STREAM_CHUNKS, interval_us=STREAM_INTERVAL_US, core=LOAD_CORE) as port:
        for profile in profiles:
            measured = [v for v in variants if profile.name in (v.profiles or (profile.name,))]
            by_variant = samples.setdefault(profile.name, {v.name: [] for v in measured})
            for number in range(profile.rounds):
                for variant in tuple(measured):
                    if variant.rounds is not None and number >= variant.rounds:
                        continue
                    try:
                        sample = _one(profile, variant, port)
                    except RuntimeError as error:
                        if variant.ours:
                            raise
                        say(f"{variant.name} is left out from here on: {error}")
                        measured.remove(variant)
                        continue
                    by_variant[variant.name].append(sample)
                    say(f"{profile.name} {number + 1}/{profile.rounds} {variant.name}: {_brief(sample)}")
                _relate_to_direct(by_variant)
    return samples


def _brief(sample: Sample) -> str:
    keys = ("per_second", "cpu_us_per_request", "cpu_us_per_chunk", "p50_us", "chunk_p50_us", "errors")
    return ", ".join(f"{key} {sample[key]:.1f}" for key in keys if key in sample)


def _one(profile: Profile, variant: Variant, upstream_port: int) -> Sample:
    if variant.command is None:
        return _sample(read_load(start_load(profile.load, upstream_port, core=LOAD_CORE), profile.load), 0.0)
    with place(upstream_port) as where:
        command = variant.command(where)
        with process.running(command, where.directory, core=PROXY_CORE) as proxy:
            started = process.wait_for_port(where.port, proxy, seconds=120)
            time.sleep(0.3)
            before = process.cpu_seconds(proxy.pid)
            load = start_load(profile.load, where.port, core=LOAD_CORE)
            time.sleep(profile.load.warm_up + profile.load.seconds * 0.7)
            memory = [process.pss_megabytes(pid) for pid in process.tree(proxy.pid)]
            report = read_load(load, profile.load)
            sample = _sample(report, process.cpu_seconds(proxy.pid) - before)
            sample |= {"start_seconds": started, "pss_mb": sum(memory), "pss_largest_mb": max(memory)}
            return sample | _mirrored(variant, where)


def _sample(report: dict[str, float | dict[str, float]], cpu_seconds: float) -> Sample:
    """Flat figures of one run; CPU is of the whole run, hence divided by all that it served."""

    def number(key: str) -> float:
        value = report[key]
        return float(value) if not isinstance(value, dict) else value["p50"]

    def part(key: str, statistic: str) -> float:
        value = report[key]
        return value[statistic] if isinstance(value, dict) else value

    sample = {
        "per_second": number("per_second"),
        "p50_us": part("latency_us", "p50"),
        "p99_us": part("latency_us", "p99"),
        "errors": number("failed") + number("refused") + number("short"),
    }
    if chunks := number("chunks"):
        sample |= {
            "chunk_p50_us": part("chunk_delay_us", "p50"),
            "chunk_p99_us": part("chunk_delay_us", "p99"),
        }
        sample |= {
            "first_chunk_p50_us": part("first_chunk_us", "p50"),
            "cpu_us_per_chunk": cpu_seconds * 1e6 / chunks,
        }
    else:
        sample["cpu_us_per_request"] = cpu_seconds * 1e6 / max(1.0, number("ok"))
    return sample


def _relate_to_direct(by_variant: dict[str, list[Sample]]) -> None:
    """Add what each proxy adds to the direct path of the same round."""
    direct = by_variant.get("direct")
    for samples in by_variant.values() if direct else ():
        for sample, base in zip(samples, direct or (), strict=False):
            for key in ("p50_us", "p99_us", "chunk_p50_us", "chunk_p99_us"):
                if key in sample:
                    sample[f"added_{key}"] = sample[key] - base[key]


def _mirrored(variant: Variant, where: Place) -> Sample:
    """What our sidecar says it mirrored and dropped, so that a fast run that dropped all is seen."""
    if not variant.name.startswith("tailgate"):
        return {}
    with urllib.request.urlopen(f"http://127.0.0.1:{where.admin}/metrics", timeout=10) as answer:
        return count_mirrored(answer.read().decode())


def count_mirrored(metrics: str) -> Sample:
    """`mirrored` and `dropped` out of the sidecar's metrics text."""
    requests = re.findall(r'^tailgate_requests_total\{.*outcome="(\w+)".*\} (\S+)', metrics, re.MULTILINE)
    dropped = re.findall(r"^tailgate_mirror_dropped_total\{.*\} (\S+)", metrics, re.MULTILINE)
    mirrored = sum(float(value) for outcome, value in requests if outcome == "sampled")
    return {"mirrored": mirrored, "dropped": sum(map(float, dropped))}


def idle(variant_command: Callable[[Place], list[str]], rounds: int = 3) -> list[Sample]:
    """Start-up seconds and memory at rest of a sidecar as it comes, two seconds after it listens."""
    samples = []
    with upstream() as port:
        for _ in range(rounds):
            with place(port) as where, process.running(variant_command(where), where.directory) as proxy:
                started = process.wait_for_port(where.port, proxy)
                time.sleep(2)
                memory = [process.pss_megabytes(pid) for pid in process.tree(proxy.pid)]
                samples.append(
                    {"start_seconds": started, "pss_mb": sum(memory), "pss_largest_mb": max(memory)}
                )
    return samples


def progress(line: str) -> None:
    """One line for people while it runs."""
    print(line, file=sys.stderr, flush=True)
