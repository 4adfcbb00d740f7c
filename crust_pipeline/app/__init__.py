"""What an installation does, without Dagster: both the command line and `defs` call it.

`installation` puts the parts together; `days` does what a run does to days; nothing here knows how
it is started or shown.
"""
