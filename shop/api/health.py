from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.permissions import may
from cryptons.api.schema import TEXT, TIME, WHOLE, Shape, array, describe, nullable, one_of, shape
from cryptons.api.views import ApiView, success
from payments.api.nodes import NODE
from shop.health import read_health

STATUS = one_of("ok", "attention", "trouble")


def part(**more: Shape) -> Shape:
    return shape(status=STATUS, problem=TEXT, **more)


HEALTH = shape(
    status=STATUS,
    checkedAt=TIME,
    database=part(engine=TEXT, latencyMs=WHOLE),
    cache=part(),
    search=part(engine=TEXT),
    queue=part(waiting=nullable(WHOLE)),
    mail=part(waiting=WHOLE, oldestUnsentAt=nullable(TIME)),
    nodes=part(networks=array(NODE)),
)


class Health(ApiView):
    """200 while the database answers, whatever else is wrong; 503 when it does not."""

    permission_classes = [may("stats:read")]

    @describe("How database, cache, search, queue, mail and nodes are", data=HEALTH, errors=[403], login=True)
    def get(self, request: Request) -> Response:
        return success(read_health(at=timezone.now()), headers={"Cache-Control": "no-store"})
