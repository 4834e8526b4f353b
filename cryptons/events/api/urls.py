from django.urls import path

from cryptons.events.api import views

urlpatterns = [
    path("webhook-endpoints", views.WebhookEndpoints.as_view()),
    path("webhook-endpoints/<str:endpoint_id>", views.OneWebhookEndpoint.as_view()),
    path("webhook-endpoints/<str:endpoint_id>/test", views.SendTestEvent.as_view()),
    path("webhook-endpoints/<str:endpoint_id>/rotate-secret", views.RotateWebhookSecret.as_view()),
    path("webhook-endpoints/<str:endpoint_id>/redeliver", views.RedeliverWebhooks.as_view()),
    path("webhook-deliveries", views.WebhookDeliveries.as_view()),
    path("webhook-deliveries/<str:delivery_id>/redeliver", views.RedeliverWebhook.as_view()),
]
