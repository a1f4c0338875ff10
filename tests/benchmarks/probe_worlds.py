"""Simulated models with known boundaries: sharp ones and soft ones, with slips."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

from monitor.intervals import Interval
from monitor.probes.axes import AXES
from monitor.probes.findings import AxisRow, Fresh, Outcome, axis_row, corrected, fell_off, looks_lost
from monitor.probes.items import Axis
from monitor.probes.pack import Pack
from monitor.probes.psychometric import Belief, Boundary, Precision, Scale, Trial, boundary, done
from tests.benchmarks.capability_map import PACK

USUAL = Precision()
USUAL_PACK = Pack(name="usual")
GRID_CALLS = (16, 24, 32, 48, 64, 96, 128, 192)


@dataclass(frozen=True, slots=True)
class World:
    """A model that passes up to `limit` on `axis`; `spread` octaves make the end soft, `slips` are lapses."""

    axis: str
    limit: float
    spread: float = 0.0
    slips: float = 0.0

    @property
    def name(self) -> str:
        edge = f"soft {self.spread:g}" if self.spread else "sharp"
        return f"{self.axis} {self.limit:g} {edge}"

    @property
    def scale(self) -> Scale:
        return AXES[self.axis].scale

    def chance(self, level: float) -> float:
        """Chance to pass at a level."""
        if not self.spread:
            return (1 - self.slips) * (level <= self.limit)
        return (1 - self.slips) / (1 + math.exp(-math.log2(self.limit / level) / self.spread))

    def moved(self, seed: int) -> World:
        """The same model with its limit up to half an octave away: a fixed grid hits one place by luck."""
        away = np.random.default_rng([seed, 11]).uniform(-0.5, 0.5)
        return replace(self, limit=self.limit * 2**away)

    def truth(self) -> tuple[float, float]:
        """Octaves between which the boundary lies: one point, or last passed to first failed level."""
        if self.scale.integer and not self.spread:
            passed = math.floor(self.limit)
            return math.log2(passed), math.log2(passed + 1)
        at = math.log2(self.limit)
        return at, at


def adaptive(world: World, seed: int, wanted: Precision = USUAL) -> Belief:
    """One run of the product's own placement."""
    return placed(Belief(world.scale), world, np.random.default_rng(seed), wanted)


def placed(
    belief: Belief, world: World, rng: np.random.Generator, wanted: Precision, least: int = 0
) -> Belief:
    """What is known after the product's own placement went on from `belief`."""
    while len(belief.trials) < least or not done(belief, wanted):
        level = belief.next_level()
        belief = belief.after(Trial(level, bool(rng.random() < world.chance(level))))
    return belief


def fixed_grid(world: World, seed: int, calls: int) -> Belief:
    """So many calls evenly over the axis, read by the same posterior."""
    rng, belief = np.random.default_rng(seed), Belief(world.scale)
    octaves = np.array(world.scale.octaves)
    for at in np.linspace(octaves[0], octaves[-1], calls):
        level = world.scale.levels[int(np.argmin(np.abs(octaves - at)))]
        belief = belief.after(Trial(level, bool(rng.random() < world.chance(level))))
    return belief


def error(world: World, belief: Belief) -> float:
    """Octaves from the truth; within the truth's own interval none."""
    low, high = world.truth()
    middle = belief.quantile(0.5)
    return max(low - middle, middle - high, 0.0)


def covers(world: World, belief: Belief) -> bool:
    """Whether the interval meets the truth."""
    low, high = world.truth()
    found = belief.interval()
    return found.lower <= high and found.upper >= low


def root_mean_square(values: Sequence[float]) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def width(belief: Belief) -> float:
    """Octaves of the reported interval."""
    low, high = belief.interval()
    return high - low


def precise(world: World, belief: Belief) -> float:
    """What a grid must equal: the error; where the levels leave none, how narrow the interval is."""
    return width(belief) if world.scale.integer and not world.spread else error(world, belief)


def equal_grid(world: World, runs: int) -> tuple[float, float, float]:
    """(calls of the product's placement, the same precision, calls of a fixed grid for it); limits move.

    Errors fall as a power of the calls, so the grid's calls are read off a line through both logarithms.
    """
    worlds = [world.moved(seed) for seed in range(runs)]
    found = [adaptive(moved, seed) for seed, moved in enumerate(worlds)]
    reached = _overall(worlds, found)
    grid = [_overall(worlds, [fixed_grid(w, s, calls) for s, w in enumerate(worlds)]) for calls in GRID_CALLS]
    slope, start = np.polyfit(np.log(GRID_CALLS), np.log(grid), 1)
    calls = float(np.mean([len(belief.trials) for belief in found]))
    return calls, reached, float(np.exp((np.log(reached) - start) / slope))


def _overall(worlds: Sequence[World], found: Sequence[Belief]) -> float:
    return root_mean_square([precise(world, belief) for world, belief in zip(worlds, found, strict=True)])


def compared(axis: Axis, candidate: World, baseline: World, pack: Pack, rng: np.random.Generator) -> AxisRow:
    """One axis as the runner asks it, fresh items where the candidate alone is below; before the correction."""
    wanted, worlds = pack.precision, (candidate, baseline)
    own, before = (placed(Belief(axis.scale), world, rng, wanted) for world in worlds)
    if looks_lost(before, own, wanted):
        own = placed(own, candidate, rng, wanted, wanted.calls)
        before = placed(before, baseline, rng, wanted, wanted.calls)
    fresh = None
    if fell_off(before, own, wanted):
        easiest = axis.scale.levels[0]
        answers = (
            [Outcome(str(n), bool(drawn < world.chance(easiest)), easiest) for n, drawn in enumerate(draws)]
            for world, draws in zip(worlds, rng.random((2, pack.fresh)), strict=True)
        )
        fresh = Fresh(easiest, pack.fresh, *answers)
    return axis_row(axis, wanted, own, before, floor=False, fresh=fresh)


