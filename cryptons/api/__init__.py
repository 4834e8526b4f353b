"""The base of the REST API: envelope, errors, inputs, outputs, pages, permissions, limits, idempotency. Each app adds its routes.

    from cryptons.api.errors import Conflict, NotFound, translate
    from cryptons.api.inputs import Input, StrictString
    from cryptons.api.outputs import Output
    from cryptons.api.permissions import Authenticated, may
    from cryptons.api.schema import describe, describe_page
    from cryptons.api.views import ApiView, paginated, success

    class ParcelInput(Input):                           # what is taken: an unknown field is a 400
        weightGrams = StrictInteger(min_value=1)

    class ParcelSerializer(Output):                     # what is sent, and what the OpenAPI document says
        id = serializers.UUIDField(source="pk")
        weightGrams = serializers.IntegerField(source="weight_grams")

    class Parcels(ApiView):
        permission_classes = [Authenticated]            # 401 without a login
        # permission_classes = [may("orders:write")]    # 401 without a login, 403 without the permission

        @describe_page("List parcels", data=ParcelSerializer, errors=[400], login=True)
        def get(self, request):
            return paginated(request, Parcel.objects.all(), ParcelSerializer.serialize)      # data + meta{page, limit, total, next}

        @describe("Send a parcel", data=ParcelSerializer, status=201, body=ParcelInput, errors=[400, 415], login=True)
        def post(self, request):
            # decorated with cryptons.api.idempotency.idempotent, a POST gets `token` and may be sent twice
            values = self.valid(ParcelInput)            # a dict, or 400 with one `details` row per problem
            return success(ParcelSerializer.serialize(send(**values)), status=201)

An app registers the status and code of its own errors with `translate(OutOfStock, 409, "INSUFFICIENT_STOCK")` in its AppConfig.ready.
"""
