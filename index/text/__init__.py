"""Text before it is indexed or compared: cleaning, normalisation, terms, sentences, spelling correction."""
