"""The durable account of every batch, every identifier in it and every credit.

`states` says what can become of a batch, `schema` how it is stored, `ledger` opens the database,
and the other modules each hold the transactions of one activity. Nothing here speaks to a vendor or
knows Dagster.
"""
