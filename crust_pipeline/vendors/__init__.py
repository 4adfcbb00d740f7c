"""HTTP clients of the vendors: requests, responses, prices, errors. One folder for each vendor."""
