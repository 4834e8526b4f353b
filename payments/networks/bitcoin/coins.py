from cryptons.coins import BITCOIN, LITECOIN
from cryptons.coins import CoreCoin as Coin

__all__ = ["BITCOIN", "LITECOIN", "Coin"]
