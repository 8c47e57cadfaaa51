"""Puzzles: a small run of the lab with one fault in it, to be found from what its report shows."""
