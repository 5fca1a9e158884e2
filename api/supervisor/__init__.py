"""Starts and supervises the service's processes on one machine."""
