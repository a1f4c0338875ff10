"""What is kept of a pair when its text cannot be redacted: its numbers, and no text."""

from __future__ import annotations

from monitor.config_file import load
from monitor.judging import Judging
from monitor.ledger import Kept, Keys
from monitor.pairing import Paired
from monitor.redaction import Scanner
from monitor.reference import Rules
from tests.monitor.made import pair


def judged(scanner: Scanner | None = None) -> Kept:
    settings = {"store.text": "redacted", "privacy.seal_text": False, "candidate.url": "http://127.0.0.1:1"}
    asked = pair("How much is 2 + 2? Write to ada@example.org", "4", "5")
    judging = Judging(load(overrides=settings), Keys(b"x" * 32), Rules(scanner=scanner))
    kept = judging.judge(Paired(asked.exchange, asked)).kept
    assert kept is not None
    return kept


def test_secrets_are_counted_and_texts_kept_without_them() -> None:
    kept = judged()
    assert kept.redactions == {"email": 1}
    assert "ada@example.org" not in str(kept.texts)


def test_a_scanner_that_raises_withholds_every_text_and_no_score() -> None:
    def broken(_: str) -> list[tuple[int, int, str]]:
        raise ValueError("a defect")

    kept = judged(broken)
    assert (kept.redactions, kept.texts) == (None, None)
    assert kept.scored.scores["answer"].value == 1.0
    assert {score.explanation for score in kept.scored.scores.values()} == {""}
