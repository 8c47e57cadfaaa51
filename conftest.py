"""The lab is a pytest plugin of its own; this line is what makes `pytest` run it."""

pytest_plugins = ["labkit.plugin"]
