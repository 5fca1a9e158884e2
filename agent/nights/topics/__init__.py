"""Topics: what the day's questions were about, how that changes over days, and which gaps matter most."""
