"""Make an API key for the other examples: `python make_key.py EMAIL PASSWORD`, or the username of staff for EMAIL."""

import sys

from client import call

SCOPES = ["orders:read", "payments:read", "payouts:send", "products:read", "products:write", "webhooks:write"]

email, password = sys.argv[1:]
token = call("POST", "/auth/login", {"email": email, "password": password})["data"]["token"]
made = call("POST", "/api-keys", {"name": "My first program", "scopes": SCOPES}, {"Authorization": f"Bearer {token}"})
print(made["data"]["key"])
