"""The page on which a buyer requests a refund, behind the signed link of their email.

The link's key comes in the address once. The session then remembers it, and the page has an address with the invoice's id, so that the key
is in no log or history.
"""

from dataclasses import dataclass
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from cryptons.client_address import client_ip
from cryptons.coins import BITCOIN, CARD, LIGHTNING
from cryptons.formats import coins
from cryptons.money import UNITS, Base
from cryptons.page_limits import TooManyForms, count_against
from cryptons.private_link import private_link
from payments.errors import NodeRejected, NodeUnavailable, PaymentError, PayoutRefused
from payments.invoices.refundable import STILL_PAYABLE, buyers_kind, most_of_kind, promised
from payments.models import Invoice, Payment, Payout
from payments.networks.registry import offered_networks
from payments.payouts.destinations import BadDestination, check_destination
from payments.payouts.people import BUYER
from payments.payouts.refund_links import BadRefundLink, read_token
from payments.payouts.workflow import draft_payout, set_destination

LIMIT = "30/hour"
"""Requests of one client address."""
LINKS_KEY = "refund_links"
"""In the session: the key of each link that this visitor opened, by the invoice's id, newest last."""
MOST_LINKS = 20


@dataclass(frozen=True)
class RefundWay:
    """What can be refunded over one network."""

    network: str
    amount_base: Base

    @property
    def label(self) -> str:
        return f"{coins(self.amount_base, self.network)} {UNITS[self.network].symbol}"

    @property
    def words(self) -> str:
        if self.network == LIGHTNING:
            return _("%(amount)s, to a Lightning invoice") % {"amount": self.label}
        if self.network == CARD:
            return _("%(amount)s, to the card that paid") % {"amount": self.label}
        return _("%(amount)s, to your %(coin)s address") % {"amount": self.label, "coin": UNITS[self.network].name}


class RefundForm(forms.Form):
    network = forms.ChoiceField(label=gettext_lazy("Network"), widget=forms.RadioSelect)
    destination = forms.CharField(
        label=gettext_lazy("Destination"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off", "autocapitalize": "off"}),
        help_text=gettext_lazy("An address of your own wallet. Do not use one of an exchange that requires a memo or does not know you."),
    )

    def __init__(self, data: object, ways: list[RefundWay], chosen: str) -> None:
        super().__init__(data, initial={"network": chosen})  # type: ignore[arg-type]
        self.ways = {way.network: way for way in ways}
        field = self.fields["network"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(way.network, way.words) for way in ways]
        if len(ways) == 1:
            field.widget = forms.HiddenInput()
        if self.needs_no_address:
            del self.fields["destination"]

    @property
    def needs_no_address(self) -> bool:
        """Whether all of it goes back to the card that paid."""
        return set(self.ways) == {CARD}

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        network, text = cleaned.get("network"), cleaned.get("destination")
        if network == CARD:
            cleaned["destination"] = ""
            self.errors.pop("destination", None)
        elif network and text:
            try:
                cleaned["destination"] = check_destination(network, text, self.ways[network].amount_base, at=timezone.now())
            except BadDestination as error:
                self.add_error("destination", str(error))
            except (NodeUnavailable, NodeRejected):
                self.add_error("destination", _("We cannot check this right now. Nothing was changed; please try again in a few minutes."))
        return cleaned


@require_http_methods(["GET", "HEAD", "POST"])
@private_link
def refund(request: HttpRequest, token: str) -> HttpResponse:
    kept: dict[str, str] = request.session.get(LINKS_KEY, {})
    try:
        invoice = Invoice.objects.get(pk=read_token(kept.get(token, token)))
    except BadRefundLink as error:
        return render(request, "payments/refund.html", {"problem": str(error)}, status=404)
    except Invoice.DoesNotExist:
        return render(request, "payments/refund.html", {"problem": _("This order is no longer stored. Please contact us.")}, status=404)
    page = reverse("payments:refund", args=[invoice.pk])
    if token != str(invoice.pk):
        request.session[LINKS_KEY] = dict([*kept.items(), (str(invoice.pk), token)][-MOST_LINKS:])
        if request.method != "POST":
            return redirect(f"{page}?{request.GET.urlencode()}" if request.GET else page)
    if request.method == "POST":
        try:
            count_against(LIMIT, "refund", client_ip(request))
        except TooManyForms as error:
            return error.answer(render(request, "payments/refund.html", {"problem": str(error)}))
    payout = _open_payout(invoice.pk)
    ways = refund_ways(invoice, payout)
    is_answered = payout is not None and payout.status != Payout.Status.SENT and bool(payout.destination)
    is_open_draft = payout is not None and payout.status == Payout.Status.DRAFT and not payout.approved_by and payout.network != CARD
    can_change = payout is None or payout.status == Payout.Status.SENT or is_open_draft
    chosen = payout.network if payout else ""
    form = RefundForm(request.POST or None, ways, chosen if chosen in [way.network for way in ways] else ways[0].network if ways else "")
    if request.method == "POST" and can_change and ways and form.is_valid():
        try:
            _ask(invoice, payout, form.cleaned_data["network"], form.cleaned_data["destination"])
        except PayoutRefused as error:
            messages.error(request, str(error))
        except PaymentError:
            messages.error(request, _("Something changed at the same moment. Please check the details and try again."))
        else:
            messages.success(request, _("Thank you. We will review your request and email you when the refund is sent."))
        return redirect(page)
    context = {
        "invoice": invoice,
        "payout": payout,
        "ways": ways,
        "form": form if can_change and ways else None,
        "is_open": bool(form.errors) or not is_answered or "change" in request.GET,
        "is_payable": invoice.status == Invoice.Status.NEW,
        "is_waiting": not ways and Payment.objects.filter(invoice=invoice, status=Payment.Status.SEEN).exists(),
    }
    return render(request, "payments/refund.html", context, status=400 if form.errors else 200)


def _open_payout(invoice_id: UUID) -> Payout | None:
    """Return the payout that waits for the buyer, else the newest that was not given up; those not sent yet come first."""
    rows = list(promised(invoice_id).order_by("-created_at"))
    asks = [payout for payout in rows if payout.status == Payout.Status.DRAFT and not payout.destination]
    unsent = [payout for payout in rows if payout.status != Payout.Status.SENT]
    return next(iter(asks or unsent or rows), None)


def refund_ways(invoice: Invoice, payout: Payout | None) -> list[RefundWay]:
    """Return what the buyer may ask for: what staff drafted; else all money that no longer pays the order."""
    if payout is not None and payout.status == Payout.Status.DRAFT:
        amounts = {payout.network: Base(payout.amount_base)}
        if UNITS[payout.network].coin == BITCOIN.code:
            msat = payout.amount_base if payout.network == LIGHTNING else payout.amount_base * 1000
            amounts = {BITCOIN.code: Base(msat // 1000), LIGHTNING: Base(msat - msat % 1000)}
    elif (payout is not None and payout.status != Payout.Status.SENT) or invoice.status in STILL_PAYABLE:
        return []
    else:
        amounts = most_of_kind(invoice, buyers_kind(invoice))
    offered = offered_networks()
    return [RefundWay(network, amount) for network, amount in amounts.items() if network in offered and amount > UNITS[network].dust_base]


def _ask(invoice: Invoice, payout: Payout | None, network: str, destination: str) -> None:
    now = timezone.now()
    if payout is not None and payout.status == Payout.Status.DRAFT:
        set_destination(payout.pk, destination, network=network, actor=BUYER, at=now)
        return
    draft_payout(invoice.pk, kind=buyers_kind(invoice), network=network, destination=destination, actor=BUYER, at=now)
