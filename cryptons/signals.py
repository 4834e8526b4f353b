from django.dispatch import Signal

web_started = Signal()
"""Sent in each web process when it is ready to serve."""
