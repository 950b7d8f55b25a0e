"""People and places to try things with: those of the documentation, or very many."""
