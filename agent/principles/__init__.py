"""Principles: a constitution whose checks are rules, and which lessons and answers have to keep."""
