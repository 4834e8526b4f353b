"""Components of the OpenAPI document that have no serializer. The settings read this module, so it imports nothing."""

COMPONENTS = {
    "securitySchemes": {
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A token of a login"},
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "ck_…",
            "description": "An API key, which staff make; with the scopes that its routes name",
        },
        "orderKey": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Order-Key",
            "description": "The `accessKey` of an order that was placed without a login",
        },
    },
    "schemas": {
        "Error": {
            "type": "object",
            "required": ["success", "error"],
            "examples": [
                {
                    "success": False,
                    "error": {
                        "code": "VALIDATION_ERROR",
                        "message": "Some values cannot be accepted.",
                        "details": [{"field": "items.0.quantity", "message": "Ensure this value is greater than or equal to 1."}],
                    },
                }
            ],
            "properties": {
                "success": {"type": "boolean", "const": False},
                "error": {
                    "type": "object",
                    "required": ["code", "message", "details"],
                    "properties": {
                        "code": {"type": "string"},
                        "message": {"type": "string"},
                        "details": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["field", "message"],
                                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                            },
                        },
                        "stack": {"type": "string", "description": "In development only"},
                    },
                },
            },
        }
    },
}
"""The value of drf-spectacular's APPEND_COMPONENTS."""
