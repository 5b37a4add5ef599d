"""A release out of a dataset: what would be in it, writing it, its audit, its record."""
