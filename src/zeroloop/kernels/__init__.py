"""The only compiled loops: one block in, a sum out."""
