"""Tools of this repository, no part of the product: they make pages of docs/ from the code."""
