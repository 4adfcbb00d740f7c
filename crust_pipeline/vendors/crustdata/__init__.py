"""Crustdata: its client."""
