"""The monitor's HTTP side: API, gates, metrics and page. `api.py` routes, `guard.py` refuses."""
