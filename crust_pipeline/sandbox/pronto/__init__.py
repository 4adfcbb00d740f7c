"""Pronto in the sandbox: one account that looks for contacts and posts what it finds.

`account` checks requests, bills and decides what is found, `app` answers over HTTP, `deliveries`
posts the results. Written from the vendor's documents, without the client's code.
"""
