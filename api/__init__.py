"""The outside of the service: the REST API, the command line, and the supervision of its processes."""
