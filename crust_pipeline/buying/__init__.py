"""The core: plan, submit, poll, recover, land, over a vendor's client and the ledger.

`account` holds what every step needs; each other module is one step of the way of a batch. Time
comes from the account's clock, so nothing here sleeps and tests decide what time it is. No Dagster
here.
"""
