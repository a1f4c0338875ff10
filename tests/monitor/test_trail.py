"""Evidence over time: steps are kept, standing still is not."""

from __future__ import annotations

import numpy as np

from monitor.records import Segment
from monitor.trail import FLOOR, Trail

KEYS = [(Segment("all"), "script"), (Segment("language=sw"), "script")]


def test_only_detectors_that_moved_a_quarter_decade_leave_a_point() -> None:
    trail = Trail()
    assert list(trail.due(KEYS, np.array([0.0, 0.5]))) == [(KEYS[1], 0.5)]
    assert list(trail.due(KEYS, np.array([FLOOR, 0.6]))) == []
    assert list(trail.due(KEYS, np.array([0.1, 1.0]))) == [(KEYS[0], 0.1), (KEYS[1], 1.0)]


def test_a_cleared_detector_leaves_a_last_point() -> None:
    trail = Trail()
    list(trail.due(KEYS[:1], np.array([10.0])))
    assert list(trail.due(KEYS[:1], np.array([0.0]))) == [(KEYS[0], 0.0)]


def test_newcomers_start_from_nothing() -> None:
    trail = Trail()
    list(trail.due(KEYS[:1], np.array([10.0])))
    assert list(trail.due(KEYS, np.array([10.0, 0.0]))) == []
    assert list(trail.due(KEYS, np.array([10.0, 2.0]))) == [(KEYS[1], 2.0)]


def test_wandering_within_a_step_keeps_the_trail_short() -> None:
    trail = Trail()
    rng = np.random.default_rng(1)
    walk = 0.1 * np.exp(rng.uniform(-0.2, 0.2, 1000))
    assert sum(len(list(trail.due(KEYS[:1], np.array([value])))) for value in walk) == 1
