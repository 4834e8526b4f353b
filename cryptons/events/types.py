"""The events that webhooks tell of, and what each of them says: thin, without a buyer's data. What more there is, the API answers."""

from collections.abc import Iterable, Mapping
from typing import Any

Shape = dict[str, Any]

TEXT: Shape = {"type": "string"}
TRUTH: Shape = {"type": "boolean"}
MINOR: Shape = {"type": "integer", "description": "In the currency's smallest unit"}
WORDS: Shape = {"type": "array", "items": {"type": "string"}}
TEST = "webhook.test"

FIELDS: dict[str, dict[str, Shape]] = {
    "order": {"status": TEXT, "paymentStatus": TEXT, "onHold": TRUTH, "transactionHash": TEXT},
    "invoice": {
        "status": TEXT,
        "flags": WORDS,
        "network": TEXT,
        "paidSeenMinor": MINOR,
        "paidSafeMinor": MINOR,
        "exceptions": WORDS,
    },
    "payment": {
        "network": TEXT,
        "reference": {**TEXT, "description": "The payment's name in its network, such as `<transaction>:<output>`"},
        "amount": {**TEXT, "description": "In coins, as a decimal"},
        "status": TEXT,
    },
    "payout": {"status": TEXT, "network": TEXT, "amount": TEXT, "reference": TEXT},
    "stock": {"stock": {"type": "integer"}},
    "review": {
        "productId": {"type": "string", "format": "uuid"},
        "rating": {"type": "integer", "description": "Stars, from 1 to 5"},
        "approved": {**TRUTH, "description": "Whether everybody sees it"},
        "verifiedPurchase": TRUTH,
    },
    "webhook": {},
}
"""What `data` has in addition to `id` and `seq`, by what the event is about. An event leaves out what it does not tell."""

ALWAYS = {"order": ("status", "paymentStatus", "onHold"), "invoice": ("status", "flags"), "stock": ("stock",)}
ALWAYS |= {"payment": ("network", "reference", "amount", "status"), "payout": ("status", "network", "amount")}
ALWAYS |= {"review": ("productId", "rating", "approved", "verifiedPurchase")}

IDS = {
    "order": "The order",
    "invoice": "The invoice",
    "payment": "The invoice that it pays",
    "payout": "The payout",
    "stock": "The product",
    "review": "The review",
    "webhook": "A new id for each test",
}

_EVENTS = {
    "order": (
        "placed payment_seen payment_confirming paid underpaid payment_late payment_expired requoted payment_gone held hold_released "
        "processing shipped delivered cancelled refunded updated"
    ),
    "invoice": "new processing settled expired invalid cancelled updated dismissed reopened sent_back",
    "payment": "seen settled gone",
    "payout": (
        "draft destination agreed approved sending sent failed unknown withdrawn stopped covered fee_too_high fee_allowed try_again updated"
    ),
    "stock": "changed",
    "review": "submitted updated approved rejected deleted",
}
EVENT_TYPES = tuple(f"{subject}.{event}" for subject, events in _EVENTS.items() for event in events.split())
"""What an endpoint can choose."""


def told(type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an event's data that a webhook tells."""
    return {name: data[name] for name in FIELDS[type.partition(".")[0]] if name in data}


def schema_of(type: str) -> Shape:
    """Return the JSON schema of a webhook's body."""
    subject = type.partition(".")[0]
    data: Shape = {
        "type": "object",
        "required": ["id", "seq", *ALWAYS.get(subject, ())],
        "properties": {
            "id": {"type": "string", "format": "uuid", "description": IDS[subject]},
            "seq": {
                "type": "integer",
                "description": "Rises with each change of what `id` names: a lower one than the last is old",
            },
            **FIELDS[subject],
        },
    }
    return {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {"type": {"type": "string", "const": type}, "timestamp": {"type": "string", "format": "date-time"}, "data": data},
    }


def add_webhooks(result: Shape, types: Iterable[str] = (*EVENT_TYPES, TEST), **_: Any) -> Shape:
    """Describe each event under `webhooks` of the OpenAPI document: one of drf-spectacular's POSTPROCESSING_HOOKS."""
    headers = [
        {"name": name, "in": "header", "required": True, "schema": TEXT, "description": words}
        for name, words in (
            ("webhook-id", "The same in each attempt: do nothing for one that you have had"),
            ("webhook-timestamp", "When the attempt was made, in Unix seconds"),
            ("webhook-signature", "`v1,` and base64, several separated by spaces while a secret is rotated"),
        )
    ]
    result["webhooks"] = {
        type: {
            "post": {
                "summary": type,
                "parameters": headers,
                "requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(type)}}},
                "responses": {
                    "2XX": {"description": "Received. Any other answer is a failure, and is tried again"},
                    "410": {"description": "Not wanted any more: the endpoint is disabled"},
                },
            }
        }
        for type in types
    }
    return result
