"""The axes: one generator each, in the file of its kind. A literal table; packs name what they use."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from monitor.probes.axes import context, following, reasoning, structure
from monitor.probes.items import Axis

AXES: Mapping[str, Axis] = MappingProxyType(
    {axis.name: axis for axis in (*context.AXES, *structure.AXES, *reasoning.AXES, *following.AXES)}
)
