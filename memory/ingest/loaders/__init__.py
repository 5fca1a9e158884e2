"""Loaders turn the bytes of a document into text with Markdown structure: one module a kind of format."""
