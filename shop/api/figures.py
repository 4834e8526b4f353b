"""The shop's figures, for those who may read orders: as they are, by period, and as a CSV file."""

from django.conf import settings
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.errors import Invalid
from cryptons.api.outputs import DecimalText, Output
from cryptons.api.permissions import may
from cryptons.api.schema import describe, one_of
from cryptons.api.views import ApiView, success
from cryptons.csv_lines import csv_download
from cryptons.money import format_fiat
from shop.figures.reading import DEFAULT_PERIOD, PERIODS, Amounts, Analytics, csv_rows, known_currencies, read_analytics, read_stats

FORMATS = ("json", "csv")
NO_STORE = {"Cache-Control": "no-store"}


class AmountsSerializer(Output):
    currency = serializers.CharField()
    placed = serializers.IntegerField(help_text="Orders that were placed, paid or not")
    orders = serializers.IntegerField(help_text="Orders that were paid")
    units = serializers.IntegerField(help_text="Units of products in them")
    revenue = DecimalText(help_text="Their totals, in the currency in which they were priced when they were paid")
    averageOrder = DecimalText(allow_null=True, help_text="Revenue of one paid order")
    refunds = serializers.IntegerField(help_text="Refunds that were sent")
    refunded = DecimalText(help_text="Their value when they were agreed to")

    def read_revenue(self, amounts: Amounts) -> str:
        return format_fiat(amounts.revenue_minor, amounts.currency)

    def read_averageOrder(self, amounts: Amounts) -> str | None:
        return None if amounts.average_minor is None else format_fiat(amounts.average_minor, amounts.currency)

    def read_refunded(self, amounts: Amounts) -> str:
        return format_fiat(amounts.refunded_minor, amounts.currency)


class DaySerializer(Output):
    day = serializers.DateField(source="key")
    amounts = AmountsSerializer()


class CoinSalesSerializer(Output):
    coin = serializers.CharField(source="key")
    name = serializers.CharField()
    amounts = AmountsSerializer()


class ProductSalesSerializer(Output):
    productId = serializers.UUIDField(source="pk", allow_null=True, help_text="null if the product is not there any more")
    sku = serializers.CharField(source="key")
    name = serializers.CharField()
    amounts = AmountsSerializer()


class CategorySalesSerializer(Output):
    categoryId = serializers.UUIDField(source="pk", allow_null=True, help_text="null if the category is not there any more")
    name = serializers.CharField()
    amounts = AmountsSerializer()


class LowStockSerializer(Output):
    productId = serializers.UUIDField(source="pk")
    sku = serializers.CharField()
    name = serializers.CharField()
    stock = serializers.IntegerField()


class AnalyticsSerializer(Output):
    period = serializers.ChoiceField(tuple(PERIODS))
    since = serializers.DateField(help_text="The first day, in the shop's time zone")
    until = serializers.DateField(help_text="The last day: today")
    timeZone = serializers.CharField()
    currency = serializers.CharField()
    otherCurrencies = serializers.ListField(child=serializers.CharField(), help_text="There are figures in these too")
    totals = AmountsSerializer()
    days = DaySerializer(many=True)
    coins = CoinSalesSerializer(many=True)
    products = ProductSalesSerializer(many=True)
    categories = CategorySalesSerializer(many=True)
    lowStock = LowStockSerializer(many=True, source="low_stock")

    def read_timeZone(self, analytics: Analytics) -> str:
        return str(settings.TIME_ZONE)

    def read_otherCurrencies(self, analytics: Analytics) -> list[str]:
        return list(analytics.other_currencies)


class StatsSerializer(Output):
    users = serializers.IntegerField()
    products = serializers.IntegerField()
    listed = serializers.IntegerField(help_text="Products that are sold now")
    lowStock = serializers.IntegerField(source="low_stock", help_text="Listed products of which few or none are left")
    toShip = serializers.IntegerField(source="to_ship", help_text="Orders that are paid and not shipped")
    onHold = serializers.IntegerField(source="on_hold", help_text="Orders that wait for a decision of staff")
    sales = AmountsSerializer(many=True, help_text="All that was ever ordered, by currency, the shop's own first")


class ShopStats(ApiView):
    permission_classes = [may("stats:read")]

    @describe("Get the shop's totals", data=StatsSerializer, scope="stats:read")
    def get(self, request: Request) -> Response:
        return success(StatsSerializer.serialize(read_stats()), headers=NO_STORE)


class ShopAnalytics(ApiView):
    permission_classes = [may("stats:read")]

    @describe(
        "Get the figures of a period",
        data=AnalyticsSerializer,
        parameters=[
            OpenApiParameter(
                "period", {**one_of(*PERIODS), "default": DEFAULT_PERIOD}, description="Up to today, in days of the shop's time zone"
            ),
            OpenApiParameter("currency", {"type": "string", "pattern": "^[A-Z]{3}$"}, description="The shop's own by default"),
            OpenApiParameter("format", one_of(*FORMATS), description="csv: a row for each day, currency and coin, product or category"),
        ],
        scope="stats:read",
        file=True,
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Get revenue, orders, refunds and best sellers by day, coin, product and category. Amounts of two currencies are never added up.

        An order counts from the day on which its payment was confirmed. The figures follow the orders within half a minute.
        """
        query = request.query_params
        choices = {"period": tuple(PERIODS), "currency": tuple(known_currencies()), "format": FORMATS}
        problems = {
            name: _("Must be one of %(choices)s.") % {"choices": ", ".join(known)}
            for name, known in choices.items()
            if query.get(name) and query[name] not in known
        }
        if problems:
            raise Invalid.fields(problems)
        period, now = query.get("period") or DEFAULT_PERIOD, timezone.now()
        if query.get("format") == "csv":
            return csv_download(f"figures-{period}", csv_rows(period, at=now))
        analytics = read_analytics(period, at=now, currency=query.get("currency", ""))
        return success(AnalyticsSerializer.serialize(analytics), headers=NO_STORE)
