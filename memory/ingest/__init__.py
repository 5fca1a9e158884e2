"""Ingest: documents from files and the web become passages and facts in the stores."""
