"""File formats of preference data, both ways: DPO as TRL reads it, ShareGPT, and Argilla's records."""
