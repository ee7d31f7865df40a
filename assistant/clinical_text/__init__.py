"""Rules for clinical text: quantities, negation, medical names, personal details, advice, prompt injection."""
