"""What `labkit fine-tune` and `labkit predict` do."""
