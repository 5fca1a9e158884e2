"""Our own REST endpoints."""
