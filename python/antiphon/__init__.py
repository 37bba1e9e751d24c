"""Antiphon: the Python side."""
