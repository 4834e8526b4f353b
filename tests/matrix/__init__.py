"""Everybody, the rows of a shop, and all its routes, for the tests that try each route as each person."""
