"""Where a buyer says where their money shall go back to."""

from django.http import Http404, HttpRequest, HttpResponse

from payments.refund_links import BadRefundLink, read_token


def refund(request: HttpRequest, token: str) -> HttpResponse:
    try:
        read_token(token)
    except BadRefundLink as error:
        raise Http404(str(error)) from error
    raise Http404("There is nothing to send back.")
