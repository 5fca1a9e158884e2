"""Faults: every process is broken at every step of the service's work, and its promises are checked.

`python -m tests.faults` (`make faults`) starts a real service on real stores with a stand-in for the model:
`stack` has its processes, `work` what they do, `fault` what breaks them, `invariants` what must hold.
"""
