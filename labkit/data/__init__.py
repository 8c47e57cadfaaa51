"""Posts: read, cleaned, split, tokenized."""
