"""Checkpoints, and texts through them."""
