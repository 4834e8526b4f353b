"""What the OpenAPI document says once and refers to. The settings read it, so it imports nothing."""

COMPONENTS = {
    "schemas": {
        "Error": {
            "type": "object",
            "required": ["success", "error"],
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
    }
}
"""For drf-spectacular's APPEND_COMPONENTS."""
