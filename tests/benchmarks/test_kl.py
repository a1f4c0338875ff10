"""The drop at temperature 1 estimates the KL divergence: two known distributions, then the tiny model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.kl import compared, study
from tests.real import vllm_server

P, Q = np.array([0.7, 0.2, 0.1]), np.array([0.5, 0.3, 0.2])
EXACT = float(np.sum(P * np.log(P / Q)))


def sampled(answers: int, tokens: int) -> np.ndarray:
    """Log-ratios of tokens drawn from P."""
    drawn = np.random.default_rng(2).choice(3, (answers, tokens), p=P)
    return np.asarray(np.log(P / Q)[drawn])


def test_both_estimates_cover_the_exact_divergence_and_near_models_favour_the_second() -> None:
    found = compared(sampled(400, 50), np.full((400, 50), EXACT))
    assert found["exact"] == pytest.approx(EXACT)
    assert (found["log_ratio"]["covers"], found["never_negative"]["covers"]) == (True, True)
    assert found["never_negative"]["relative_half_width"] < found["log_ratio"]["relative_half_width"] < 0.1


def test_filtered_sampling_breaks_the_estimate() -> None:
    drop = sampled(400, 50)
    kept = drop[:, :25][np.all(drop[:, :25] > -0.6, axis=1)]  # as if rare tokens were never drawn
    found = compared(kept, np.full(kept.shape, EXACT))
    assert not found["log_ratio"]["covers"]


@pytest.mark.real
@pytest.mark.full
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_tiny_models_exact_divergence_lies_in_the_interval(tmp_path: Path) -> None:
    if vllm_server.interpreter() is None:
        pytest.skip(vllm_server.WHY_NOT)
    tiny = vllm_server.tiny()
    candidates = {"int4": vllm_server.quantized(4, 128, tiny)}
    found = study(tiny, candidates, 4096, tmp_path / "kl.json")["int4"]
    assert found["tokens"] == 4096
    assert found["log_ratio"]["holds"]
