"""Users never wait for us: whatever breaks behind the splice, production is served as before.

Each fault is held against a Tailgate with a healthy candidate in at least nine interleaved rounds,
all other arms stopped meanwhile. nginx `mirror` fails the first of them: with a hung target its
keep-alive connections serve nothing (apache/apisix#6536).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.benchmarks.hotpath import native
from tests.benchmarks.hotpath.native import Load, run_load, upstream
from tests.faults.breakages import (
    dribbling_candidate,
    garbage_clients,
    healthy_candidate,
    hung_candidate,
    refusing_candidate,
    remove_spool,
    small_disk,
)
from tests.faults.comparison import PAIRS, Report, until_clear
from tests.faults.rig import Rig, eventually, tailgate, total

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(300),
    pytest.mark.skipif(native.missing() is not None, reason=str(native.missing())),
]

PRODUCTION = Load(seconds=0.8, warm_up=0.2, grace=5, rate=250, connections=32)
Arm = Callable[[], Report]


@pytest.fixture(scope="module")
def baseline() -> Iterator[int]:
    with upstream(first_us=2_000) as port:
        yield port


@contextmanager
def _with_candidate(
    candidate: Callable[[], AbstractContextManager[str]], baseline: int, directory: Path
) -> Iterator[Arm]:
    with candidate() as url, tailgate("run", directory, baseline, candidate_url=url) as rig:
        yield lambda: _measured(rig)
        with rig.awake():
            assert eventually(lambda: rig.funnel()["eligible"] > 0), "nothing was mirrored"


@contextmanager
def _healthy(baseline: int, directory: Path) -> Iterator[Arm]:
    with _with_candidate(healthy_candidate, baseline, directory) as arm:
        yield arm


@contextmanager
def _hung(baseline: int, directory: Path) -> Iterator[Arm]:
    with _with_candidate(hung_candidate, baseline, directory) as arm:
        yield arm


@contextmanager
def _refusing(baseline: int, directory: Path) -> Iterator[Arm]:
    with _with_candidate(refusing_candidate, baseline, directory) as arm:
        yield arm


@contextmanager
def _dribbling(baseline: int, directory: Path) -> Iterator[Arm]:
    with _with_candidate(dribbling_candidate, baseline, directory) as arm:
        yield arm


@contextmanager
def _monitor_stopped(baseline: int, directory: Path) -> Iterator[Arm]:
    with (
        healthy_candidate() as url,
        tailgate("sidecar", directory, baseline) as rig,
        tailgate("monitor", directory, baseline, candidate_url=url) as monitor,
    ):
        monitor.signal(signal.SIGSTOP)
        yield lambda: _measured(rig)
        monitor.signal(signal.SIGCONT)
        assert eventually(lambda: monitor.funnel()["eligible"] > 0), "nothing was seen afterwards"


@contextmanager
def _disk_full(baseline: int, directory: Path) -> Iterator[Arm]:
    with small_disk(directory / "spool", kilobytes=256), tailgate("sidecar", directory, baseline) as rig:
        yield lambda: _measured(rig)
        _assert_dropped(rig, "spool_error")


@contextmanager
def _spool_gone(baseline: int, directory: Path) -> Iterator[Arm]:
    with tailgate("sidecar", directory, baseline) as rig:
        remove_spool(rig)
        yield lambda: _measured(rig)
        _assert_dropped(rig, "spool_error")


@contextmanager
def _garbage(baseline: int, directory: Path) -> Iterator[Arm]:
    def measured_amid_garbage() -> Report:
        with garbage_clients(rig):
            return _measured(rig)

    with tailgate("sidecar", directory, baseline) as rig:
        yield measured_amid_garbage
        with rig.awake():
            assert total(rig.metrics(), "tailgate_requests_total", 'outcome="sampled"') > 0


def _measured(rig: Rig) -> Report:
    with rig.awake():
        return run_load(PRODUCTION, rig.port)


def _assert_dropped(rig: Rig, reason: str) -> None:
    with rig.awake():
        label = f'reason="{reason}"'
        assert eventually(lambda: total(rig.metrics(), "tailgate_mirror_dropped_total", label) > 0)


HEALTHY = "none"
FAULTS = {
    "candidate hung": _hung,
    "candidate refusing": _refusing,
    "candidate dribbling": _dribbling,
    "monitor stopped": _monitor_stopped,
    "spool disk full": _disk_full,
    "spool directory gone": _spool_gone,
    "observer fed garbage": _garbage,
}


@pytest.fixture(scope="module")
def arms(baseline: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Arm]]:
    """Every arm, measured once so that it stops until it is measured again."""
    with ExitStack() as stack:
        started: dict[str, Arm] = {}
        for name, arm in {HEALTHY: _healthy, **FAULTS}.items():
            started[name] = stack.enter_context(arm(baseline, tmp_path_factory.mktemp("arm")))
            started[name]()
        yield started


@pytest.fixture(scope="module")
def rounds(arms: dict[str, Arm]) -> list[dict[str, Report]]:
    """Every arm in turn, nine times: one healthy arm serves all comparisons."""
    return [{name: arm() for name, arm in arms.items()} for _ in range(PAIRS)]


@pytest.mark.parametrize("fault", FAULTS)
def test_production_is_served_as_before(
    fault: str, arms: dict[str, Arm], rounds: list[dict[str, Report]]
) -> None:
    measured = [(each[HEALTHY], each[fault]) for each in rounds]
    comparison = until_clear(lambda: (arms[HEALTHY](), arms[fault]()), measured)
    print(f"{fault}: {comparison}")
    assert comparison.unharmed, comparison
