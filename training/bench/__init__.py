"""Owns what learning is measured with: topics of words that no model was taught, and planted falsehoods.

Nothing of the service imports it.
"""
