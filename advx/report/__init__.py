"""Rows in, tables out: results, intervals, verdicts, claims and the run's manifest."""
