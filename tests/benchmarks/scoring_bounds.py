"""The acceptance list's bounds on figures over all sets: losses, ranks, constraints, segmenters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from monitor import languages
from tests.benchmarks.constraint_truth import Flips, Mining
from tests.benchmarks.scored_runs import Slice
from tests.benchmarks.scoring_expectations import Check
from tests.benchmarks.scoring_figures import big_losses, small_losses
from tests.benchmarks.segment_truth import LANGUAGES, language_without_cld2, requests, segments, tasks, texts

Json = dict[str, Any]


def beyond(parts: Sequence[Slice], controls: Json, ranks: Json) -> Iterator[Check]:
    """Sensitivity, false alarms and rank correlation."""
    big, small = big_losses(parts), small_losses(parts)
    yield Check(
        "lost ≥ 20 points on ≥ 40 pairs: ≥ 85 % diverged",
        big["share"] >= 0.85,
        f"{big['found']} of {big['of']}",
    )
    enough = small["ours"]["found"] >= 0.8 * small["oracle"]["found"] and not small["said_ok"]
    detail = f"{small['ours']['found']} against {small['oracle']['found']} with the true labels"
    yield Check("lost 10–20 points: ≥ 0.8 of an oracle, never ok", enough, detail)
    yield Check(
        "control pairs: ≤ 1 % of rows alarm",
        controls["share"] <= 0.01,
        f"{controls['alarms']} of {controls['rows']}",
    )
    rho = ranks["excess"]
    words = f"{rho['rho']:.2f} [{rho['low']:.2f}, {rho['high']:.2f}]; token-F1 {ranks['token_f1']['rho']:.2f}"
    yield Check("Spearman of excess with loss ≥ 0.7", rho["rho"] >= 0.7, words)


def constraints(mined: Mining, flipped: Flips) -> Iterator[Check]:
    """IFEval and M-IFEval."""
    found, known = mined.found.total(), f"{mined.recall:.3f} of supported kinds"
    yield Check("constraints: ≥ 60 % of registered ones found", mined.recall >= 0.6, f"{known} ({found})")
    yield Check("… with ≥ 95 % precision", mined.precision >= 0.95, f"{mined.precision:.3f}")
    agree = min(flipped.precision, flipped.recall)
    words = (
        f"precision {flipped.precision:.3f}, recall {flipped.recall:.3f} of {flipped.both + flipped.theirs}"
    )
    yield Check("… kept → broken as the strict results ≥ 90 %", agree >= 0.9, words)


def segmenters() -> Iterator[Check]:
    """Language, script and task on labelled requests."""
    known = [pair for name in LANGUAGES for pair in texts(name)]
    right = sum(languages.language(text) == label for text, label in known)
    alone = sum(language_without_cld2(text) == label for text, label in known)
    detail = f"{right} of {len(known)}; without pycld2 {alone}"
    yield Check("language ≥ 97 % of texts of ≥ 40 characters", right >= 0.97 * len(known), detail)
    rows = [row for name in LANGUAGES for row in requests(name) if row["dims"].get("script")]
    good = sum(segments(row)["script"] == row["dims"]["script"].lower() for row in rows)
    yield Check("script 100 %", good == len(rows), f"{good} of {len(rows)}")
    labelled = tasks()
    hits = sum(found == label for _, found, label in labelled)
    yield Check("task ≥ 95 %", hits >= 0.95 * len(labelled), f"{hits} of {len(labelled)}")
