"""What a service of a given size needs: `python -m benchmarks.capacity`."""
