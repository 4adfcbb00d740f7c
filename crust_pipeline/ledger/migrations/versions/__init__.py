"""One module for each version of the ledger's schema, named after it. See the package above."""
