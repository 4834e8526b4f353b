"""Current exchange rates."""

from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.schema import describe
from cryptons.api.views import ApiView, success
from payments.api.outputs import RateSerializer
from payments.rates.current import current_rates


class Rates(ApiView):
    @describe("Get exchange rates", data=RateSerializer, by_key=True)
    def get(self, request: Request) -> Response:
        rates = {coin: RateSerializer.serialize(rate) for coin, rate in current_rates().items()}
        return success(rates, headers={"Cache-Control": "public, max-age=30"})
