"""`deploy/compose/vllm.yaml` on a GPU: its flags start together, and batch invariance leaves no noise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import httpx
import pytest
import yaml

from tests.real import vllm_server
from tests.real.test_contract import LONG, chat, mirrored, raw
from tests.real.test_forced import ASKED, forced
from tests.real.vllm_server import ROOT, Server

pytestmark = [pytest.mark.real, pytest.mark.full, pytest.mark.timeout(400)]
SERVICES = yaml.safe_load((ROOT / "deploy" / "compose" / "vllm.yaml").read_text())["services"]
# Of our model, and beside the other on one card.
OURS = ("--model=", "--served-model-name=", "--gpu-memory-utilization=")


@pytest.fixture(scope="module", params=["0", "1"], ids=["as-it-comes", "batch-invariant"])
def invariant(request: pytest.FixtureRequest) -> str:
    if vllm_server.interpreter() is None or not vllm_server.on_gpu():
        pytest.skip("no vLLM built for GPUs: name an interpreter that has it in TAILGATE_VLLM_PYTHON")
    value: str = request.param
    return value


@pytest.fixture(scope="module")
def node(invariant: str) -> Iterator[tuple[Server, Server]]:
    """Baseline and candidate with the flags of the example, in the precision that models come in."""
    with serving("vllm-baseline", invariant) as baseline, serving("vllm-candidate", invariant) as candidate:
        yield baseline, candidate


def serving(service: str, invariant: str) -> AbstractContextManager[Server]:
    """One service of the example with the tiny model."""
    command = [flag for flag in SERVICES[service]["command"] if not flag.startswith(OURS)]
    environment = {**SERVICES[service]["environment"], "VLLM_BATCH_INVARIANT": invariant}
    return vllm_server.serve(
        vllm_server.tiny(), "tiny", *command, "--dtype=bfloat16", environment=environment
    )


def test_each_flag_buys_its_number(node: tuple[Server, Server]) -> None:
    for server in node:
        mirrored(server, chat(LONG))
        answer = mirrored(server, chat(LONG))
        assert answer.server_queue_seconds is not None
        assert (answer.cached_tokens or 0) >= 64
        assert "x-request-id" in raw(server, chat()).headers
    assert "vllm:corrupted_requests" in httpx.get(f"{node[1].url}/metrics").text


def test_the_same_weights_drop_nothing_where_batches_do_not_matter(
    node: tuple[Server, Server], invariant: str
) -> None:
    drops = [view.drop_absolute for view in forced(*node) if view.drop_absolute is not None]
    print(f"VLLM_BATCH_INVARIANT={invariant}: {drops}")
    assert len(drops) == len(ASKED)
    # These requests are short: in bfloat16 FlashAttention 3 is exact up to 128 tokens (deploy/README.md).
    assert max(drops) == 0.0 if invariant == "1" else max(drops) < 0.05
