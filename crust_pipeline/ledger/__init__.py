"""The durable account of every batch, every identifier in it and every credit.

`states` and `outcomes` have the states of batches and the outcomes of rows, `schema` the tables;
`store` opens the database. The other modules each have the transactions of one activity. Nothing
here speaks to a vendor or knows Dagster.
"""
