"""Arguments that several commands share."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime

from cryptons.money import UNITS
from payments.accounting.periods import parse_moment


def add_period(parser: ArgumentParser, *, since: str, until: str) -> None:
    """`--since`, `--until` and `--network`; `since` and `until` describe their defaults."""
    parser.add_argument(
        "--since", type=_moment, metavar="DATE", help=f"the first day or moment in UTC, 2026-11-01 or 2026-11-01T12:30; {since}"
    )
    parser.add_argument("--until", type=_moment, metavar="DATE", help=f"the day or moment after the last; {until}")
    parser.add_argument("--network", choices=tuple(UNITS), default="", help="this network only")


def _moment(text: str) -> datetime:
    """Turn a ValueError into the one error whose text argparse shows."""
    try:
        return parse_moment(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
