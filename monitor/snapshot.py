"""Engine state as bytes: a JSON header and numpy arrays, no pickle. Pure.

Numbers survive to the last bit: arrays are stored as they are, and Python writes floats in JSON with
the shortest text that reads back as the same float.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from zipfile import BadZipFile

import numpy as np

from monitor.errors import StoreError

VERSION = 1
Arrays = Mapping[str, np.ndarray[Any, Any]]


def pack(header: Mapping[str, Any], arrays: Arrays) -> bytes:
    """Header and named arrays as one blob."""
    text = json.dumps({"version": VERSION, **header}).encode()
    out = BytesIO()
    np.savez(out, allow_pickle=False, _header=np.frombuffer(text, np.uint8), **arrays)
    return out.getvalue()


def unpack(blob: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """The inverse of `pack`; StoreError when the blob is damaged or another version's."""
    try:
        with np.load(BytesIO(blob), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        header = json.loads(arrays.pop("_header").tobytes())
    except (BadZipFile, KeyError, ValueError, EOFError) as error:
        raise StoreError(f"the evidence snapshot cannot be read: {error}") from error
    if header["version"] != VERSION:
        raise StoreError(
            f"the evidence snapshot has version {header['version']}, this program writes {VERSION}"
        )
    return header, arrays
