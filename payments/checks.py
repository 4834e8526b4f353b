"""Check the configuration before the shop starts, in every web and worker process."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.text import get_text_list

from cryptons.coins import CoreCoin, core_coins, node_settings
from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.bitcoin import descriptors
from payments.networks.bitcoin.wallet import wallet_problem
from payments.networks.lightning.macaroons import ESTIMATE, PAY_OUT, RECEIVE, needless
from payments.networks.lightning.rpc import credential
from payments.networks.registry import is_sandbox, offered_networks
from payments.networks.stripe.keys import counts_currency, takes_play_money, takes_real_money
from payments.rates.current import MIN_SOURCES
from payments.rates.sources import KNOWN, sources


def _any_node_setting() -> str:
    return get_text_list([*node_settings(), "STRIPE_SECRET_KEY"], "or")


@register()
def check_networks(**_: Any) -> list[CheckMessage]:
    if offered_networks() or is_sandbox():
        return []
    hint = f"Set {_any_node_setting()}, or SANDBOX=true to try the shop out with play money."
    return [Warning("No way to pay is configured, so nothing can be bought.", hint=hint, id="payments.W001")]


@register()
def check_cards(**_: Any) -> list[CheckMessage]:
    """Check the keys of Stripe: those of its test mode are play money, so a shop that takes real money does not offer cards by them."""
    if not settings.STRIPE_SECRET_KEY:
        return []
    if not (takes_real_money() or takes_play_money()):
        hint = "Copy it whole from Stripe's dashboard, under Developers, API keys."
        return [Error("STRIPE_SECRET_KEY must be a secret or restricted key: sk_… or rk_….", hint=hint, id="payments.E008")]
    if not counts_currency():
        text = f"Stripe counts {settings.CURRENCY} in another unit than the shop, so cards are not offered."
        return [Warning(text, hint="Cards can be taken in currencies with two decimals.", id="payments.W010")]
    found: list[CheckMessage] = []
    if takes_play_money() and not is_sandbox():
        text = "STRIPE_SECRET_KEY is a key of Stripe's test mode, and this shop takes real money: cards are not offered."
        found.append(Warning(text, hint="Set a live key, sk_live_… or rk_live_….", id="payments.W011"))
    if not settings.STRIPE_WEBHOOK_SECRET:
        text = "STRIPE_WEBHOOK_SECRET is not set: card payments are noticed by polling alone."
        found.append(Warning(text, hint="Make a webhook endpoint in Stripe's dashboard, see docs/cards.md.", id="payments.W012"))
    return found


@register()
def check_rate_sources(**_: Any) -> list[CheckMessage]:
    try:
        asked = {source.name for source in sources()}
    except ImproperlyConfigured as error:
        return [Error(str(error), id="payments.E003")]
    if len(asked) < MIN_SOURCES and not settings.FIXED_RATES:
        hint = f"Name some of {', '.join(KNOWN)}."
        return [Error("RATE_SOURCES must name at least two: no price is made of one alone.", hint=hint, id="payments.E003")]
    return []


@register()
def check_descriptor(**_: Any) -> list[CheckMessage]:
    return [Error(problem, id="payments.E001") for coin in core_coins() if (problem := _descriptor_problem(coin))]


def _descriptor_problem(coin: CoreCoin) -> str:
    if not coin.descriptor:
        return ""
    try:
        descriptors.normalised(coin.descriptor, coin.network, coin)
    except descriptors.DescriptorError as error:
        return str(error)
    return ""


@register()
def check_hints(**_: Any) -> list[CheckMessage]:
    hint = "Write what bitcoind.conf says behind zmqpubsequence=, such as tcp://127.0.0.1:28332."
    return [
        Error(f"{coin.setting('ZMQ')} must be an address that the node publishes on, not {address!r}.", hint=hint, id="payments.E007")
        for coin in core_coins()
        for address in coin.zmq
        if not _is_zmq(address)
    ]


def _is_zmq(address: str) -> bool:
    try:
        url = urlsplit(address)
        return bool(url.hostname and url.port and not url.path) if url.scheme == "tcp" else url.scheme == "ipc" and bool(url.path)
    except ValueError:  # a port that is none
        return False


@register()
def check_public_sandbox(**_: Any) -> list[CheckMessage]:
    """Warn at each start of a sandbox that strangers can reach."""
    return _sandbox_warning() if settings.PUBLIC_URL.startswith("https://") else []


@register(deploy=True)
def check_sandbox(**_: Any) -> list[CheckMessage]:
    return [] if settings.PUBLIC_URL.startswith("https://") else _sandbox_warning()


def _sandbox_warning() -> list[CheckMessage]:
    if not is_sandbox():
        return []
    hint = f"Set SANDBOX=false, and one of {_any_node_setting()}."
    return [Warning("SANDBOX IS ON: anybody can simulate a payment, and its order is processed as paid.", hint=hint, id="payments.W009")]


@register(deploy=True)
def check_macaroons(**_: Any) -> list[CheckMessage]:
    """Warn of a macaroon that allows more than needed: an intruder on that machine could use all of it."""
    if not settings.LND_HOST:
        return []
    paid = _check_macaroon("LND_MACAROON", RECEIVE | ESTIMATE, "can be paid", "shop.macaroon")
    return paid + (_check_macaroon("LND_PAYOUT_MACAROON", PAY_OUT, "can pay", "payouts.macaroon") if settings.LND_PAYOUT_MACAROON else [])


def _check_macaroon(name: str, needed: frozenset[str], may: str, file: str) -> list[CheckMessage]:
    try:
        beyond = needless(credential(name), needed)
    except (NodeRejected, ValueError) as error:
        return [Warning(f"{name} cannot be read: {error}", id="payments.W004")]
    if not beyond:
        return []
    hint = f"Make one that {may} and nothing else: lncli bakemacaroon --save_to={file} {' '.join(sorted(needed))}"
    return [Warning(f"{name} ALLOWS MORE THAN IT NEEDS TO: {', '.join(beyond)}.", hint=hint, id="payments.W003")]


@register("node")
def check_node(**_: Any) -> list[CheckMessage]:
    """Check the nodes' wallets. A wrong node stops the shop; one that cannot be reached does not."""
    return [message for coin in core_coins() if coin.host and not _descriptor_problem(coin) for message in _check_wallet(coin)]


