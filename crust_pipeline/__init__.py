"""Buys people data through vendors' batch APIs, never twice, and lands it as tables, in Dagster."""
