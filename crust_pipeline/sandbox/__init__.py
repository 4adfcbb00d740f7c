"""A local server that plays Crustdata as its documents say, strictly, with invented people.

What the documents leave open is a switch, what goes wrong in practice is a fault. Nothing here
imports the client that it tests, so that no error can hide behind the same error on the other side.
"""
