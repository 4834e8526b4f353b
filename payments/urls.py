from django.urls import path

from payments.payouts.refund_page import refund
from payments.views import sandbox_play

app_name = "payments"
urlpatterns = [
    path("sandbox/<uuid:invoice_id>/", sandbox_play, name="sandbox_play"),
    path("refund/<str:token>/", refund, name="refund"),
]
