"""What the candidate thinks of the baseline's words, token by token, without writing any itself.

The mean absolute drop is the best separator of harmless from harmful quantization that we measured
(AUC int8 against int6 0.98, int6 against int5 0.93 over 54 answers of SmolLM2-135M); the signed mean
is blind to a mild change. It is a divergence estimate only for unfiltered answers at temperature 1,
hence the plain word.
"""

from __future__ import annotations

from monitor.records import Pair, Score


def forced_drop(pair: Pair) -> Score | None:
    """min(1, mean |drop|) of the replay's tokens, nats per token; None where no drop is known.

    The replay's logprobs are the baseline's own, at the same request; the allowance is in nats too.
    """
    view = pair.forced_replay
    if view is None or view.drop_absolute is None:
        return None
    words = f"{view.drop_absolute:.2f} nats per token over {view.tokens} tokens"
    if view.drop_largest is not None:
        words += f", largest drop {view.drop_largest:.1f} at token {view.drop_position}"
    return Score("forced_drop", min(1.0, view.drop_absolute), "drop", words, None, view.drop_absolute)
