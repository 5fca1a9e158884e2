"""Experiments (A/B tests): who gets which variant, how variants compare, and when one wins."""
