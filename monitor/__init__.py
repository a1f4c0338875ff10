"""Tailgate's monitor: exchanges become pairs, scores, evidence, verdicts and exports.

Read in this order: `records.py` (the nouns), `signals.py` (the questions), `app.py` (the flow).
"""
