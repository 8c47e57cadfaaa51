"""Earlier runs and experiment trackers."""
