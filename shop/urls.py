from django.urls import path, re_path, register_converter
from django.views.generic import RedirectView

from shop.cart import pages as cart_pages
from shop.catalogue import pages
from shop.catalogue.slugs import AnySlug
from shop.checkout import pages as checkout_pages
from shop.checkout import pay_page as pay
from shop.checkout import quote_page
from shop.orders import pages as order_pages
from shop.settings import contact_page
from shop.settings import pages as content_pages

register_converter(AnySlug, "any_slug")

app_name = "shop"
urlpatterns = [
    path("", pages.home, name="home"),
    path("c/<any_slug:slug>/", pages.category, name="category"),
    path("p/<any_slug:slug>/", pages.product, name="product"),
    path("search", pages.search, name="search"),
    re_path("^products/?$", RedirectView.as_view(pattern_name="shop:search", permanent=True, query_string=True)),  # as people guess it
    path("search/suggest", pages.suggest, name="suggest"),
    path("pages/<any_slug:slug>/", content_pages.page, name="page"),
    path("contact/", contact_page.contact, name="contact"),
    path("cart/", cart_pages.cart, name="cart"),
    path("cart/add/", cart_pages.cart_add, name="cart_add"),
    path("cart/voucher/", cart_pages.cart_voucher, name="cart_voucher"),
    path("checkout/", checkout_pages.checkout, name="checkout"),
    path("checkout/payment/", checkout_pages.checkout_payment, name="checkout_payment"),
    path("pay/<uuid:invoice_id>/", pay.pay, name="pay"),
    path("pay/return/<str:token>/", pay.pay_return, name="pay_return"),
    path("pay/<uuid:invoice_id>/status", pay.pay_status, name="pay_status"),
    path("pay/<uuid:invoice_id>/stream", pay.pay_stream, name="pay_stream"),
    path("sandbox/<uuid:invoice_id>/", pay.sandbox_play, name="sandbox_play"),
    path("pay/<uuid:invoice_id>/quote/", quote_page.quote, name="quote"),
    path("orders/find/", order_pages.find_order, name="find_order"),
    path("orders/<slug:key>/", order_pages.order, name="order"),
    path("orders/<slug:key>/stream", order_pages.order_stream, name="order_stream"),
    path("orders/<slug:key>/pay/", order_pages.order_pay, name="order_pay"),
    path("orders/<slug:key>/receipt/", order_pages.receipt, name="receipt"),
    path("orders/<slug:key>/cancel/", order_pages.order_cancel, name="order_cancel"),
    path("orders/<slug:key>/money-back/", order_pages.request_refund, name="request_refund"),
    path("orders/<slug:key>/again/", order_pages.order_again, name="order_again"),
    path("account/orders/", order_pages.orders, name="orders"),
]
