from django.urls import path

from payments.api import views, webhooks

urlpatterns = [
    path("invoices/<str:invoice_id>", views.InvoiceStatus.as_view()),
    path("rates", views.Rates.as_view()),
    path("webhooks/payment", webhooks.PaymentWebhook.as_view()),
    path("sandbox/pay", views.SandboxPay.as_view()),
]
