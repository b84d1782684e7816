"""Measurements of the project against its peers, each a program of its own."""
