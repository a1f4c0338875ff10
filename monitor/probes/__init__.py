"""Fault injection for language models: generated requests with checkers, the same scorers as live traffic.

Pure: axes and families generate items from seeds, `checkers` judge answers, `psychometric` places and fits.
`runner` asks; packs (YAML) say what is asked; `tailgate probe` runs them.
"""
