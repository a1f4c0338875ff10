"""How far is a request from the reference sample? Hashed TF-IDF, mean cosine to ten neighbours.

In percentiles of the reference's own leave-one-out distances, hence without a unit. Chosen over
bundled embeddings: AUROC .924 near and .958 far against .852 and .968, at an eighth of the cost, and
kNN beats every centroid distance tried. The index is inverted (one postings list per hashed word),
so a look-up costs only the words of the request.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from monitor.errors import ConfigError

BANDS = ("<p50", "p50-p90", "p90-p99", ">p99")
_EDGES = (0.5, 0.9, 0.99)
_BUCKETS = 1 << 16
_NEIGHBOURS = 10
_MAX_REFERENCE = 5_000
_MAX_CHARACTERS = 8_000
_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u9fff]")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class OodIndex:
    """Postings by hashed word: documents `docs[start[w]:start[w+1]]` with `weights`; sorted distances."""

    size: int
    idf: Floats
    start: Ints
    docs: Ints
    weights: Floats
    distances: Floats

    @classmethod
    def build(cls, texts: Sequence[str]) -> OodIndex:
        """An index of up to 5,000 texts, thinned evenly above; ConfigError where fewer than two have words."""
        step = max(1, -(-len(texts) // _MAX_REFERENCE))
        counted = [c for c in (_counts(text) for text in texts[::step]) if c]
        if len(counted) < 2:
            raise ConfigError("ood.reference: needs at least two texts with words")
        seen = np.bincount([w for c in counted for w in c], minlength=_BUCKETS)
        idf = np.log((1 + len(counted)) / (1 + seen)) + 1
        vectors = [_vector(c, idf) for c in counted]
        words = np.concatenate([w for w, _ in vectors])
        docs = np.repeat(np.arange(len(vectors)), [len(w) for w, _ in vectors])
        order = np.argsort(words, kind="stable")
        start = np.searchsorted(words[order], np.arange(_BUCKETS + 1))
        weights = np.concatenate([x for _, x in vectors])[order]
        index = cls(len(vectors), idf, start, docs[order], weights, np.empty(0))
        own = np.sort([index._distance(vector, leave_out=i) for i, vector in enumerate(vectors)])
        return cls(index.size, idf, start, index.docs, weights, own)

    def percentile(self, text: str) -> float:
        """Share of the reference that lies nearer to it than `text`, in [0, 1]; 1 for a text without words."""
        counts = _counts(text)
        if not counts:
            return 1.0
        distance = self._distance(_vector(counts, self.idf))
        return float(np.searchsorted(self.distances, distance, side="left")) / len(self.distances)

    def band(self, text: str) -> str:
        """The `ood` segment's value: `<p50`, `p50-p90`, `p90-p99` or `>p99`."""
        return BANDS[int(np.searchsorted(_EDGES, self.percentile(text), side="right"))]

    def _distance(self, vector: tuple[Ints, Floats], leave_out: int | None = None) -> float:
        words, values = vector
        first, last = self.start[words], self.start[words + 1]
        lengths = last - first
        total = int(lengths.sum())
        # positions of all postings of all words, as one flat index
        offsets = np.repeat(first - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths) + np.arange(
            total
        )
        products = self.weights[offsets] * np.repeat(values, lengths)
        cosines = np.bincount(self.docs[offsets], products, minlength=self.size)
        if leave_out is not None:
            cosines[leave_out] = 0.0
        nearest = min(_NEIGHBOURS, self.size - (leave_out is not None))
        return 1.0 - float(np.partition(cosines, -nearest)[-nearest:].mean())


@lru_cache(maxsize=65_536)
def _hash(word: str) -> int:
    return crc32(word.encode("utf-8", "surrogatepass")) % _BUCKETS


def _counts(text: str) -> Counter[int]:
    """Hashed words; character pairs in scripts that write no spaces."""
    text = text[:_MAX_CHARACTERS].casefold()
    words: list[str] = _WORD.findall(text)
    if not text.isascii() and _UNSPACED.search(text):
        words = [piece for word in words for piece in _pieces(word)]
    return Counter(map(_hash, words))


def _pieces(word: str) -> list[str]:
    if not _UNSPACED.search(word):
        return [word]
    return [word[i : i + 2] for i in range(max(1, len(word) - 1))]


def _vector(counts: Counter[int], idf: Floats) -> tuple[Ints, Floats]:
    words: Any = np.fromiter(counts.keys(), np.int64, len(counts))
    tf = 1 + np.log(np.fromiter(counts.values(), np.float64, len(counts)))
    values = tf * idf[words]
    return words, values / np.linalg.norm(values)
