"""Redaction on labelled texts: recall and precision per kind, and what the guards and the seal cost.

    python -m tests.benchmarks.redaction

A secret counts as found when tokens cover all of it, whatever kind they name; a hit counts as right
when it touches a secret of its kind. Writes `results/redaction.json` and `.md`.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from monitor.redaction import Token, keyed, redact
from monitor.secret_patterns import PATTERNS, Pattern
from monitor.vault import Vault
from tests.benchmarks.labelled_texts import Labelled, harmless, ours, theirs
from tests.benchmarks.results import write_result

COUNT = 4000
RECALL, PRECISION, SPEED = 0.95, 0.9, 5.0
Span = tuple[int, int, str]
_TOKEN = re.compile("\ue000([\ue100-\ue1ff])\\1*")


def hits(text: str) -> list[Span]:
    """What `redact` replaces, as spans of the original text.

    A token here is as long as what it stands for, made of private characters that no pattern matches:
    one per kind, the first of them marked.
    """
    kinds: list[str] = []

    def token(kind: str, value: str) -> str:
        if kind not in kinds:
            kinds.append(kind)
        return "\ue000" + chr(0xE100 + kinds.index(kind)) * (len(value) - 1)

    marked = redact(text, token)
    return [(m.start(), m.end(), kinds[ord(m.group(1)) - 0xE100]) for m in _TOKEN.finditer(marked)]


def judged(texts: Iterable[Labelled]) -> dict[str, dict[str, float]]:
    """Recall and precision per kind, with the counts behind them."""
    found: Counter[str] = Counter()
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    for labelled in texts:
        spans = hits(labelled.text)
        for start, end, kind in labelled.spans:
            total[kind] += 1
            found[kind] += _covered(start, end, spans)
        for start, end, kind in spans:
            hit[kind] += 1
            right[kind] += any(kind == k and start < e and s < end for s, e, k in labelled.spans)
    return {
        kind: {
            "secrets": total[kind],
            "recall": found[kind] / total[kind] if total[kind] else 1.0,
            "hits": hit[kind],
            "precision": right[kind] / hit[kind] if hit[kind] else 1.0,
        }
        for kind in sorted(total | hit)
    }


def _covered(start: int, end: int, spans: Sequence[Span]) -> bool:
    inside = {at for s, e, _ in spans for at in range(max(s, start), min(e, end))}
    return len(inside) == end - start


def plain(_kind: str, _value: str) -> str:
    """The cheapest token: what unguarded patterns are timed with."""
    return "<x>"


def unguarded(text: str, token: Token = plain) -> str:
    """The same patterns, each run on every text."""
    for pattern in PATTERNS:
        text = pattern.regex.sub(partial(_replaced, pattern, token), text)
    return text


def _replaced(pattern: Pattern, token: Token, match: re.Match[str]) -> str:
    whole, value = match.group(), match.group(pattern.group)
    return whole.removesuffix(value) + token(pattern.kind, value) if pattern.valid(value) else whole


def seconds(work: Callable[[str], object], texts: Sequence[str], rounds: int = 5) -> float:
    """CPU seconds for all texts, the best of `rounds`."""
    return min(_once(work, texts) for _ in range(rounds))


def _once(work: Callable[[str], object], texts: Sequence[str]) -> float:
    started = time.process_time()
    for text in texts:
        work(text)
    return time.process_time() - started


def speeds(texts: Sequence[str], rounds: int = 5) -> dict[str, float]:
    """Guarded against unguarded patterns on the same texts, in turns, so that both see the same machine."""
    guarded = partial(redact, token=keyed(b"k" * 32))
    turns = [(_once(guarded, texts), _once(unguarded, texts)) for _ in range(rounds)]
    best, every = (min(times) for times in zip(*turns, strict=True))
    size = sum(len(text) for text in texts)
    return {
        "ratio": every / best,
        "microseconds_per_kilobyte": 1e9 * best / size,
        "unguarded": 1e9 * every / size,
    }


def sealing(texts: Sequence[str]) -> dict[str, float]:
    """What sealing and opening cost, and how large sealed texts are."""
    vault = Vault(b"k" * 32)
    sealed = [vault.seal(text, "p1", "request") for text in texts]
    size = sum(len(text.encode()) for text in texts)
    return {
        "seal_microseconds": 1e6
        * seconds(lambda text: vault.seal(text, "p1", "request"), texts)
        / len(texts),
        "open_microseconds": 1e6
        * seconds(lambda text: vault.open(text, "p1", "request"), sealed)
        / len(texts),
        "size_ratio": sum(map(len, sealed)) / size,
        "mean_bytes": size / len(texts),
    }


def measure(count: int = COUNT, rounds: int = 15) -> dict[str, Any]:
    """Everything that the result file holds."""
    clean, own, held_out = harmless(count // 4), list(ours(count)), list(theirs(count))
    secrets = [t.text for t in held_out[: count // 4]]
    return {
        "ours": judged(own),
        "held_out": judged(held_out),
        "false_hits_per_1000_harmless": 1000 * sum(len(hits(text)) for text in clean) / len(clean),
        "speed": {
            "the labelled set": speeds([*clean, *(t.text for t in [*own, *held_out])], rounds),
            "its harmless texts": speeds(clean, rounds),
            "harmless, one secret in twenty": speeds([*clean, *secrets[: len(clean) // 20]], rounds),
            "short texts, a secret in each": speeds(secrets, rounds),
        },
        "sealing": sealing(clean),
    }


def markdown(measured: dict[str, Any]) -> str:
    """The tables for people."""
    lines = ["# Redaction", "", "| kind | recall, ours | precision, ours | recall, held out | precision, held out |", "|---|--:|--:|--:|--:|"]  # fmt: skip
    for kind, own in measured["ours"].items():
        other = measured["held_out"][kind]
        shares = [own["recall"], own["precision"], other["recall"], other["precision"]]
        lines.append(f"| {kind} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |")
    lines += ["", "| texts | times the unguarded patterns | µs per kB |", "|---|--:|--:|"]
    lines += [f"| {name} | {s['ratio']:.1f} | {s['microseconds_per_kilobyte']:.1f} |" for name, s in measured["speed"].items()]  # fmt: skip
    seal = measured["sealing"]
    lines += ["", f"Sealing a text of {seal['mean_bytes']:.0f} bytes takes {seal['seal_microseconds']:.0f} µs, opening {seal['open_microseconds']:.0f} µs; sealed it has {seal['size_ratio']:.2f} times the bytes."]  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    result = measure()
    write_result("redaction", result, markdown=markdown(result))
    print(markdown(result))
