"""Case reports as a table: one row a case, each cell with the sentence that says it."""
