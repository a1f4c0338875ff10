"""The reference sample: distance from it is a dimension, confident disagreement far from it is residue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.config_file import load
from monitor.errors import ConfigError
from monitor.openai_api import parse_request
from monitor.records import Completion, Exchange
from monitor.reference import read_prompts, rules_of

TOPICS = ("invoice", "refund", "delivery", "warranty", "address", "payment")


def reference(path: Path) -> Path:
    lines = [
        {"messages": [{"role": "user", "content": f"I have a question about the {a} of my {b} order"}]}
        for a in TOPICS
        for b in TOPICS
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\nnot json\n")
    return path


def exchange(text: str) -> Exchange:
    request = parse_request("chat", {"messages": [{"role": "user", "content": text}]})
    return Exchange("x", 1.0, request, Completion(text="yes"))


def test_far_requests_fall_into_the_last_band(tmp_path: Path) -> None:
    config = load(overrides={"ood.reference": str(reference(tmp_path / "r.jsonl"))})
    rules = rules_of(config)
    assert rules.ood is not None
    near = rules.ood(exchange("I have a question about the refund of my delivery order"))
    far = rules.ood(exchange("Explain quantum chromodynamics and colour confinement"))
    assert near["ood"] in {"<p50", "p50-p90"}
    assert far == {"ood": ">p99"}
    assert "residue" in rules.scorers


def test_without_a_reference_there_is_neither_dimension_nor_signal() -> None:
    rules = rules_of(load())
    assert rules.ood is None
    assert "residue" not in rules.scorers


def test_lines_in_every_recorded_form_are_read_and_broken_ones_left_out(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    body = {"messages": [{"role": "user", "content": "one"}]}
    path.write_text(
        "\n".join([json.dumps({"id": "1", "request": body}), json.dumps({"text": "two"}), "{", "[]", "{}"])
    )
    assert read_prompts(path) == ["one", "two"]


def test_a_useless_reference_names_the_key(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("nothing\n")
    with pytest.raises(ConfigError, match=r"ood\.reference"):
        read_prompts(tmp_path / "r.jsonl")
    with pytest.raises(ConfigError, match=r"ood\.reference"):
        read_prompts(tmp_path / "absent.jsonl")
