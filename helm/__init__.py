"""The chart (tailgate/) and what keeps its copies and its schema equal to their one source."""
