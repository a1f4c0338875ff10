"""A store of any number of pairs, made by SQL in minutes, for what reads stores.

Two weeks: the window before `until`, and a tenth as many pairs in the week before it, with less Swahili.
About fifteen scores a pair and nine dimensions, as live pairs have; one pair in five has a replay. The
Swahili of the window breaks its script in half of its answers; everything else is noise.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from monitor.config import Config
from monitor.standing import Standing
from monitor.store import STORAGE_VERSION, Store

PLANTED = ("language=sw", "script")
WEEK = 7 * 86_400.0
BLOCK = 256
COUNTED, BEHIND = 2_000, 1_000
"""Pairs that the snapshot's evidence counted, and pairs behind it, which a report has to apply again."""

_LEG = """{{'duration': {seconds}, 'ttft': {seconds} / 8, 'input_tokens': 50 + h % 900, 'output_tokens': 20 + h % 300,
  'finish_reason': 'stop', 'model': 'm', 'error': NULL::VARCHAR, 'confidence': 0.5 + (h % 50) / 100, 'in_flight': 1}}"""
_NOISE = "0.2 + (hash(seq, {arm}) % 1000) / 500"
_PAIRS = f"""
INSERT INTO pairs
SELECT seq, least((seq - 1) // {BLOCK} + 1, $block), 'p' || seq, moment, moment + 1,
  MAP {{'all': 'all',
       'language': CASE WHEN h % 100 < (CASE WHEN moment < $until - {WEEK} THEN 1 ELSE 2 END) THEN 'sw'
                        ELSE ['en', 'de', 'fr', 'es', 'ja', 'th', 'zh', 'hi'][1 + h // 100 % 8] END,
       'script': CASE WHEN h % 100 >= 2 AND h // 100 % 8 > 3 THEN 'other' ELSE 'latin' END,
       'task': ['chat', 'code', 'math', 'json'][1 + h // 800 % 4],
       'context': ['<1k', '1k-4k', '4k-8k'][1 + h // 3200 % 3],
       'turn': ['1', '2-3'][1 + h // 9600 % 2], 'stream': ['yes', 'no'][1 + h // 19200 % 2],
       'model': 'm', 'tenant': 'c' || h // 38400 % 40}},
  'chat', 'spool', 1.0, 'k' || seq, NULL, NULL, ['model=m'], [],
  [{_NOISE.format(arm=1)}, if(seq % 5 = 0, {_NOISE.format(arm=2)}, NULL), NULL, NULL],
  {_LEG.format(seconds=_NOISE.format(arm=0))}, {_LEG.format(seconds=_NOISE.format(arm=1))},
  if(seq % 5 = 0, {_LEG.format(seconds=_NOISE.format(arm=2))}, NULL), NULL, NULL
FROM (SELECT seq, (hash(seq) >> 1)::BIGINT AS h, $until - 2 * {WEEK} + if(seq <= $before, (seq - 1) * {WEEK} / $before,
        {WEEK} + (seq - $before - 1) * ({WEEK} - 60) / ($total - $before)) AS moment
      FROM range($first, $last + 1) r(seq))
"""
# Rate of bad scores by signal; graded signals vary around theirs.
_FLAT = {"empty": 0.001, "error": 0.002, "truncated": 0.003, "degenerate": 0.002, "language": 0.004, "script": 0.003,
         "refusal": 0.01, "constraint": 0.02, "format": 0.01, "answer": 0.08, "confident_disagreement": 0.02}  # fmt: skip
_GRADED = {"similarity": 0.3, "length": 0.2, "hedging": 0.1, "markdown": 0.1}
_SCORES = """
INSERT INTO scores
SELECT seq, signal, {candidate}, if(seq % 5 = 0, {replay}, NULL), if({bad}, 'bad', ''), '', 0, (hash(seq) % 100) / 100
FROM (SELECT seq, unnest($signals) AS signal, unnest($rates) AS rate, unnest($graded) AS graded,
        $planted AND (hash(seq) >> 1) % 100 < 2 AS sw FROM range($first, $last + 1) r(seq))
"""
_DRAW = "if(graded, rate * (hash(seq, signal, {arm}) % 1000) / 500, (hash(seq, signal, {arm}) % 10000 < 10000 * {rate})::INT)"
_RATE = "if(signal = 'script' AND sw, 0.5, rate)"


def fill(path: Path, pairs: int, until: float, *, live: bool = False) -> None:
    """Make the store: `pairs` in the week before `until`, a tenth of that in the week before.

    With `live`, a snapshot of the evidence lies a little behind the newest pair, as a monitor leaves it.
    """
    before = pairs // 10
    total = before + pairs
    Store(path).close()
    if not live:
        _insert(path, until, before, total, first=1, last=total, block=0)
        return
    counted, folded = min(COUNTED, total // 2), total - min(BEHIND, total // 4)
    _insert(path, until, before, total, first=1, last=counted, block=counted // BLOCK + 1)
    block = _snapshot(path)
    _insert(path, until, before, total, first=counted + 1, last=folded, block=block)
    _insert(path, until, before, total, first=folded + 1, last=total, block=1 << 40)


def _snapshot(path: Path) -> int:
    """The evidence of what is there, as a monitor leaves it; its block."""
    store, config = Store(path), Config()
    store.remember("config", config.model_dump_json())
    batch = Standing(config, store, b"unused").final_batch()
    assert batch is not None
    assert batch.snapshot is not None
    store.commit(batch)
    store.close()
    return batch.snapshot.block


def _insert(path: Path, until: float, before: int, total: int, *, first: int, last: int, block: int) -> None:
    rates = {**_FLAT, **_GRADED}
    place = {"first": first, "last": last}
    draws = {
        "candidate": _DRAW.format(arm=1, rate=_RATE),
        "replay": _DRAW.format(arm=2, rate="rate"),
        "bad": _DRAW.format(arm=1, rate=_RATE) + " >= 0.5",
    }
    scores = {
        **place, "signals": list(rates), "rates": list(rates.values()), "graded": [name in _GRADED for name in rates]
    }  # fmt: skip
    with duckdb.connect(str(path), config={"storage_compatibility_version": STORAGE_VERSION}) as store:
        store.execute("SET memory_limit = '4GB'")
        store.execute(_PAIRS, {**place, "until": until, "before": before, "total": total, "block": block})
        for start, end, planted in ((first, min(last, before), False), (max(first, before + 1), last, True)):
            if start <= end:
                given = {**scores, "first": start, "last": end, "planted": planted}
                store.execute(_SCORES.format(**draws), given)
        store.execute("CHECKPOINT")
