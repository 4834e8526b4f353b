from django.urls import path

from payments.payouts.refund_page import refund

app_name = "payments"
urlpatterns = [
    path("refund/<str:token>/", refund, name="refund"),
]
