"""Starts and supervises the processes of the service on one machine."""
