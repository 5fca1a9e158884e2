"""Records passed between packages, processes and graph steps, one module per life cycle.

Records hold and validate values; they need no store, model or clock.
"""
