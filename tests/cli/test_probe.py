"""`tailgate probe` as its user sees it: exit codes, formats, packs, budget, resume."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from monitor.cli import tailgate
from monitor.errors import ConfigError, Unreachable, UsageError
from monitor.probes.families import FAMILIES
from monitor.standin.faults import parse_fault
from monitor.standin.probed import Limit
from monitor.standin.settings import Settings
from tests.conftest import QUICK

PACK = """
name: two
calls: 20
octaves: 0.6
axes:
  json_depth: {hardest: 12}
  hops: {hardest: 16}
families:
  refusal: 4
"""
PLANTED = Settings(latency=QUICK, boundaries=(Limit("json_depth", 3), Limit("hops", 4)))
HEALTHY = Settings(latency=QUICK)


def probe(*arguments: str) -> Result:
    return CliRunner().invoke(tailgate, ["probe", *arguments], standalone_mode=False)


@pytest.fixture
def pack(tmp_path: Path) -> str:
    path = tmp_path / "two.yaml"
    path.write_text(PACK)
    return str(path)


def rows(result: Result) -> dict[str, Any]:
    return {row["axis"]: row for row in json.loads(result.stdout)["packs"][0]["axes"]}


def test_planted_boundaries_are_found(start_standin: Callable[[Settings], str], pack: str) -> None:
    result = probe("--candidate", start_standin(PLANTED), "--pack", pack, "--format", "json")
    assert result.return_value == 0
    found = rows(result)
    assert 3 <= found["json_depth"]["candidate"]["threshold"] <= 4
    assert 4 <= found["hops"]["candidate"]["threshold"] <= 5


def test_a_planted_context_is_found_in_tokens_as_the_server_counts_them(
    start_standin: Callable[[Settings], str], tmp_path: Path
) -> None:
    pack = tmp_path / "context.yaml"
    pack.write_text("{name: context, axes: {context: {hardest: 16384}}}")
    url = start_standin(Settings(latency=QUICK, boundaries=(Limit("context", 8000),)))
    found = rows(probe("--candidate", url, "--pack", str(pack), "--format", "json"))["context"]["candidate"]
    assert abs(math.log2(found["threshold"] / 8000)) <= 0.3
    assert found["lower"] <= 8000 <= found["upper"]


def test_what_the_candidate_lost_against_the_baseline_fails(
    start_standin: Callable[[Settings], str], pack: str
) -> None:
    baseline = Settings(latency=QUICK, boundaries=(Limit("json_depth", 10), Limit("hops", 4)))
    urls = ("--candidate", start_standin(PLANTED), "--baseline", start_standin(baseline))
    result = probe(*urls, "--pack", pack, "--format", "json")
    assert result.return_value == 1
    assert json.loads(result.stdout)["findings"] == ["json_depth"]
    # Every call of the pack goes where something looks lost: few that show an end do not yet show a difference.
    calls = {
        axis: (row["candidate"]["calls"], row["baseline"]["calls"]) for axis, row in rows(result).items()
    }
    assert calls["json_depth"] == (20, 20)
    assert max(calls["hops"]) < 20


FALLEN = """
name: fallen
fresh: 16
axes:
  hops: {hardest: 16}
  digits: {hardest: 12}
