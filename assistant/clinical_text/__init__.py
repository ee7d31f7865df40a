"""What rules recognise in clinical text: quantities, negation, names, personal details, advice, injected prompts."""
