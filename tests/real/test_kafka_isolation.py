"""No broker: production is served as before, what the spool cannot hold is counted, and nobody has to help."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.benchmarks.exchanges import KEY
from tests.benchmarks.hotpath import native, process
from tests.benchmarks.hotpath.native import run_load, upstream
from tests.faults.breakages import healthy_candidate
from tests.faults.comparison import Report, until_clear
from tests.faults.rig import Rig, eventually, tailgate, total
from tests.faults.test_isolation import PRODUCTION
from tests.real.kafka_broker import Broker, stopped

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.full,
    pytest.mark.timeout(300),
    pytest.mark.skipif(native.missing() is not None, reason=str(native.missing())),
]

SMALL_SPOOL = 1 << 20
FULL = 'reason="spool_full"'


@contextmanager
def behind_kafka(directory: Path, baseline: int, candidate: str, broker: Broker) -> Iterator[Rig]:
    """Sidecar, shipper and monitor with a spool that is soon full."""
    with tailgate(
        "run",
        directory,
        baseline,
        candidate_url=candidate,
        handover_kind="kafka",
        privacy_key_env="TAILGATE_KEY",
        kafka_bootstrap=[broker.address],
        kafka_shipper_listen=f"127.0.0.1:{process.free_port()}",
        spool_max_bytes=SMALL_SPOOL,
    ) as rig:
        yield rig


def measured(rig: Rig) -> Report:
    with rig.awake():
        return run_load(PRODUCTION, rig.port)


def test_production_does_not_notice_that_no_broker_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILGATE_KEY", base64.b64encode(KEY).decode())
    with (
        upstream(first_us=2_000) as baseline,
        healthy_candidate() as url,
        stopped(tmp_path) as broker,
        tailgate("run", tmp_path / "healthy", baseline, candidate_url=url) as healthy,
        behind_kafka(tmp_path / "faulty", baseline, url, broker) as faulty,
    ):
        comparison = until_clear(lambda: (measured(healthy), measured(faulty)))
        print(f"no broker: {comparison}")
        assert comparison.unharmed, comparison
        with faulty.awake():
            assert eventually(lambda: dropped(faulty) > 0), "the spool never filled up"
            before = dropped(faulty)
            broker.start()
            assert eventually(lambda: faulty.funnel()["scored"] > 0, 120), "no recovery"
            assert eventually(lambda: reconciled(faulty, before), 120), faulty.funnel()


def dropped(rig: Rig) -> int:
    return total(rig.metrics(), "tailgate_mirror_dropped_total", FULL)


def reconciled(rig: Rig, lost: int) -> bool:
    """Everything that was eligible is scored or skipped for a reason, the drops among them."""
    funnel = rig.funnel()
    counted = funnel["scored"] + sum(funnel["skipped"].values())
    return bool(
        funnel["pending"] == 0
        and funnel["eligible"] == counted
        and funnel["skipped"].get("spool_full", 0) >= lost
    )
