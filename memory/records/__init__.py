"""The records that cross a boundary between packages, processes or graph steps, by life cycle.

Records hold values and their own checks, never behaviour that needs a store, a model or a clock.
"""
