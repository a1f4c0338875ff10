"""Rows of a probe run: read, stored once each, counted by pack."""

from __future__ import annotations

from typing import Any

import pytest

from monitor import archive
from monitor.errors import BadInput
from monitor.metrics import MAX_PACKS, Metrics
from monitor.probe_results import ProbeResult, read
from monitor.store import Store

ROW = {"pack": "smoke", "probe": "hops", "verdict": "worse", "candidate": "4.5 (4.0 to 5.1) steps"}


def test_rows_are_read_and_stored() -> None:
    store = Store()
    archive.store_probes(store, [row.stored(7.0) for row in read([ROW, {**ROW, "verdict": "ok"}])])
    found = store.query("report_probes", {"until": 8.0})
    store.close()
    assert len(found) == 1
    assert found[0][:3] == (7.0, "smoke", "hops")


def test_no_rows_are_no_statement() -> None:
    store = Store()
    archive.store_probes(store, [])
    assert store.query("SELECT count(*) FROM probes") == [(0,)]
    store.close()


@pytest.mark.parametrize(
    "value", ["hops", {}, {**ROW, "verdict": "fine"}, {**ROW, "extra": "x"}, {**ROW, "candidate": 4.5}]
)
def test_what_is_no_result_is_refused(value: Any) -> None:
    with pytest.raises(BadInput):
        read([ROW, value])


def test_long_texts_are_cut() -> None:
    assert len(read([{**ROW, "change": "x" * 9999}])[0].change) == 400


def test_too_many_rows_are_refused() -> None:
    with pytest.raises(BadInput, match="at most"):
        read([ROW] * 10_001)


def test_results_are_counted_by_pack_and_verdict_and_packs_are_capped() -> None:
    metrics = Metrics("r", 50)
    for number in range(MAX_PACKS + 5):
        metrics.probe_result(f"pack{number}", "below range")

    def count(pack: str) -> float | None:
        labels = {"route": "r", "pack": pack, "result": "below_range"}
        return metrics.registry.get_sample_value("tailgate_probe_results_total", labels)

    assert (count("pack0"), count("__other__"), count(f"pack{MAX_PACKS}")) == (1, 5, None)


def test_a_result_without_texts_has_empty_ones() -> None:
    assert read([{"pack": "p", "probe": "x", "verdict": "ok"}]) == [ProbeResult("p", "x", "ok")]
