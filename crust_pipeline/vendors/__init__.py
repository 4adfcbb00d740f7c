"""HTTP clients of the vendors: requests, responses, prices, errors. One module for each vendor."""
