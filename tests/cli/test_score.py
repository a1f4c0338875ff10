"""`tailgate score` as people and CI call it: exit codes, formats, files, warnings."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import duckdb
import jsonschema
import pytest
from click.testing import CliRunner

from monitor.cli import tailgate as cli
from monitor.verdict import schema

LOOP = "! " * 600
GOOD = "The capital of France is Paris, which lies on the river Seine."


def pair(
    number: int, candidate: str = GOOD, *, baseline: str = GOOD, group: str = "a", **more: Any
) -> dict[str, Any]:
    return {
        "id": f"p{number}",
        "request": {"messages": [{"role": "user", "content": f"Question {number}: tell me about Paris."}]},
        "segments": {"group": group},
        "baseline": {"text": baseline},
        "candidate": {"text": candidate},
        **more,
    }


def write(path: Path, pairs: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(p) + "\n" for p in pairs))
    return path


@pytest.fixture
def broken_tail(tmp_path: Path) -> Path:
    """200 pairs, of which the ten of `group=tail` loop."""
    pairs = [pair(i) for i in range(190)] + [pair(i, LOOP, group="tail") for i in range(190, 200)]
    return write(tmp_path / "pairs.jsonl", pairs)


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    return write(tmp_path / "healthy.jsonl", [pair(i) for i in range(200)])


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: bytes
    stderr: bytes = b""


def tailgate(*arguments: str | Path, stdin: bytes | None = None) -> Done:
    """In this process, where a start costs nothing; `installed` runs the console script."""
    done = CliRunner().invoke(cli, list(map(str, arguments)), input=stdin, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return Done(done.return_value, done.stdout_bytes, done.stderr_bytes)


def installed(*arguments: str | Path) -> Done:
    command = [sys.executable, "-m", "monitor", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return Done(done.returncode, done.stdout, done.stderr)


def verdict(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    done = tailgate("score", *arguments, "--format", "json")
    return done.returncode, json.loads(done.stdout)


def unexplained(found: dict[str, Any]) -> set[tuple[str, str]]:
    rows = (r for r in found["segments"] if r["verdict"] == "diverged" and r["explained_by"] is None)
    return {(row["segment"], row["signal"]) for row in rows}


def test_the_broken_tail_is_named_and_nothing_else(broken_tail: Path) -> None:
    code, found = verdict(broken_tail)
    assert (code, found["verdict"], unexplained(found)) == (1, "diverged", {("group=tail", "degenerate")})


def test_identical_answers_are_ok(healthy: Path) -> None:
    code, found = verdict(healthy)
    assert (code, found["verdict"], unexplained(found)) == (0, "ok", set())


def test_a_few_healthy_pairs_are_inconclusive(tmp_path: Path) -> None:
    code, found = verdict(write(tmp_path / "few.jsonl", [pair(i) for i in range(5)]))
    assert (code, found["verdict"]) == (3, "inconclusive")


def test_an_empty_file_is_inconclusive(tmp_path: Path) -> None:
    code, found = verdict(write(tmp_path / "empty.jsonl", []))
    assert (code, found["pairs"]) == (3, 0)


def test_a_missing_file_is_exit_code_4(tmp_path: Path) -> None:
    done = installed("score", tmp_path / "absent.jsonl")
    assert done.returncode == 4
    assert b"absent.jsonl" in done.stderr


def test_no_file_is_a_usage_error() -> None:
    assert installed("score").returncode == 2


def test_the_json_keeps_its_schema(broken_tail: Path) -> None:
    jsonschema.validate(verdict(broken_tail)[1], schema())


def test_the_funnel_adds_up_and_counts_bad_lines(tmp_path: Path, healthy: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(healthy.read_bytes() + b"{broken\n" + b'{"id": "x"}\n')
    _, found = verdict(path)
    funnel = found["funnel"]
    assert funnel["eligible"] == funnel["scored"] + sum(funnel["skipped"].values()) + funnel["pending"] == 202
    assert funnel["skipped"] == {"line_not_json": 1, "line_wrong_shape": 1}
    assert any("line 201" in warning for warning in found["warnings"])


def test_several_files_are_one_sample(tmp_path: Path, healthy: Path) -> None:
    other = write(tmp_path / "more.jsonl", [pair(1000 + i) for i in range(50)])
    assert verdict(healthy, other)[1]["pairs"] == 250


def test_standard_input_is_a_file(healthy: Path) -> None:
    done = tailgate("score", "-", "--format", "json", stdin=healthy.read_bytes())
    assert json.loads(done.stdout)["pairs"] == 200


def test_a_control_arm_becomes_the_noise_floor(tmp_path: Path) -> None:
    def answers(path: Path, wrong: int) -> Path:
        question = {
            "messages": [{"role": "user", "content": "What is 6 * 7? Answer with the final number only."}]
        }
        said = ({"text": "41" if i < wrong else "42"} for i in range(200))
        return write(
            path, [pair(i, baseline="42", request=question) | {"candidate": s} for i, s in enumerate(said)]
        )

    candidate, control = answers(tmp_path / "c.jsonl", 60), answers(tmp_path / "n.jsonl", 56)
    assert ("group=a", "answer") in unexplained(verdict(candidate)[1])
    _, found = verdict(candidate, "--control", control)
    row = next(r for r in found["segments"] if (r["segment"], r["signal"]) == ("all", "answer"))
    assert (row["noise_floor"], row["effect"]) == (pytest.approx(0.28), pytest.approx(0.02))
    assert unexplained(found) == set()


def test_a_replay_in_the_pair_is_the_noise_floor(tmp_path: Path) -> None:
    question = {
        "messages": [{"role": "user", "content": "What is 6 * 7? Answer with the final number only."}]
    }
    pairs = [
        pair(i, "41" if i % 4 == 0 else "42", baseline="42", request=question)
        | {"replay": {"text": "41" if i % 4 == 1 else "42"}}
        for i in range(200)
    ]
    _, found = verdict(write(tmp_path / "p.jsonl", pairs))
    row = next(r for r in found["segments"] if (r["segment"], r["signal"]) == ("all", "answer"))
    assert (row["noise_floor"], row["effect"]) == (pytest.approx(0.25), pytest.approx(0.0))
    assert unexplained(found) == set()
    assert not any("no control arm" in warning for warning in found["warnings"])


def test_repeats_of_one_session_are_one_observation(tmp_path: Path) -> None:
    pairs = [pair(0, LOOP, session="s1") | {"id": f"p{i}"} for i in range(40)]
    _, found = verdict(write(tmp_path / "p.jsonl", pairs))
    row = next(r for r in found["segments"] if (r["segment"], r["signal"]) == ("all", "degenerate"))
    assert (found["pairs"], row["pairs"], row["verdict"]) == (40, 1, "inconclusive")


def test_pairs_out_has_segments_scores_and_constraints(tmp_path: Path) -> None:
    question = {
        "messages": [
            {"role": "user", "content": "Tell me about Paris. Do not use any commas in your response."}
        ]
    }
    path = write(tmp_path / "p.jsonl", [pair(1, request=question, baseline="Paris is big.", candidate=GOOD)])
    out = tmp_path / "out.jsonl"
    tailgate("score", path, "--pairs-out", out)
    (line,) = map(json.loads, out.read_text().splitlines())
    assert (line["id"], line["segments"]["group"], line["segments"]["language"]) == ("p1", "a", "en")
    assert set(line["scores"]["constraint"]) == {"value", "label", "baseline", "candidate"}
    assert line["scores"]["constraint"]["value"] == 1.0
    (mined,) = line["constraints"]
    assert (mined["kind"], mined["args"], mined["baseline"], mined["candidate"]) == (
        "punctuation:no_comma",
        {},
        True,
        False,
    )


def test_db_keeps_the_scores_for_reports(tmp_path: Path, broken_tail: Path) -> None:
    db = tmp_path / "kept.duckdb"
    code, _ = verdict(broken_tail, "--db", db)
    assert code == 1
    with duckdb.connect(str(db), read_only=True) as connection:
        kept = connection.execute("SELECT count(*), count(DISTINCT block) FROM pairs").fetchone()
        looped = connection.execute("SELECT sum(x) FROM scores WHERE signal = 'degenerate'").fetchone()
    assert (kept, looped) == ((200, 1), (10.0,))


def test_db_is_not_written_unless_asked(tmp_path: Path, healthy: Path) -> None:
    verdict(healthy)
    assert [path.name for path in tmp_path.iterdir()] == ["healthy.jsonl"]


def test_the_configuration_changes_levels(broken_tail: Path) -> None:
    _, found = verdict(broken_tail, "--set", "signals.degenerate=show")
    assert ("group=tail", "degenerate") not in unexplained(found)


def test_an_unknown_key_is_a_configuration_error(broken_tail: Path) -> None:
    done = installed("score", broken_tail, "--set", "evidence.allowed=1")
    assert done.returncode == 2
    assert b"evidence.allowed" in done.stderr


def _xml(done: Done) -> ET.Element:
    return ET.fromstring(done.stdout)  # noqa: S314  our own output


def test_junit_fails_the_segment_by_name(broken_tail: Path) -> None:
    root = _xml(tailgate("score", broken_tail, "--format", "junit"))
    failed = [case for case in root.iter("testcase") if case.find("failure") is not None]
    assert [(case.get("classname"), case.get("name")) for case in failed] == [
        ("tailgate.default.group=tail", "degenerate")
    ]
    assert root.get("failures") == "1"


def test_junit_survives_any_segment_name(tmp_path: Path) -> None:
    pairs = [pair(i, LOOP, group='<&"\u0001]]>') for i in range(8)]
    done = tailgate("score", write(tmp_path / "p.jsonl", pairs), "--format", "junit")
    assert _xml(done).get("name") == "tailgate"


def test_markdown_leads_with_the_verdict(broken_tail: Path) -> None:
    text = tailgate("score", broken_tail, "--format", "markdown").stdout.decode()
    assert text.startswith("## ❌ Tailgate: diverged: degenerate in group=tail")
    assert "| `group=tail` | degenerate | diverged | 10 |" in text


def test_markdown_cells_cannot_be_broken_out_of(tmp_path: Path) -> None:
    pairs = [pair(i, LOOP, group="a|b`<img>") for i in range(8)]
    text = tailgate("score", write(tmp_path / "p.jsonl", pairs), "--format", "markdown").stdout.decode()
    rows = [line for line in text.splitlines() if line.startswith("| `group=")]
    assert rows
    assert all(line.replace("\\|", "").count("|") == 11 for line in rows)


def test_the_table_names_the_segment(broken_tail: Path) -> None:
    done = tailgate("score", broken_tail)
    assert b"group=tail" in done.stdout
    assert b"no control arm" in done.stderr


def test_a_candidate_that_fails_is_an_outcome(tmp_path: Path) -> None:
    pairs = [pair(i) | {"candidate": {"error_type": "timeout"}} for i in range(30)]
    code, found = verdict(write(tmp_path / "p.jsonl", pairs))
    assert (code, {signal for _, signal in unexplained(found)}) == (1, {"error"})
    assert (found["funnel"]["scored"], found["funnel"]["completed"]) == (30, 0)


def test_a_baseline_that_loops_is_warned_about(tmp_path: Path) -> None:
    pairs = [pair(i) for i in range(60)] + [pair(i, LOOP, baseline=LOOP, group="sick") for i in range(60, 90)]
    warnings = verdict(write(tmp_path / "p.jsonl", pairs))[1]["warnings"]
    assert any("baseline itself is degenerate in group=sick (100 %)" in warning for warning in warnings)


def test_much_longer_answers_are_the_first_warning(tmp_path: Path) -> None:
    pairs = [pair(i, GOOD * 5) for i in range(60)]
    assert verdict(write(tmp_path / "p.jsonl", pairs))[1]["warnings"][0].startswith("length:")


def test_explain_shows_the_worst_pairs_side_by_side(broken_tail: Path) -> None:
    done = installed("explain", "group=tail", broken_tail)
    text = done.stdout.decode()
    assert done.returncode == 0
    assert "degenerate" in text
    assert "Paris" in text
    assert "! !" in text


def test_explain_has_a_machine_form(broken_tail: Path) -> None:
    done = tailgate(
        "explain", "group=tail", "--signal", "degenerate", broken_tail, "--format", "json", "--limit", "2"
    )
    found = json.loads(done.stdout)
    assert (found["segment"], found["rows"][0]["verdict"], len(found["pairs"])) == (
        "group=tail",
        "diverged",
        2,
    )


def test_explain_names_the_segments_there_are(broken_tail: Path) -> None:
    done = installed("explain", "group=absent", broken_tail)
    assert done.returncode == 2
    assert b"group=tail" in done.stderr


def test_explain_prints_no_terminal_codes_of_an_answer(tmp_path: Path) -> None:
    pairs = [pair(i, "\x1b[31m" + LOOP) for i in range(12)]
    done = tailgate("explain", "all", write(tmp_path / "p.jsonl", pairs))
    assert b"\x1b[31m! " not in done.stdout


def asked(number: int, question: str, baseline: str, candidate: str) -> dict[str, Any]:
    """A pair with a number to answer."""
    return {
        "id": f"q{number}",
        "request": {"messages": [{"role": "user", "content": question}]},
        "baseline": {"text": baseline},
        "candidate": {"text": candidate},
    }


def test_a_reference_sample_adds_the_ood_dimension(tmp_path: Path) -> None:
    known = [{"text": f"How many bags do {i} traders with 4 bags each have in total?"} for i in range(60)]
    reference = tmp_path / "reference.jsonl"
    reference.write_text("".join(json.dumps(line) + "\n" for line in known))
    pairs = write(
        tmp_path / "pairs.jsonl",
        [
            asked(1, "How many bags do 7 traders with 4 bags each have in total?", "28", "28"),
            asked(2, "Quantum lattice: how many quarks do 3 protons and 2 mesons hold?", "13", "13"),
        ],
    )
    out = tmp_path / "out.jsonl"
    verdict(pairs, "--set", f"ood.reference={reference}", "--pairs-out", out)
    bands = [json.loads(line)["segments"]["ood"] for line in out.read_text().splitlines()]
    assert bands[0] != ">p99"
    assert bands[1] == ">p99"


def test_a_third_arm_gives_the_residue_index(tmp_path: Path) -> None:
    question = "How many bags do 7 traders with 4 bags each have in total?"
    pairs = write(
        tmp_path / "pairs.jsonl", [asked(i, question, "28", "11" if i < 3 else "28") for i in range(12)]
    )
    base = write(tmp_path / "base.jsonl", [asked(i, question, "28", "11") for i in range(12)])
    _, found = verdict(pairs, "--base", base)
    (sentence,) = (w for w in found["warnings"] if w.startswith("residue"))
    assert sentence == "residue: 3 of 12 checkable answers are the base model's and not the baseline's (25%)"
