"""The three dashboards by file name."""

from __future__ import annotations

import json
from collections.abc import Mapping

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import model_owner, oncall, rollout
from dashboards.panels import built

DASHBOARDS = (
    ("oncall.json", "tailgate-oncall", "Tailgate / On call", "Is it us, the candidate, or the world?", "now-6h", oncall.ROWS),
    ("rollout.json", "tailgate-rollout", "Tailgate / Rollout", "May the rollout go on, and which segment says no?", "now-24h", rollout.ROWS),
    ("model_owner.json", "tailgate-model", "Tailgate / Model owner", "What the candidate no longer does, week by week.", "now-7d", model_owner.ROWS),
)  # fmt: skip


def rendered() -> Mapping[str, str]:
    """JSON text of each dashboard, stable from build to build."""
    return {
        name: json.dumps(
            built(uid, title, description, since, rows),
            cls=JSONEncoder,
            indent=1,
            sort_keys=True,
            ensure_ascii=False,
        )
        + "\n"
        for name, uid, title, description, since, rows in DASHBOARDS
    }
