"""The REST API's own ground: envelope, errors, strict input, pages, permissions, limits. Each app adds its routes on top.

    from cryptons.api.views import ApiView, success, paginated
    from cryptons.api.inputs import Strict, Text, Whole, YesNo
    from cryptons.api.errors import NotFound, Conflict, translate
    from cryptons.api.permissions import Authenticated, may

    class Parcels(ApiView):
        permission_classes = [Authenticated]            # 401 without a login
        # permission_classes = [may("orders:write")]    # 401 without a login, 403 without the permission

        def get(self, request):
            return paginated(request, Parcel.objects.all(), ParcelSerializer)        # data + meta{page, limit, total}

        def post(self, request):
            # decorated with cryptons.api.idempotency.idempotent, a POST gets `token` and may be sent twice
            wanted = self.valid(ParcelInput)             # a dict, or 400 with one `details` row per problem
            return success(ParcelSerializer(send(**wanted)).data, status=201)

An app's own errors are translated by name: `translate(OutOfStock, 409, "INSUFFICIENT_STOCK")` in its AppConfig.ready.
"""
