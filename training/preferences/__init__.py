"""Preference training: DPO, KTO, SFT and GRPO on top of a domain's live adapter, and its own gates."""
