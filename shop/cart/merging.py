"""Move a guest's cart into the user's cart after the login."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from cryptons.db import in_transaction
from shop.cart.contents import MAX_LINES, SESSION_KEY, CartLine, cart_of
from shop.errors import Shortage
from shop.models import Cart, CartItem


@receiver(user_logged_in)
def merge_after_login(sender: Any, request: HttpRequest | None, user: User, **more: Any) -> None:
    session = getattr(request, "session", None)
    cart_id = session.pop(SESSION_KEY, None) if session is not None else None
    guest = Cart.objects.filter(pk=cart_id, user=None).first() if cart_id else None
    if request is None or guest is None:
        return
    for note in merge_carts(guest, user):
        messages.warning(request, note, fail_silently=True)


def merge_carts(guest: Cart, user: User) -> list[str]:
    """Add the guest's quantities to the user's, up to the stock. Returns sentences for the buyer about what did not fit."""
    cart = cart_of(user)
    return in_transaction(lambda: _move_lines(guest, cart))


def _move_lines(guest: Cart, cart: Cart) -> list[str]:
    moving = list(CartItem.objects.filter(cart=guest).prefetch_related("product"))
    if not Cart.objects.filter(pk=guest.pk).delete()[0]:
        return []
    mine = {item.product_id: item for item in CartItem.objects.filter(cart=cart)}
    notes = []
    for item in moving:
        notes.append(_merge_line(cart, item, mine.get(item.product_id), has_room=len(mine) < MAX_LINES))
        mine.setdefault(item.product_id, item)
    Cart.objects.filter(pk=cart.pk).update(updated_at=timezone.now(), voucher_code=guest.voucher_code or cart.voucher_code)
    return [note for note in notes if note]


def _merge_line(cart: Cart, item: CartItem, mine: CartItem | None, *, has_room: bool) -> str:
    line = CartLine(item, item.product)
    has = mine.quantity if mine else 0
    quantity = min(has + item.quantity, line.most)
    if not line.is_sold:
        return _("%(product)s is no longer sold and was left out.") % {"product": line.name}
    if quantity <= has or line.most == 0:
        return str(Shortage(line.name, line.most, in_cart=has))
    if mine:
        CartItem.objects.filter(pk=mine.pk).update(quantity=quantity)
    elif has_room:
        CartItem.objects.create(cart=cart, product=item.product, name=item.name, quantity=quantity, added_at=item.added_at)
    else:
        message = _("%(product)s was left out: a cart holds up to %(count)s different products.")
        return message % {"product": line.name, "count": MAX_LINES}
    return f"{Shortage(line.name, line.most)} {_('Your cart has all of them now.')}" if quantity < has + item.quantity else ""