Arms = tuple[tuple[World, ...], tuple[World, ...]]
"""Candidate and baseline, a world per axis."""


def _small(digits: tuple[float, float], context: tuple[float, float], soft: float) -> Arms:
    """Candidate and baseline of 135 million parameters: limits of the one and of the other on two axes."""
    lost = (World("copy", 0.8, 0.4, 0.1), World("json_depth", 0.3, 0.3), World("hops", 0.3, 0.3))
    own, before = (
        (World("digits", digits[arm], soft, 0.03), World("context", context[arm], spread, 0.1))
        for arm, spread in ((0, 0.6), (1, 3 * soft))
    )
    return (*own, *lost), (*before, *lost)


SMALL: Mapping[str, Arms] = {
    "clear": _small((0.8, 1.67), (220, 2000), 0.25),
    "soft": _small((0.9, 1.67), (256, 2000), 0.35),
}
"""Models as results/map.json has them: one passes nine of ten sums of one digit and codes in 256 tokens, the
other two or four of ten; neither copies, nests or follows."""


def small_pack() -> Pack:
    """The pack of the real map."""
    return Pack.model_validate(yaml.safe_load(PACK))


def conclusion(
    pack: Pack, candidate: Sequence[World], baseline: Sequence[World], seed: int
) -> frozenset[str]:
    """The axes of `pack` that one run finds worse."""
    rng = np.random.default_rng([seed, 13])
    arms = {world.axis: (world, before) for world, before in zip(candidate, baseline, strict=True)}
    rows = [compared(pack.axis(name), *arms[name], pack, rng) for name in pack.axes]
    return frozenset(row.axis for row in corrected(rows, [])[0] if row.verdict == "worse")


def shifted(
    axes: Sequence[Axis], seed: int, octaves: float, pack: Pack = USUAL_PACK, ends: Interval | None = None
) -> int:
    """Findings of one run over `axes` where the first of them lost `octaves` and nothing else changed.

    `ends`: how far above the easiest level the models' limits lie, octaves; all over the axis without it.
    """
    rng = np.random.default_rng([seed, 7])
    rows = []
    for number, axis in enumerate(axes):
        low, high = axis.scale.octaves[0], axis.scale.octaves[-1]
        at = rng.uniform(low + 1.5, high) if ends is None else low + rng.uniform(*ends)
        slips = 0.02 if ends is None else float(rng.choice([0.02, 0.1, 0.25]))
        world = World(axis.name, 2**at, float(rng.choice([0.05, 0.15, 0.3])), slips)
        lower = replace(world, limit=2 ** (at - octaves)) if number == 0 else world
        rows.append(compared(axis, lower, world, pack, rng))
    return sum(row.verdict == "worse" for row in corrected(rows, [])[0])


# The published grid: every cell's score from 1 to 10, several depths per context length.
PASSING_SCORE = 5.5


def needle_grid(path: Path) -> dict[str, list[tuple[float, bool]]]:
    """(context tokens, found?) per model of `needle_2023.jsonl`."""
    cells: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for line in path.read_text().splitlines():
        cell = json.loads(line)
        cells[cell["model"]].append((float(cell["context_tokens"]), cell["score"] > PASSING_SCORE))
    return cells


def half_line(cells: Sequence[tuple[float, bool]]) -> tuple[float, bool]:
    """The grid's own 50 % line in tokens, by isotonic regression (pool adjacent violators) of the share found.

    The second value is False where the share never falls to one half: the line lies beyond the grid.
    """
    lengths = sorted({length for length, _ in cells})
    blocks: list[list[float]] = []
    for length in lengths:
        found = [passed for at, passed in cells if at == length]
        blocks.append([sum(found), len(found), length, length])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] < blocks[-1][0] / blocks[-1][1]:
            passed, count, _, last = blocks.pop()
            blocks[-1] = [blocks[-1][0] + passed, blocks[-1][1] + count, blocks[-1][2], last]
    low = next((i for i, block in enumerate(blocks) if block[0] / block[1] <= 0.5), None)
    if low is None or low == 0:
        return lengths[-1], False
    return math.sqrt(blocks[low - 1][3] * blocks[low][2]), True


def fitted(cells: Sequence[tuple[float, bool]]) -> Belief:
    """The product's posterior over every cell of the grid."""
    belief = Belief(Scale(tuple(sorted({length for length, _ in cells}))))
    for length, passed in cells:
        belief = belief.after(Trial(length, passed))
    return belief


def replayed(cells: Sequence[tuple[float, bool]], seed: int, wanted: Precision = USUAL) -> Boundary:
    """The grid as a model: each level asked is answered by a random cell of the nearest context length."""
    rng = np.random.default_rng(seed)
    by_length: dict[float, list[bool]] = defaultdict(list)
    for length, passed in cells:
        by_length[length].append(passed)
    lengths = np.array(sorted(by_length))
    scale = Scale(tuple(lengths.tolist()))
    belief = Belief(scale)
    while not done(belief, wanted):
        level = belief.next_level()
        belief = belief.after(Trial(level, bool(rng.choice(by_length[level]))))
    return boundary(belief, wanted)
