"""Dagster only: partitions, the resource, assets, checks, jobs, the sensor, the schedule.

Everything here is thin: it turns calls of `crust_pipeline.pipeline` and `batching` into runs and
metadata. What must be remembered is in the ledger, never in Dagster.
"""
