"""`helm test`: the monitor answers, and what is sent through the gateway is mirrored and scored."""

import sys
import time

import httpx

MONITOR, GATEWAY = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
SECONDS = 180.0


def scored() -> int:
    """Pairs that the monitor has scored so far."""
    return int(httpx.get(f"{MONITOR}/api/v1/funnel", timeout=10).raise_for_status().json()["scored"])


def ask(model: str, number: int) -> None:
    """One short request, as a client would send it."""
    body = {
        "model": model,
        "max_tokens": 8,
        "messages": [{"role": "user", "content": f"How much is {number} + 1?"}],
    }
    httpx.post(f"{GATEWAY}/v1/chat/completions", json=body, timeout=60).raise_for_status()


httpx.get(f"{MONITOR}/-/ready", timeout=10).raise_for_status()
print("monitor ready, pairs scored:", before := scored())
if GATEWAY:
    served = httpx.get(f"{GATEWAY}/v1/models", timeout=10).raise_for_status().json()["data"][0]["id"]
    deadline, sent = time.monotonic() + SECONDS, 0
    while scored() == before:
        if time.monotonic() > deadline:
            sys.exit(f"{sent} requests went through, none was scored: see `tailgate funnel --url {MONITOR}`")
        ask(served, sent)
        sent += 1
        time.sleep(0.5)
    print(f"scored after {sent} requests")
