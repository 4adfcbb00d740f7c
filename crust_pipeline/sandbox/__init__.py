"""A local server that plays Crustdata as its documents say, strictly, with invented people.

What the documents leave open is a switch, what goes wrong in practice is a fault. Nothing here imports the
client it is used to test, so an error on one side cannot hide behind the same error on the other.
"""
