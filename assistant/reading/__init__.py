"""The reader model: which records answer a question, which of their sentences, and whether they answer it at all."""