"""


@pytest.fixture
def fallen(start_standin: Callable[[Settings], str], tmp_path: Path) -> tuple[str, ...]:
    """A candidate below an axis of two, its baseline not, and the pack."""
    path = tmp_path / "fallen.yaml"
    path.write_text(FALLEN)
    urls = [start_standin(Settings(latency=QUICK, boundaries=(Limit("hops", end),))) for end in (0.5, 4)]
    return "--candidate", urls[0], "--baseline", urls[1], "--pack", str(path)


def test_a_candidate_below_the_axis_is_compared_on_fresh_items(fallen: tuple[str, ...]) -> None:
    result = probe(*fallen, "--format", "json")
    row = rows(result)["hops"]
    assert (result.return_value, json.loads(result.stdout)["findings"]) == (1, ["hops"])
    assert (row["candidate"]["status"], row["baseline"]["status"]) == ("below range", "in range")
    assert [row["easiest"][key] for key in ("items", "candidate", "baseline", "lost")] == [16, 0, 16, 16]
    assert row["shift"] is None
    assert row["p_value"] == pytest.approx(0.5**16)


def test_fresh_items_are_told_with_both_shares_and_p(fallen: tuple[str, ...]) -> None:
    suites = ET.fromstring(probe(*fallen, "--format", "junit").stdout)  # noqa: S314  our own
    (failure,) = suites.iter("failure")
    told = str(failure.get("message"))
    assert (
        "16/16 at 1 steps, candidate below range; 0/16 at 1 steps, 16 lost, 0 won, p 3.1e-05 (Holm)" in told
    )
    assert "hops/1/100000" in str(failure.text)


def test_a_budget_that_ends_among_fresh_items_leaves_pairs(fallen: tuple[str, ...], tmp_path: Path) -> None:
    log = ("--resume", str(tmp_path / "run.jsonl"), "--format", "json")
    whole = json.loads(probe(*fallen, "--format", "json").stdout)["packs"][0]
    cut = probe(*fallen, *log, "--max-calls", str(whole["calls"] - 20))
    row = rows(cut)["hops"]
    assert (cut.return_value, row["verdict"], row["easiest"]["items"]) == (1, "worse", 6)
    rest = json.loads(probe(*fallen, *log).stdout)["packs"][0]
    assert (rest["calls"], rest["axes"]) == (20, whole["axes"])


def test_a_pack_with_a_floor_fails_a_model_that_cannot(start_standin: Callable[[Settings], str]) -> None:
    broken = start_standin(Settings(latency=QUICK, boundaries=(Limit("hops", 0.5),)))
    result = probe("--candidate", broken, "--pack", "smoke", "--format", "junit")
    assert result.return_value == 1
    suites = ET.fromstring(result.stdout)  # noqa: S314  our own
    failed = [case.get("name") for case in suites.iter("testcase") if case.find("failure") is not None]
    assert failed == ["hops"]
    assert suites.get("failures") == "1"


def test_a_healthy_model_passes_the_smoke_pack(standin: str, tmp_path: Path) -> None:
    junit = tmp_path / "probe.xml"
    result = probe("--candidate", standin, "--pack", "smoke", "--junit", str(junit))
    assert (result.return_value, ET.parse(junit).getroot().get("failures")) == (0, "0")  # noqa: S314
    assert "smoke: ok" in result.stdout


def test_own_items_are_assertions(standin: str, tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    items = [
        {"id": "sum", "prompt": "What is 2 + 3?", "check": {"type": "numeric_last"}, "reference": "5"},
        {"id": "lie", "prompt": "What is 2 + 3?", "check": {"type": "numeric_last", "expect": "6"}},
    ]
    path.write_text("\n".join(map(json.dumps, items)))
    result = probe("--candidate", standin, "--pack", str(path), "--format", "json")
    assert (result.return_value, json.loads(result.stdout)["findings"]) == (1, ["lie"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "line 1"),
        ('{"prompt": "?"}', "'check' is missing"),
        ('{"prompt": "?", "check": {"type": "telepathy"}}', "no check 'telepathy'"),
        ('{"check": {"type": "abstain"}}', "'prompt' is missing"),
        ("", "0 items"),
    ],
)
def test_an_unusable_item_names_its_line(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigError, match=why):
        raise probe("--candidate", "http://127.0.0.1:9", "--pack", str(path)).exception or AssertionError


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("axes: {telepathy: {}}\nname: x", "no axis 'telepathy'"),
        ("axes: {}\n", "name"),
        ("name: [", "not YAML"),
        ("name: x\nfoo: 1", "foo"),
    ],
)
def test_an_unusable_pack_names_its_key(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=why):
        raise probe("--candidate", "http://127.0.0.1:9", "--pack", str(path)).exception or AssertionError


def test_a_spent_budget_is_inconclusive(standin: str, pack: str) -> None:
    result = probe("--candidate", standin, "--pack", pack, "--max-calls", "9", "--format", "json")
    found = json.loads(result.stdout)
    assert (result.return_value, found["verdict"], found["packs"][0]["calls"]) == (3, "inconclusive", 9)


def test_a_resumed_run_asks_only_what_is_missing(standin: str, pack: str, tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    arguments = ("--candidate", standin, "--pack", pack, "--resume", str(log), "--format", "json")
    probe(*arguments, "--max-calls", "9")
    rest = json.loads(probe(*arguments).stdout)["packs"][0]
    whole = json.loads(probe(*arguments[:4], "--format", "json").stdout)["packs"][0]
    assert rest["calls"] == whole["calls"] - 9
    assert rest["axes"] == whole["axes"]


def test_a_log_of_another_seed_is_refused(standin: str, pack: str, tmp_path: Path) -> None:
    arguments = ("--candidate", standin, "--pack", pack, "--resume", str(tmp_path / "run.jsonl"))
    probe(*arguments)
    assert isinstance(probe(*arguments, "--seed", "2").exception, UsageError)


def test_a_log_of_an_edited_pack_is_refused(standin: str, pack: str, tmp_path: Path) -> None:
    arguments = ("--candidate", standin, "--pack", pack, "--resume", str(tmp_path / "run.jsonl"))
    probe(*arguments)
    Path(pack).write_text(PACK.replace("calls: 20", "calls: 24"))
    assert isinstance(probe(*arguments).exception, UsageError)


def test_a_resumed_run_says_whose_answers_it_uses(standin: str, pack: str, tmp_path: Path) -> None:
    arguments = ("--candidate", standin, "--pack", pack, "--resume", str(tmp_path / "run.jsonl"))
    assert "earlier run" not in probe(*arguments, "--max-calls", "9").stderr
    assert "run.jsonl: 9 answers of an earlier run are used" in probe(*arguments).stderr


def test_each_pack_counts_its_own_calls(standin: str, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("{name: other, families: {refusal: 5}}")
    packs = ("--pack", str(other), "--pack", str(other))
    found = json.loads(probe("--candidate", standin, *packs, "--format", "json").stdout)["packs"]
    assert [result["calls"] for result in found] == [5 * len(FAMILIES["refusal"].items(1, 0))] * 2


def test_load_that_the_budget_does_not_allow_is_not_sent(standin: str, tmp_path: Path) -> None:
    pack = tmp_path / "load.yaml"
    pack.write_text("{name: load, load: {concurrency: [1], requests: 20}}")
    result = probe("--candidate", standin, "--pack", str(pack), "--max-calls", "19", "--format", "json")
    found = json.loads(result.stdout)["packs"][0]
    assert (result.return_value, found["load"], found["calls"]) == (3, [], 0)


def test_a_planted_position_bias_is_within_its_interval(
    start_standin: Callable[[Settings], str], tmp_path: Path
) -> None:
    pack = tmp_path / "position.yaml"
    pack.write_text("{name: position, sensitivity: 24}")
    url = start_standin(Settings(latency=QUICK, faults=(parse_fault("all:first_option:0.1"),)))
    result = probe("--candidate", url, "--pack", str(pack), "--concurrency", "32", "--format", "json")
    position = json.loads(result.stdout)["packs"][0]["position"]
    low, high = position["interval"]
    assert low <= 0.1 <= high
    assert 0.8 < position["consistency"] < 1


def test_recorded_exchanges_are_reworded(standin: str, tmp_path: Path) -> None:
    path, pack = tmp_path / "exchanges.jsonl", tmp_path / "none.yaml"
    pack.write_text("name: recorded")
    body = {"messages": [{"role": "user", "content": "What is 12 + 30?"}], "temperature": 0}
    path.write_text(json.dumps({"id": "1", "request": body, "baseline": {"text": "42"}}) + "\n{broken\n")
    result = probe("--candidate", standin, "--pack", str(pack), "--exchanges", str(path), "--format", "json")
    flips = json.loads(result.stdout)["packs"][0]["flips"]
    assert {row["segment"] for row in flips} == {"recorded"}
    assert sum(row["flips"] for row in flips) == 0
    assert "warning" in result.stderr


def test_load_is_sent_to_both_arms_at_every_level(standin: str, tmp_path: Path) -> None:
    pack, trace = tmp_path / "load.yaml", tmp_path / "arrivals.jsonl"
    pack.write_text(
        "{name: load, load: {concurrency: [0.5, 1], requests: 20, prompt_tokens: 20, output_tokens: 4}}"
    )
    trace.write_text("".join(f'{{"t": {second}}}\n' for second in range(30)))
    urls = ("--candidate", standin, "--baseline", standin, "--arrivals", str(trace))
    rows = json.loads(probe(*urls, "--pack", str(pack), "--format", "json").stdout)["packs"][0]["load"]
    assert [(row["arm"], row["concurrency"]) for row in rows] == [
        ("candidate", 0.5),
        ("candidate", 1),
        ("baseline", 0.5),
        ("baseline", 1),
    ]
    assert [(row["sent"], row["failed"]) for row in rows] == [(20, 0)] * 4
    assert all(row["first_token"]["p50"] <= row["duration"]["p50"] for row in rows)


def test_nothing_at_the_address_is_unreachable(pack: str) -> None:
    assert isinstance(probe("--candidate", "http://127.0.0.1:9", "--pack", pack).exception, Unreachable)


def test_a_candidate_is_required() -> None:
    assert isinstance(probe().exception, UsageError)


@pytest.mark.parametrize("name", ["json_depth", "abstain", "smoke"])
def test_axes_families_and_packs_describe_themselves(name: str) -> None:
    assert name in probe("--describe", name).stdout


def test_what_cannot_be_described_is_told_what_can() -> None:
    with pytest.raises(ConfigError, match=r"--describe telepathy: no axis or family \(.*hops.*abstain"):
        raise probe("--describe", "telepathy").exception or AssertionError


def test_the_list_names_every_pack() -> None:
    listed = probe("--list").stdout
    assert all(f"{name}:" in listed for name in ("smoke", "boundaries", "elicitation", "calibration"))
