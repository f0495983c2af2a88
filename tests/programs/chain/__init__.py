"""Modules that import one another; the last stands still while it is imported."""
