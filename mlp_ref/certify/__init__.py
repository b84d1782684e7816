"""Certified values: exact results enclosed in balls, confirmed by a second oracle, as words.

docs/certification.md tells how a value is made and how to check one by hand.
"""
