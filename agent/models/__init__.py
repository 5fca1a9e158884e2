"""Base models: catalogue, conversion, cards and the study that makes a card."""
