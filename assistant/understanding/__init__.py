"""What is asked for, and about what: a question and its conversation to a query."""
