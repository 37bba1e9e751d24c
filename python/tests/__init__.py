"""Tests of the Python side. Standard library only: `python -m unittest discover -s python/tests -t python`."""
