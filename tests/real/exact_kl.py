"""What the drop estimates, computed exactly: KL per token between two models over sampled answers.

`python exact_kl.py OUT.json TOKENS SEED BASELINE CANDIDATE...`, under the interpreter that has torch.
The baseline samples answers at temperature 1 from its full softmax, as a replay of unfiltered traffic
would be. For every sampled token the log-ratio of the two models is written (what teacher forcing
sees), and beside it the KL divergence of the two whole distributions at that place, which no server
tells. One candidate costs one more pass over the same answers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

BATCH = 32
LENGTH = 64
TOPICS = (
    "rivers", "snow", "bread", "trains", "the moon", "bees", "chess", "rain", "glass", "salt",
    "maps", "clocks", "whales", "paper", "music", "bridges",
)  # fmt: skip
FORMS = ("Tell me about {}.", "Was weißt du über {}?", "Write one sentence about {}.", "List facts on {}.")


def prompts(tokenizer: Any) -> list[list[int]]:
    """Token ids of every topic in every form, as a chat."""
    asked = [form.format(topic) for form in FORMS for topic in TOPICS]
    chats = [[{"role": "user", "content": text}] for text in asked]
    return [
        tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False) for chat in chats
    ]


def sampled(model: Any, ids: list[int], generator: Any) -> Any:
    """BATCH answers of LENGTH tokens to one prompt, prompt included; answers do not end early."""
    import torch

    tokens = torch.tensor([ids] * BATCH)
    step, cache = tokens, None
    for _ in range(LENGTH):
        out = model(step, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        chances = out.logits[:, -1].float().softmax(-1)
        step = torch.multinomial(chances, 1, generator=generator)
        tokens = torch.cat([tokens, step], dim=1)
    return tokens


def answer_logprobs(model: Any, tokens: Any, asked: int) -> Any:
    """Log-probabilities of the whole vocabulary at each place of the answers, BATCH x LENGTH x V."""
    return model(tokens).logits[:, asked - 1 : -1].float().log_softmax(-1)


def compared(own: Any, other: Any, answers: Any) -> dict[str, list[list[float]]]:
    """Per answer: the log-ratio of each sampled token, and the exact KL at its place."""
    exact = (own.exp() * (own - other)).sum(-1)
    ratio = (own - other).gather(-1, answers[..., None])[..., 0]
    return {"drop": ratio.tolist(), "exact": exact.tolist()}


def main(out: str, tokens: str, seed: str, baseline: str, *candidates: str) -> None:
    """Sample and compare until `tokens` were sampled."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    generator = torch.Generator().manual_seed(int(seed))
    models = [AutoModelForCausalLM.from_pretrained(f, dtype=torch.float32) for f in (baseline, *candidates)]
    asked = prompts(AutoTokenizer.from_pretrained(baseline))
    found: list[dict[str, list[list[float]]]] = [{"drop": [], "exact": []} for _ in candidates]
    with torch.inference_mode():
        for number in range(-(-int(tokens) // (BATCH * LENGTH))):
            ids = asked[number % len(asked)]
            whole = sampled(models[0], ids, generator)
            own = answer_logprobs(models[0], whole, len(ids))
            for model, kept in zip(models[1:], found, strict=True):
                other = answer_logprobs(model, whole, len(ids))
                for name, values in compared(own, other, whole[:, len(ids) :]).items():
                    kept[name] += values
            Path(out).write_text(json.dumps(found))  # after each batch: a run that is cut leaves what it has


if __name__ == "__main__":
    main(*sys.argv[1:])
