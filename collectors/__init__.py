"""Traffic collectors: each yields `Exchange` values, and none of them ever slows production.

`Collector = AsyncIterator[Exchange]`. (A Prometheus collector is something else: see
`monitor/metrics.py`.) `splice.py` and `spool.py` form the capture process and stay small.
"""
