from django.urls import path

from payments.views import sandbox_play

app_name = "payments"
urlpatterns = [path("sandbox/<uuid:invoice_id>/", sandbox_play, name="sandbox_play")]
