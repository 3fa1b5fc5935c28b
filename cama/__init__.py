"""Conditional adversarial camera model anonymization."""

__version__ = "0.1.0"
