"""Backup and restore of a home folder: every store by its own means, and digests of all files."""
