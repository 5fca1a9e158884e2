"""Revises low answers: critique, strategies, verification against sources, and the archive of good ones."""
