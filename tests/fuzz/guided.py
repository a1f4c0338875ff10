"""`python -m tests.fuzz.guided TARGET RUNS CORPUS SEED`: one target under Atheris (libFuzzer).

A process of its own, because libFuzzer ends the process when it is done. Inputs that reached new
code stay in CORPUS; a finding ends it with a stack trace and a non-zero exit code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import atheris

from tests.fuzz.engine import TOKENS, covers, load


def write_dictionary(path: Path, tokens: Iterable[bytes]) -> None:
    """The tokens in libFuzzer's dictionary syntax."""
    path.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n' for token in tokens))


def main() -> None:
    """Seed the corpus, instrument what the target covers, fuzz."""
    name, runs, corpus, seed = sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]
    # only what the target covers guides it: everything else under instrumentation costs half the speed
    with atheris.instrument_imports(include=list(covers(name))):
        target = load(name)
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(data)
    dictionary = corpus.with_suffix(".dict")
    write_dictionary(dictionary, TOKENS)
    options = [
        f"-runs={runs}",
        f"-seed={seed}",
        f"-dict={dictionary}",
        "-max_len=8192",
        "-print_final_stats=1",
    ]
    options.append(f"-artifact_prefix={corpus}.finding-")
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
