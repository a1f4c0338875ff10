"""What each set's published truth demands of the verdict, as a list of named yes/no checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.benchmarks.runs import answers, find
from tests.benchmarks.scored_runs import Run, run
from tests.benchmarks.truth import outcome
from tests.benchmarks.xstest_rule import refuses

DIRECTIONAL = "directional"
Get = Callable[[str, str, str], Run]


class Check(NamedTuple):
    """One line of the acceptance list."""

    what: str
    holds: bool
    detail: str


def checks(get: Get) -> list[Check]:
    """Every check; `get` yields the scored run of a listed pair."""
    return [*shaberi(get), *zeroeval(get), *llmdrift(get), *xstest(get), *refusal_accuracy(get)]


def shaberi(get: Get) -> Iterator[Check]:
    broken = get("shaberi_quant_ja", "shisa-v2-llama3.1-405b", "405b-W4A16-gs128")
    rows = broken.unexplained()
    found = sorted({f"{row.signal} in {row.segment}" for row in rows})
    inside = all("rakuda" in row.segment for row in rows)
    yield Check("405B → W4A16: diverged, degenerate", _has(broken, "degenerate"), "; ".join(found))
    yield Check("… unexplained segments lie within the broken bench", bool(rows) and inside, "; ".join(found))
    groups = [
        r for r in broken.result.verdict.segments if r.signal == "degenerate" and "ja.rakuda" in r.segment
    ]
    large = all(r.verdict == "diverged" for r in groups if r.pairs >= 5)
    never_ok = all(r.verdict != "ok" for r in groups)
    words = ", ".join(f"{r.segment} {r.pairs} {r.verdict}" for r in groups)
    yield Check("… broken groups of ≥ 5 pairs diverged, none ok", bool(groups) and large and never_ok, words)
    for baseline, candidate in _HARMLESS:
        quiet = get("shaberi_quant_ja", baseline, candidate)
        alarms = [
            f"{r.signal} in {r.segment}" for r in quiet.unexplained("page", "ticket") if r.kind == DIRECTIONAL
        ]
        yield Check(f"{quiet.pair.candidate}: no directional alarm", not alarms, "; ".join(alarms) or "none")


_NEMO = "cyberagent__Mistral-Nemo"
_HARMLESS = (
    (_NEMO, "2408-FP8"),
    (_NEMO, "2408-W8A8"),
    (_NEMO, "GPTQ-w4a16-gs128"),
    (_NEMO, "GPTQ-w4a16-gs32-noact"),
    (_NEMO, "GPTQ-w4a16-gs32"),
    ("deepseek-ai__DeepSeek-V3", "Q5_K_M"),
)


def zeroeval(get: Get) -> Iterator[Check]:
    for name, candidate in (("FP8", "405B-Instruct-Turbo"), ("other provider", "405B-Inst@sambanova")):
        quiet = get("zeroeval_gsm", "405B-Instruct@hyperbolic", candidate)
        yield _answers(f"405B → {name}, GSM8K: no answer alarm", quiet, alarm=False)
    small = get("zeroeval_gsm", "3.1-70B", "3.1-8B-Instruct")
    yield _answers("Llama 70B → 8B: answer alarm", small, alarm=True)
    whole, hop = small.row("all", "answer"), small.row("group=math.arithmetic.multihop", "answer")
    larger = bool(whole and hop and (hop.effect or 0) > (whole.effect or 0))
    detail = f"{hop and hop.effect:.3f} against {whole and whole.effect:.3f}"
    yield Check("… larger in multihop", larger, detail)
    yield _answers(
        "GPT-4o → 4o-mini: alarm on CRUX",
        get("zeroeval_crux", "gpt-4o-2024-08", "4o-mini-2024-07-18"),
        alarm=True,
    )
    yield _answers(
        "… none on GSM8K", get("zeroeval_gsm", "gpt-4o-2024-08", "4o-mini-2024-07-18"), alarm=False
    )
    yield from answer_fidelity(get)


def answer_fidelity(get: Get) -> Iterator[Check]:
    """Both right must count as the same answer, a flip of correctness as another one."""
    for set_ in ("zeroeval_gsm", "zeroeval_crux", "zeroeval_numersense"):
        right = total = 0
        for baseline, candidate in _ZEROEVAL[set_]:
            run_ = get(set_, baseline, candidate)
            for row in run_.rows:
                score = row.recorded.scored.scores.get("answer")
                arms = [
                    outcome(answers(set_, m)[row.observed.id])
                    for m in (run_.pair.baseline, run_.pair.candidate)
                ]
                if score is None or arms == [False, False]:
                    continue
                total += 1
                right += (score.value > 0) == (arms[0] != arms[1])
        yield Check(
            f"{set_}: answer reproduces correctness ≥ 98 %", right >= 0.98 * total, f"{right}/{total}"
        )


_ZEROEVAL = {
    "zeroeval_gsm": (("405B-Instruct@hyperbolic", "405B-Instruct-Turbo"), ("3.1-70B", "3.1-8B-Instruct"), ("gpt-4o-2024-08", "4o-mini-2024-07-18")),
    "zeroeval_crux": (("405B-Instruct@hyperbolic", "405B-Inst-fp8"), ("3.1-70B", "3.1-8B-Instruct"), ("gpt-4o-2024-08", "4o-mini-2024-07-18")),
    "zeroeval_numersense": (("gpt-4o-2024-05", "sampling_gpt-4o-2024-05-13"), ("3-70B", "3-8B-Instruct")),
}  # fmt: skip


def llmdrift(get: Get) -> Iterator[Check]:
    for set_ in ("prime", "happynumber"):
        run_ = get(f"llmdrift_{set_}", "gpt-4-0314", "gpt-4-0613")
        yield _answers(f"GPT-4 March → June, {set_}: diverged on answer", run_, alarm=True)
        first = run_.result.verdict.warnings[0] if run_.result.verdict.warnings else "none"
        yield Check(f"… {set_}: length raises the first warning", first.startswith("length"), first)
    code = get("llmdrift_leetcode", "gpt-4-0314", "gpt-4-0613")
    found = "; ".join(sorted({f"{row.signal} in {row.segment}" for row in code.unexplained()}))
    only = {row.signal for row in code.unexplained()} == {"format"}
    yield Check("… leetcode: diverged on format only", only, found)


def xstest(get: Get) -> Iterator[Check]:
    guard = get("xstest_completions", "mistralinstruct", "mistralguard")
    rows = [
        r for r in guard.result.verdict.segments if r.signal == "refusal" and r.segment.startswith("group=")
    ]
    named = {r.segment for r in rows if r.verdict == "diverged"}
    from tests.benchmarks.scored_runs import slices

    truly = {
        p.segment: p.truth.loss
        for p in slices(guard)
        if p.segment.startswith("group=") and p.truth and p.truth.is_regression
    }
    surplus = named - truly.keys()
    yield Check("guardrail prompt: refusal diverged", _has(guard, "refusal"), f"{len(named)} types named")
    detail = f"{len(named & truly.keys())} of {len(truly)} regressed types diverged, {len(surplus)} others"
    yield Check("… in the types that truth names", bool(named) and not surplus, detail)


def refusal_accuracy(get: Get) -> Iterator[Check]:
    """Refusal (full or partial) against the human labels, per model and pooled."""
    counts: dict[str, list[int]] = {}
    rule: dict[str, list[int]] = {}
    gaps = []
    for baseline, candidate in (
        ("llama2new", "llama2orig"),
        ("mistralinstruct", "mistralguard"),
        ("gpt4", "llama2orig"),
    ):
        run_ = get("xstest_completions", baseline, candidate)
        rates = [0.0, 0.0]
        for row in run_.rows:
            score = row.recorded.scored.scores["refusal"]
            for arm, (model, seen) in enumerate(((baseline, score.baseline), (candidate, score.candidate))):
                answer = answers(run_.pair.set, model)[row.observed.id]
                refused = not outcome(answer)
                said = (seen or 0.0) >= 0.5
                counts.setdefault(model, [0, 0, 0, 0])[2 * refused + said] += 1
                rule.setdefault(model, [0, 0, 0, 0])[2 * refused + refuses(answer["text"])] += 1
                rates[arm] += said - refused
        gaps.append(abs(rates[1] - rates[0]) / len(run_.rows))
    accuracy, theirs = ({model: _balanced(cell) for model, cell in c.items()} for c in (counts, rule))
    pooled, matched = (
        _balanced([sum(cell[i] for cell in c.values()) for i in range(4)]) for c in (counts, rule)
    )
    each = ", ".join(f"{model} {value:.3f}" for model, value in accuracy.items())
    beside = ", ".join(f"{model} {value:.3f}" for model, value in theirs.items())
    yield Check("refusal: balanced accuracy pooled ≥ 0.88", pooled >= 0.88, f"{pooled:.3f}")
    yield Check("… each model ≥ 0.82", min(accuracy.values()) >= 0.82, each)
    above = pooled >= matched and all(accuracy[model] >= theirs[model] for model in accuracy)
    yield Check("… not below XSTest's own string matching", above, f"theirs pooled {matched:.3f}: {beside}")
    yield Check(
        "… error of the paired rate difference ≤ 5 points",
        max(gaps) <= 0.05,
        ", ".join(f"{g:.3f}" for g in gaps),
    )


def _balanced(cell: list[int]) -> float:
    true_negative, false_positive, false_negative, true_positive = cell
    return (
        true_positive / max(1, true_positive + false_negative)
        + true_negative / max(1, true_negative + false_positive)
    ) / 2


def _has(run_: Run, signal: str) -> bool:
    return run_.result.verdict.verdict == "diverged" and any(r.signal == signal for r in run_.unexplained())


def _answers(what: str, run_: Run, *, alarm: bool) -> Check:
    row = run_.row("all", "answer")
    alarms = sorted({r.segment for r in run_.unexplained() if r.signal == "answer"})
    detail = f"{row.effect:.3f} of {row.pairs}" if row and row.effect is not None else "no row"
    return Check(what, bool(alarms) == alarm, f"{detail}; {', '.join(alarms) or 'no alarm'}")


def scored(set_: str, baseline: str, candidate: str) -> Run:
    """The run of the listed pair whose names contain these words."""
    return run(find(set_, baseline, candidate))
