"""The night: the service goes over its day, and what it learns from it; a step per file or folder."""
