"""The model as a folder that someone else can use and check."""
