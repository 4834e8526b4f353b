from django.urls import path

from payments.api.health import healthz
from payments.payouts.refund_page import refund

app_name = "payments"
urlpatterns = [
    path("healthz", healthz),
    path("refund/<str:token>/", refund, name="refund"),
]
