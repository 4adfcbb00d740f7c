"""The receiver of vendors' webhooks: a small server that keeps what comes and decides nothing.

`app` is what it answers, `store` writes deliveries to the ledger many at a time, `serve` runs it.
"""
