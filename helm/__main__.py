"""`python -m helm` (make chart): copies rules, dashboards and gates into the chart, writes schema and README table."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from helm.values import schema, table

ROOT = Path(__file__).parents[1]
CHART = ROOT / "helm" / "tailgate"
# Folder in the chart: what is copied there. Templates read them; a chart cannot read beyond its folder.
COPIES = {
    "files/rules": "deploy/prometheus/*.yaml",
    "files/dashboards": "dashboards/*.json",
    "files/gates": "deploy/*/*-template*.yaml",
}
TABLE = re.compile(r"(?<=<!-- values -->\n).*(?=<!-- /values -->)", re.DOTALL)


def made() -> Mapping[Path, str]:
    """Every derived file of the chart with its text."""
    copies = {
        CHART / folder / path.name: path.read_text()
        for folder, pattern in COPIES.items()
        for path in sorted(ROOT.glob(pattern))
    }
    values = (CHART / "values.yaml").read_text()
    readme = (CHART / "README.md").read_text()
    return {
        **copies,
        CHART / "values.schema.json": json.dumps(schema(values), indent=2, ensure_ascii=False) + "\n",
        CHART / "README.md": TABLE.sub(lambda _: table(values) + "\n", readme),
    }


def main() -> None:
    """Write them; a copy whose source is gone goes too."""
    files = made()
    for folder in COPIES:
        for stale in set((CHART / folder).glob("*")) - files.keys():
            stale.unlink()
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
