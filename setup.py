"""Puts the exercises, which are the lab's tests, into the package; all else is in pyproject.toml."""

from setuptools import find_packages, setup

EXERCISES = "labkit.project.exercises"
setup(
    packages=[*find_packages(include=["labkit", "labkit.*"]), EXERCISES],
    package_dir={EXERCISES: "tests/exercises"},
)
