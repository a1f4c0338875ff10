"""Constraints that a prompt states in words, and whether a text keeps them.

Kinds and arguments are those of IFEval (arXiv 2311.07911) and M-IFEval (arXiv 2502.04688) without
the language prefix, so that mined constraints can be compared with the registered ones. Mining
prefers precision: a rule that reads a task description as a constraint would page for nothing.
"""

from monitor.scorers.constraints.checking import check
from monitor.scorers.constraints.mining import constraints_of
from monitor.scorers.constraints.model import Constraint

__all__ = ["Constraint", "check", "constraints_of"]