def _check_wallet(coin: CoreCoin) -> list[CheckMessage]:
    try:
        problem = wallet_problem(coin)
    except NodeUnavailable as error:
        return [Warning(f"{error} The shop starts, and takes {coin.name} once it does.", id="payments.W002")]
    except NodeRejected as error:
        problem = str(error)
    return [Error(problem, id="payments.E002")] if problem else []


@register()
def check_xrp_address(**_: Any) -> list[CheckMessage]:
    """Check the checksum of XRP_ADDRESS, because money sent to a mistyped account is lost."""
    if not settings.XRP_ADDRESS:
        return []
    from xrpl.core.addresscodec import is_valid_classic_address

    if is_valid_classic_address(settings.XRP_ADDRESS):
        return []
    return [Error("XRP_ADDRESS must be your account's address, r and 24 to 34 letters and digits, copied whole.", id="payments.E005")]


@register("node")
def check_xrp_server(**_: Any) -> list[CheckMessage]:
    if not settings.XRP_URL or check_xrp_address():
        return []
    from payments.networks.xrp.ledger import MAIN_NETWORK
    from payments.networks.xrp.network import receiving

    try:
        server, account = receiving()
    except NodeUnavailable as error:
        return [Warning(f"{error} The shop starts, and takes XRP once it does.", id="payments.W005")]
    except NodeRejected as error:
        return [Error(str(error), id="payments.E006")]
    found: list[CheckMessage] = []
    if server.network_id != MAIN_NETWORK:
        text = f"XRP_URL is a server of network {server.network_id}, not of the main network (0): XRP there has no value."
        found.append(Warning(text, id="payments.W006"))
    if not account.requires_tag:
        hint = "Set it (AccountSet, asfRequireDest), and the ledger refuses such payments."
        text = "The XRP account does not require a destination tag: staff must match payments without one by hand."
        found.append(Warning(text, hint=hint, id="payments.W007"))
    if account.unwanted:
        found.append(Warning("The XRP account has DisallowXRP set: wallets may refuse to pay it. Clear it.", id="payments.W008"))
    return found
