"""The stand-in over HTTP: the ways an answer can go wrong on its way."""

import asyncio
import json
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import httpx
import pytest

from monitor.openai_api import StreamDecoder, decode_forced, forced_request
from monitor.records import Completion
from monitor.standin.faults import Fault
from monitor.standin.settings import Latency, Settings, parse_latency
from tests.standin.process import TAILGATE, running_standin
from tests.standin.running import running

Start = Callable[[Settings], str]
QUICK = Latency(first=0.0, token=0.0, jitter=0.0)
HELLO = "What is 12 + 30 * 2?"


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "standin", "messages": [{"role": "user", "content": HELLO}], "temperature": 0, **fields}


def ask(url: str, timeout: float = 5.0, **fields: Any) -> Completion:
    """One answer as a client of ours reads it."""
    try:
        with httpx.stream(
            "POST", f"{url}/v1/chat/completions", json=body(**fields), timeout=timeout
        ) as response:
            decoder = StreamDecoder("chat", response.headers, response.status_code)
            try:
                for chunk in response.iter_raw():
                    decoder.feed(chunk, 0.0)
            except httpx.TimeoutException:
                return decoder.finish(error_type="timeout")
            except httpx.TransportError:
                return decoder.finish(error_type="reset")
            return decoder.finish()
    except httpx.TimeoutException:
        return Completion(error_type="timeout")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("crash", "reset"),
        ("error", "http_500"),
        ("shed", "shed"),
        ("hang", "timeout"),
        ("dribble", "timeout"),
    ],
)
def test_transport_faults_look_like_what_they_are(
    start_standin: Start, kind: str, expected: str, stream: bool
) -> None:
    url = start_standin(Settings(faults=(Fault("all", kind),), latency=QUICK))
    assert ask(url, timeout=0.5, stream=stream).error_type == expected


def test_a_cut_stream_ends_politely_without_its_end(start_standin: Start) -> None:
    answer = ask(start_standin(Settings(faults=(Fault("all", "cut"),), latency=QUICK)), stream=True)
    assert answer.error_type == "truncated_stream"
    assert answer.text


def test_the_rest_of_the_traffic_is_not_hit(start_standin: Start) -> None:
    url = start_standin(Settings(faults=(Fault("language=sw", "error"),), latency=QUICK))
    assert ask(url).error_type is None


def test_slow_takes_four_times_as_long(start_standin: Start) -> None:
    latency = Latency(first=0.05, token=0.0, jitter=0.0)
    plain = ask(start_standin(Settings(latency=latency)))
    began = time.perf_counter()
    slow = ask(start_standin(Settings(latency=latency, faults=(Fault("all", "slow"),))))
    assert time.perf_counter() - began > 0.2
    assert slow.server_duration_seconds == pytest.approx(4 * (plain.server_duration_seconds or 0.0))


def test_a_full_queue_sheds_and_a_short_one_waits(start_standin: Start) -> None:
    slow = Latency(first=0.2, token=0.0, jitter=0.0)
    url = start_standin(Settings(slots=1, max_queued=1, latency=slow))

    async def burst() -> list[int]:
        async with httpx.AsyncClient() as client:
            posts = (client.post(f"{url}/v1/chat/completions", json=body()) for _ in range(6))
            return [response.status_code for response in await asyncio.gather(*posts)]

    statuses = asyncio.run(burst())
    assert 2 <= statuses.count(200) < 6
    assert set(statuses) == {200, 503}
    assert (
        'vllm:admission_rejections_total{engine="0",model_name="standin",reason="queue_full"}'
        in httpx.get(f"{url}/metrics").text
    )


def test_a_client_that_leaves_stops_its_answer(start_standin: Start) -> None:
    url = start_standin(Settings(latency=Latency(first=0.0, token=0.5, jitter=0.0)))
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body(stream=True)) as response:
        next(response.iter_raw())
    deadline = time.monotonic() + 5
    while 'finished_reason="abort"} 1' not in httpx.get(f"{url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_repeated_prompt_is_cached(standin: str) -> None:
    long = [{"role": "user", "content": "Tell me about the harbour. " * 30}]
    first, second = (ask(standin, messages=long) for _ in range(2))
    assert (first.cached_tokens, (second.cached_tokens or 0) > 64) == (0, True)


def test_noise_is_seen_by_asking_twice(start_standin: Start) -> None:
    url = start_standin(Settings(noise=0.5, latency=QUICK))
    question = [
        {
            "role": "user",
            "content": "I am travelling to Leeds for 5 days with my family. Which advice do you have for Mia?",
        }
    ]
    assert len({ask(url, messages=question).text for _ in range(12)}) > 2


def test_a_seeded_sample_repeats(standin: str) -> None:
    question = [
        {
            "role": "user",
            "content": "I am travelling to Leeds for 5 days with my family. Which advice do you have for Mia?",
        }
    ]
    texts = [ask(standin, messages=question, temperature=1, seed=seed).text for seed in (1, 1, 2, 3, 4)]
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1


def test_teacher_forcing_shows_a_damaged_segment(start_standin: Start) -> None:
    healthy = start_standin(Settings(role="candidate", latency=QUICK))
    damaged = start_standin(Settings(role="candidate", latency=QUICK, faults=(Fault("all", "cliff"),)))
    baseline = start_standin(Settings(latency=QUICK))
    answer = ask(baseline, logprobs=True, return_token_ids=True)
    assert mean_drop(healthy, answer) < 0.05
    assert mean_drop(damaged, answer) > 0.4


def mean_drop(url: str, answer: Completion) -> float:
    """Mean absolute drop of the answer's tokens under the candidate, nats per token."""
    scored = httpx.post(f"{url}/v1/completions", json=forced_request(answer, "standin")).content
    scores = decode_forced(scored, answer.token_ids)
    return fmean(abs(a - score.logprob) for a, score in zip(answer.logprobs, scores, strict=True))


def test_the_command_prints_its_url_and_serves() -> None:
    with running_standin("--model", "m", "--seed", "3") as url:
        assert httpx.get(f"{url}/v1/models").json()["data"][0]["id"] == "m"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--fault", "x"], "no fault"),
        (["--latency", "first=fast"], "--latency"),
        (["--tls-cert", __file__], "belong together"),
    ],
)
def test_wrong_flags_say_what_is_wrong(flags: list[str], words: str) -> None:
    done = subprocess.run([TAILGATE, "standin", *flags], capture_output=True, text=True, check=False)
    assert (done.returncode, words in done.stderr) == (2, True)


def test_latency_flags_are_read() -> None:
    assert parse_latency("first=0.5,token=0.01") == Latency(first=0.5, token=0.01)


def test_tls(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        *subject,
        "-out",
        str(cert),
        "-keyout",
        str(key),
    ]
    subprocess.run(made, check=True, capture_output=True)
    with running(Settings(latency=QUICK), cert=cert, key=key) as url:
        context = ssl.create_default_context(cafile=str(cert))
        response = httpx.post(f"{url}/v1/chat/completions", json=body(), verify=context)
    assert json.loads(response.content)["choices"][0]["message"]["content"].endswith("72.")
