"""One file per table, figure or claim of the chapter, read top to bottom."""
