"""Benchmark of the scrubber: precision, recall and speed on labelled texts, beside Presidio's defaults."""
