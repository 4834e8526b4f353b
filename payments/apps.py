from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        from cryptons.api.errors import translate
        from payments import checks, errors  # noqa: F401 (registers the checks)

        for error in (errors.NodeUnavailable, errors.NodeRejected, errors.RateUnavailable, errors.NetworkNotOffered):
            translate(error, 503, "SERVICE_UNAVAILABLE")
        translate(errors.IllegalMark, 409, "ILLEGAL_TRANSITION")
        translate(errors.InvoiceMoved, 409, "CONFLICT")
        translate(errors.HintNotSigned, 401, "UNAUTHORIZED")
        translate(errors.UnknownPlay, 400, "VALIDATION_ERROR")
