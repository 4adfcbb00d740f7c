"""The report: one HTML page that tells how things went and what they cost; no Dagster.

`facts` asks the marts and the ledger, `plots` draws, `page` puts them together.
"""
