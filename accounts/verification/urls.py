from django.urls import path

from accounts.verification.api import SumsubWebhook

urlpatterns = [path("webhooks/sumsub", SumsubWebhook.as_view())]
