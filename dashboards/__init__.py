"""Grafana dashboards as typed code; `python -m dashboards` writes the JSON files beside it."""
