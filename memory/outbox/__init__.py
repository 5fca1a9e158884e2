"""Handover of curricula to the trainer."""
