"""Acme: an invented vendor of business e-mail addresses, which it knows for everybody."""
