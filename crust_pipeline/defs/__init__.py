"""Dagster only: partitions, the resource, assets, checks, jobs, the sensor, the schedule.

Everything here is thin: it turns calls of `app` and `buying` into runs and metadata.
What must be remembered is in the ledger, never in Dagster.
"""
