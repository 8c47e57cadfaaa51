"""The fine-tune, and the small ones around it."""
