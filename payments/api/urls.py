from django.urls import path

from payments.api import nodes, payments, rates, sandbox, status, webhooks
from payments.api.payouts import Payouts

urlpatterns = [
    path("payments", payments.Payments.as_view()),
    path("invoices", payments.Invoices.as_view()),
    path("invoices/<str:invoice_id>", status.InvoiceStatus.as_view()),
    path("admin/lightning", nodes.LightningLiquidity.as_view()),
    path("payouts", Payouts.as_view()),
    path("rates", rates.Rates.as_view()),
    path("webhooks/payment", webhooks.PaymentWebhook.as_view()),
    path("webhooks/stripe", webhooks.StripeWebhook.as_view()),
    path("sandbox/pay", sandbox.SandboxPay.as_view()),
]
