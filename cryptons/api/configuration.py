"""Settings of REST framework, drf-spectacular and django-cors-headers."""

from corsheaders.defaults import default_headers

from cryptons.api.components import COMPONENTS
from cryptons.version import VERSION

CORS_HEADERS = (*default_headers, "idempotency-key", "x-order-key")
"""What a page of another origin may send."""
CORS_EXPOSED = (
    "ETag",
    "Location",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "X-Request-ID",
)
"""What it may read, in addition to the body."""

REST_FRAMEWORK: dict[str, object] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api_keys.KeyAuthentication", "accounts.tokens.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["cryptons.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["cryptons.api.envelope.EnvelopeRenderer"],
    "URL_FORMAT_OVERRIDE": None,  # a route with more than one format has its own filter `format`
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "cryptons.api.errors.handle",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}

SPECTACULAR: dict[str, object] = {
    "DESCRIPTION": "Every answer is in an envelope. Amounts of money and coins are decimal strings; times are ISO 8601 in UTC.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/",
    "PREPROCESSING_HOOKS": ["cryptons.api.schema.without_alias"],
    "POSTPROCESSING_HOOKS": [
        "cryptons.api.schema.allow_empty_parameters",
        "cryptons.api.links.add_links",
        "cryptons.events.types.add_webhooks",
        "cryptons.api.examples.add_examples",
    ],
    "GET_LIB_DOC_EXCLUDES": "cryptons.api.schema.classes_without_description",
    "APPEND_COMPONENTS": COMPONENTS,
}
