"""Give every page the state of the networks, without asking any node."""

from typing import Any

from django.http import HttpRequest

from cryptons.formats import text_list
from cryptons.money import UNITS
from payments.networks.registry import is_sandbox, offered_networks


def networks(request: HttpRequest) -> dict[str, Any]:
    return {
        "is_sandbox": is_sandbox(),
        "coin_names": text_list([UNITS[network].name for network in offered_networks()]),
    }
