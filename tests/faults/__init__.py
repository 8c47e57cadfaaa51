"""Attacks on the lab, by area; `docs/reliability.md` counts them."""
