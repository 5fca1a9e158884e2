"""The trainer: a process of its own that turns approved curricula into LoRA adapters and measures them.

Nothing else of ours imports it.
"""
