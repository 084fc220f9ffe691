"""Arrays in, figure out: nothing is computed here that a row reports."""
