"""The demo shop's products and the functions that load them."""
