"""Endpoints of Nightschool's own REST API: learning, gaps, documents, adapters, calibration."""
