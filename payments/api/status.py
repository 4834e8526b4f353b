"""The state of one invoice, for its buyer's programs."""

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.errors import NotFound
from cryptons.api.schema import describe
from cryptons.api.views import ApiView, parse_id, success
from payments.api.outputs import InvoiceStatusSerializer
from payments.invoices.buyer_view import read_buyer_view
from payments.models import Invoice


class InvoiceStatus(ApiView):
    """Returns the state of an invoice to anybody who has its id, in one query, because pay pages ask often."""

    @describe("Get the status of an invoice", data=InvoiceStatusSerializer, errors=[404])
    def get(self, request: Request, invoice_id: str) -> Response:
        try:
            view = read_buyer_view(parse_id(invoice_id, _("Invoice not found")))
        except Invoice.DoesNotExist:
            raise NotFound(_("Invoice not found")) from None
        return success(InvoiceStatusSerializer.serialize(view), headers={"Cache-Control": "no-store"})
