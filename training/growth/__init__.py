"""Levers of growing: what is trained beside a lesson that moves to another base model."""
