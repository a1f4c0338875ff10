"""What has to change so that a lake shows what an export holds. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from monitor.parquet.layout import Part, standing


@dataclass(frozen=True, slots=True)
class Change:
    """The rows of `old` parts go, those of `part` come in from files of this `version`; None: nothing comes."""

    part: Part | None
    version: str = ""
    old: tuple[Part, ...] = ()

    @property
    def in_place(self) -> bool:
        """Whether a part was written anew, which only an erasure does."""
        return self.part in self.old


def plan(
    found: Mapping[Part, str],
    loaded: Mapping[Part, str],
    *,
    known: Collection[tuple[str, str]],
    stale: Collection[Part] = (),
) -> list[Change]:
    """Changes in order. `found` and `loaded`: the version of each part in the export and in the lake.

    A part takes the place of those that it covers. One that is gone is forgotten where the export knows its
    (route, store), or an export that is not mounted would empty the lake. `stale` parts are loaded again.
    """
    counting, _ = standing(found)
    coming = [
        Change(part, found[part], tuple(old for old in sorted(loaded) if old == part or part.covers(old)))
        for part in counting
        if part in stale or loaded.get(part) != found[part]
    ]
    return [*_gone(loaded, {*counting, *(old for change in coming for old in change.old)}, known), *coming]


def _gone(
    loaded: Mapping[Part, str], kept: Collection[Part], known: Collection[tuple[str, str]]
) -> Iterator[Change]:
    for part in sorted(loaded):
        if part not in kept and (part.route, part.store) in known:
            yield Change(None, old=(part,))
