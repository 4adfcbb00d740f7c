"""Pronto, called Pipecorn today: client, products, and what its webhooks deliver as jobs."""
