from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = _("Payments")

    def ready(self) -> None:
        from celery.signals import beat_init

        from cryptons.api.errors import translate
        from cryptons.signals import web_started
        from payments import checks, errors, jobs  # noqa: F401 (registers the checks)
        from payments.outage_alerts import start_watching
        from payments.sync.node_listener import start_listening
        from payments.tasks import CeleryJobs

        jobs.register(CeleryJobs())
        beat_init.connect(start_listening)
        web_started.connect(start_watching)

        for away in (errors.NodeUnavailable, errors.NodeRejected, errors.RateUnavailable, errors.NetworkWithoutNode):
            translate(away, 503, "SERVICE_UNAVAILABLE")
        for refusal in (errors.InvoiceMoved, errors.LateMoneyRefused, errors.QuoteRefused, errors.PayoutMoved, errors.PayoutRefused):
            translate(refusal, 409, "CONFLICT")
        translate(errors.IllegalOverride, 409, "ILLEGAL_TRANSITION")
        translate(errors.HintNotSigned, 401, "UNAUTHORIZED")
        translate(errors.UnknownPlay, 400, "VALIDATION_ERROR")
        translate(errors.NetworkNotOffered, 400, "VALIDATION_ERROR", lambda error: [{"field": "cryptocurrency", "message": str(error)}])
