import re

from shop.models import new_order_number


def test_an_orders_number_has_ten_letters_and_digits_that_are_hard_to_confuse():
    numbers = {new_order_number() for _ in range(200)}

    assert len(numbers) == 200
    assert all(re.fullmatch("[2-9A-HJKMNP-TV-Z]{5}-[2-9A-HJKMNP-TV-Z]{5}", number) for number in numbers)
    for position in (0, 10):  # each place is drawn, also the first and the last one
        assert len({number[position] for number in numbers}) > 20


def test_the_least_and_the_greatest_draw_are_numbers_too(monkeypatch):
    for drawn, number in ((0, "22222-22222"), (30**10 - 1, "ZZZZZ-ZZZZZ")):
        monkeypatch.setattr("shop.models.secrets.randbelow", lambda limit, drawn=drawn: drawn)
        assert new_order_number() == number
