from django.dispatch import Signal

web_started = Signal()
"""Sent in each web process when it is ready to serve."""
encryption_rotated = Signal()
"""Sent by `rotate_encryption`, for what is encrypted outside of the database."""
