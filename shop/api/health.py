from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.permissions import may
from cryptons.api.schema import describe
from cryptons.api.views import ApiView, success
from payments.api.nodes import recent_nodes
from shop.api.outputs import HealthSerializer
from shop.health import read_health


class Health(ApiView):
    """Database, cache, search, queue, mail and nodes. 200 while the database answers, even if other parts fail; 503 when it does not."""

    permission_classes = [may("stats:read")]

    @describe("Get the health of the shop", data=HealthSerializer, scope="stats:read")
    def get(self, request: Request) -> Response:
        return success(HealthSerializer.serialize(read_health(recent_nodes(), at=timezone.now())), headers={"Cache-Control": "no-store"})
