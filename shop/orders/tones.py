"""The colour of each status, on the order's page and in the admin."""

STATUS_TONES = {"pending": "info", "processing": "info", "shipped": "success", "delivered": "success", "cancelled": "warning"}
PAYMENT_TONES = {
    "unpaid": "info",
    "pending": "info",
    "confirming": "info",
    "paid": "success",
    "underpaid": "warning",
    "overpaid": "success",
    "late": "warning",
    "expired": "warning",
    "refunded": "info",
}
