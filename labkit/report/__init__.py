"""Answers as text, tables, plots and a page."""
