"""A Dagster of our own on this machine, for `dev` and `demo`: processes and client."""
