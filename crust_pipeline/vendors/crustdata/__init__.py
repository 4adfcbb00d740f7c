"""Crustdata: its client, its products, and how the lines of its files are read."""
