"""`python -m tests.fuzz.replay TARGET CORPUS COUNT SEED`: runs a corpus and COUNT made inputs, unguided.

This is what branch coverage is measured on: the coverage tracer would slow guided fuzzing tenfold.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fuzz.engine import inputs, load


def main() -> None:
    """Run everything; the first failure ends it with its stack trace."""
    name, corpus, count, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    target = load(name)
    kept = (
        [path.read_bytes() for path in sorted(corpus.glob("*")) if path.is_file()] if corpus.is_dir() else []
    )
    for data in kept:
        target.run(data)
    for data in inputs([*target.seeds, *kept], count, seed):
        target.run(data)


if __name__ == "__main__":
    main()
