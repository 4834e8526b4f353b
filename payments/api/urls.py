from django.urls import path

from payments.api import nodes, payments, views, webhooks
from payments.api.payouts import Payouts

urlpatterns = [
    path("payments", payments.Payments.as_view()),
    path("invoices", payments.Invoices.as_view()),
    path("invoices/<str:invoice_id>", views.InvoiceStatus.as_view()),
    path("admin/lightning", nodes.LightningLiquidity.as_view()),
    path("payouts", Payouts.as_view()),
    path("rates", views.Rates.as_view()),
    path("webhooks/payment", webhooks.PaymentWebhook.as_view()),
    path("sandbox/pay", views.SandboxPay.as_view()),
]
