"""A random two-layer llama with a byte tokenizer, 1.4 MB on disk, made without any download.

Runs under the interpreter that has vLLM (torch, transformers): `python tiny_model.py OUT [SEED] [NOISE]`.
NOISE > 0 perturbs the weights of the same seed: a "candidate" of the same model. The answers are
gibberish; the point is that the real server produces them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SPECIAL = ("<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|end|>")
TEMPLATE = (
    "{% for m in messages %}<|{{ 'assistant' if m['role'] == 'assistant' else 'user' }}|>{{ m['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def byte_tokenizer() -> dict[str, Any]:
    """`tokenizer.json` with one entry per byte: every text in every script round-trips."""
    vocabulary = {token: number for number, token in enumerate(SPECIAL)}
    vocabulary |= {f"<0x{byte:02X}>": len(SPECIAL) + byte for byte in range(256)}
    added = [
        {
            "id": number,
            "content": token,
            "special": True,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
        }
        for number, token in enumerate(SPECIAL)
    ]
    return {
        "version": "1.0",
        "added_tokens": added,
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": [],
            "byte_fallback": True,
            "unk_token": "<unk>",
        },
        "decoder": {"type": "ByteFallback"},
    }


def write_tokenizer(out: Path) -> None:
    """Tokenizer files as transformers reads them."""
    (out / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "<|end|>",
        "unk_token": "<unk>",
        "chat_template": TEMPLATE,
        "model_max_length": 2048,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(settings))


def write_model(out: Path, seed: int, noise: float) -> None:
    """Weights and config; equal seeds and noise give equal bytes."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(SPECIAL) + 256,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=1,
        eos_token_id=5,
        initializer_range=0.3,
    )
    model = LlamaForCausalLM(config)
    if noise:
        generator = torch.Generator().manual_seed(seed + 1)
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn(weight.shape, generator=generator) * noise * weight.std())
    model.save_pretrained(out)


def main(out: str, seed: str = "0", noise: str = "0") -> None:
    """Make the folder OUT."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    write_model(folder, int(seed), float(noise))


if __name__ == "__main__":
    main(*sys.argv[1:])
