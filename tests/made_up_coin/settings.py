"""The shop's settings, with one more entry in the table of coins. Nothing else of the program knows this coin."""

from cryptons.coins import COINS, Chain, CoreCoin

COINS["KTL"] = CoreCoin(
    code="KTL",
    name="Kettlecoin",
    base_name="drip",
    dust_base=1_000,
    uri_scheme="kettlecoin",
    sandbox_price="2.50",
    prefix="KETTLECOIN",
    chains={"mainnet": Chain("main", 22555, "ktl"), "regtest": Chain("regtest", 22655, "rktl")},
)

from cryptons.settings import *  # noqa: E402, F403 (the settings iterate the table)
