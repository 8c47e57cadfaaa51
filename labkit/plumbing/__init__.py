"""What carries values from stage to stage: runner, store, progress, hardware."""
