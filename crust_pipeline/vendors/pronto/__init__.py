"""Pronto, called Pipecorn today: its client, and what its webhooks deliver as jobs."""
