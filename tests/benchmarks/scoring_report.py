"""The scoring benchmark's result as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.benchmarks import markdown

Json = Mapping[str, Any]


def report(found: Json) -> str:
    """One page: acceptance list, confusion, losses, correlation, rivals, cost."""
    parts = [
        _head(found),
        _checks(found),
        _truth(found),
        _controls(found),
        _noise(found["disagreement"]),
        _rivals(found["rivals"]),
        _cost(found["cost"]),
    ]
    return "\n\n".join(parts) + "\n"


def _head(found: Json) -> str:
    return (
        f"# Scoring on published outputs\n\n{found['pairs_listed']} pairs of models, {found['pairs_scored']} pairs of "
        f"answers, {found['segments_with_truth']} segments with a known outcome, {found['scorer_failures']} scorer failures."
    )


def _checks(found: Json) -> str:
    rows = [("yes" if c["holds"] else "**no**", c["what"], c["detail"]) for c in found["checks"]]
    return "## Acceptance list\n\n" + markdown.table(("holds", "what", "measured"), rows)


def _truth(found: Json) -> str:
    confusion = found["confusion"]
    states = ("diverged", "inconclusive", "ok")
    table = markdown.table(
        ("truth", *states), ((name, *(row.get(s, 0) for s in states)) for name, row in confusion.items())
    )
    return "\n\n".join(
        (
            "## Verdicts against truth\n\nA regression is a segment that lost at least 10 points, p < 0.05 (McNemar).",
            table,
            "\n".join(f"- {line}" for line in _losses(found)),
        )
    )


def _losses(found: Json) -> Iterator[str]:
    yield f"lost ≥ 20 points on ≥ 40 pairs: {_share(found['loss_20_points'])}"
    small = found["loss_10_to_20_points"]
    yield f"lost 10–20 points: ours {_share(small['ours'])}, true labels {_share(small['oracle'])}, said ok {len(small['said_ok'])}"
    ranks = found["correlation"]
    for name, words in (
        ("excess", "excess of answer, constraint and format"),
        ("token_f1", "1 − median token-F1"),
    ):
        value = ranks[name]
        yield f"Spearman of loss with {words}: {value['rho']:.2f} [{value['low']:.2f}, {value['high']:.2f}], {ranks['segments']} segments"
    every = found["correlation_with_refusal_sets"]
    yield (
        f"… with XSTest and LLMDrift's sensitive questions too: {every['excess']['rho']:.2f} "
        f"[{every['excess']['low']:.2f}, {every['excess']['high']:.2f}], {every['segments']} segments. Their label is "
        "whether a model refuses; that is the signal `refusal`, and no answer, constraint or format can rank it"
    )


def _share(value: Json) -> str:
    share = "" if value["share"] is None else f" ({100 * value['share']:.0f} %)"
    return f"{value['found']} of {value['of']}{share}"


def _controls(found: Json) -> str:
    control = found["controls"]
    lines = [
        (
            f"## Same model on both sides\n\nWithout a control arm: {control['alarms']} of {control['rows']} page rows diverge unexplained "
            f"({100 * control['share']:.2f} %)."
        )
    ]
    lines += [f"- {which}" for which in control["which"]]
    rows = [
        (f["pair"], f["floor"], f["excess"], ", ".join(f["answer_alarms"]) or "none")
        for f in found["controls_with_noise_floor"]
    ]
    table = markdown.table(
        ("with the same-weights run as control arm", "floor", "excess", "`answer` alarms"), rows
    )
    return "\n".join(lines) + "\n\n" + table


_CONTRADICTION = """## What nobody can tell without asking twice

ZeroEval's pairs without a control arm. `differ` is the share of checkable answers that differ, `lost` and `won`
are the labels' own flips, `lengths` is the p-value of the sign test that neither side's answers are longer.

{table}

On GSM8K the same weights elsewhere and FP8 change 0.6 % of answers: the 0.6-6 % of the acceptance list hold there
(no pair of the 405B model is listed on the third set). On CRUX they change a fifth, as many as GPT-4o → 4o-mini does,
which loses ten points: so CRUX alarms without a control arm for all three. With the same weights' second run as
control arm FP8 is silent (table above). No rule on the two answers alone separates these rows:

- the *rate* of differing answers is higher for the harmless pairs;
- runs of one model should be *exchangeable* and are not: the same weights at another provider write answers of
  another length (p < 1e-8) while Qwen 72B → 7B and Gemma 9B → 2B, which lost 24 and 33 points, do not (p > 0.1);
- *who is right* where answers differ (lost against won) separates them at once, and is the label that nobody has;
- two raters who disagree carry no information on which of them errs: accuracy of raters is identifiable from
  agreement alone only from three raters on (Dawid and Skene 1979), and the control arm is the third one.

Hence the rule stays: with replays or `--control`, excess over the baseline's own noise; without, the allowed drop,
and a warning that says so."""


def _noise(found: Sequence[Json]) -> str:
    rows = [
        (
            line["pair"],
            line["kind"],
            line["pairs"],
            line["differ"],
            line["lost"],
            line["won"],
            line["symmetry_p"],
            "yes" if line["alarm"] else "no",
        )
        for line in found
    ]
    head = ("pair", "kind", "pairs", "differ", "lost", "won", "lengths", "`answer` alarm")
    return _CONTRADICTION.format(table=markdown.table(head, rows))


def _rivals(found: Json) -> str:
    rows = [
        (
            name,
            rule.get("skipped") or f"{rule['found']} of {rule['regressions']}",
            "" if "skipped" in rule else f"{rule['false_alarms']} of {rule['healthy']}",
        )
        for name, rule in found.items()
        if name != "evidently"
    ]
    table = markdown.table(("rule", "regressions found", "alarms without a regression"), rows)
    preset = markdown.table(
        ("Evidently DataDriftPreset", "drifted columns", "columns"),
        (
            (pair, ", ".join(_drifted(answer)) or answer.get("skipped", "none"), answer.get("columns", ""))
            for pair, answer in found["evidently"].items()
        ),
    )
    note = "Thresholds of the similarity rules are tuned so that no same-model segment alarms; segments of ≥ 20 pairs. Evidently names no segment."
    return f"## Rivals\n\n{note}\n\n{table}\n\n{preset}"


def _drifted(answer: Json) -> list[str]:
    return list(answer.get("names", []))


def _cost(found: Json) -> str:
    head = (
        f"## Cost\n\n{found['median_us']:.0f} µs median, {found['p99_us']:.0f} µs p99 per pair ({found['pairs']} pairs, answers of "
        f"{found['mean_characters']:.0f} characters); {found['ratio_to_lcs']:.1f} times one LCS pass over the words ({found['lcs_median_us']:.0f} µs). "
        f"Measured at {found['measured']['commit']}, load {found['measured']['machine']['load_average']}."
    )
    rows = [(name, cost["median_us"], cost["p99_us"]) for name, cost in found["signals"].items()]
    return head + "\n\n" + markdown.table(("signal alone", "median µs", "p99 µs"), rows)
