"""The same model with its block linears rounded to N bits: a candidate with a known cause of drift.

`python quantize.py MODEL OUT BITS GROUP`, under the interpreter that has torch. Symmetric
round-to-nearest with one scale per GROUP weights of a row, stored back as bfloat16, so any server
runs it. Prints the relative weight error (SmolLM2-135M: int8-g128 0.7 %, int6-g32 2.3 %,
int5-g32 4.7 %, int4-g128 12 %).
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any


def rounded(weight: Any, bits: int, group: int) -> Any:
    """`weight` (rows x columns) on a grid of 2**bits - 1 levels per group of columns.

    A last group may be shorter: 576 columns are four groups of 128 and one of 64.
    """
    import torch

    rows, columns = weight.shape
    values = torch.nn.functional.pad(weight.to(torch.float32), (0, -columns % group))
    values = values.reshape(rows, -1, group)
    top = 2 ** (bits - 1) - 1
    scale = values.abs().amax(dim=-1, keepdim=True).clamp(min=1e-12) / top
    return ((values / scale).round().clamp(-top, top) * scale).reshape(rows, -1)[:, :columns].contiguous()


def main(source: str, out: str, bits: str, group: str) -> None:
    """Write OUT; everything but the weights is copied."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = Path(out)
    shutil.copytree(
        source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors", "config.json")
    )
    squared_error = squared_weight = 0.0
    tensors = load_file(Path(source) / "model.safetensors")
    for name, weight in tensors.items():
        if "_proj." not in name:
            continue
        new = rounded(weight, int(bits), int(group))
        squared_error += float(((new - weight.to(torch.float32)) ** 2).sum())
        squared_weight += float((weight.to(torch.float32) ** 2).sum())
        tensors[name] = new.to(torch.bfloat16)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    shutil.copy(Path(source) / "config.json", folder / "config.json")
    print(f"relative weight error {(squared_error / squared_weight) ** 0.5:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
