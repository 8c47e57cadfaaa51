"""The plots of the report, by subject, all in one style."""
