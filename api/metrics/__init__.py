"""Metrics in Prometheus's format: what each process counts, what it reads from the stores, and `/metrics`."""
