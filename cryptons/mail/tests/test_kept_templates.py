"""A kept template writes what the template itself writes."""

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from cryptons.mail.kept_templates import MARK, render_kept

NASTY = ("Copper Kettle", "<b>&amp;</b> \"'", "{{ name }} {% now %} %(total)s %s", f"{MARK}0{MARK}", "0", "é€\U0001f600", "")


def values_of(*names):
    return {
        "shop_name": "Kettle & Thread",
        "public_url": "https://shop.example",
        "order": {"number": f"7K3M9-{names[0]}"},
        "lines": [{"quantity": "2", "name": name, "total": f"{name}$1.00"} for name in names],
        "total": "$3.00",
        "amount": "0.00041234 BTC",
        "until": "26 November 2026, 10:30 UTC",
        "pay_url": "https://shop.example/pay/1/?order=a&b=<",
        "order_url": "https://shop.example/orders/a'b/",
    }


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("template", ["shop/mail/order_received.txt", "shop/mail/order_received.html"])
def test_it_writes_what_the_template_writes(template, language):
    with translation.override(language):
        for names in ([name] for name in NASTY):
            assert render_kept([template], values_of(*names)) == [render_to_string(template, values_of(*names))]
        assert render_kept([template], values_of(*NASTY)) == [render_to_string(template, values_of(*NASTY))]


def test_texts_are_inserted_without_running_the_template_again(monkeypatch):
    [first] = render_kept(["shop/mail/order_received.html"], values_of("Copper Kettle"))
    monkeypatch.setattr("cryptons.mail.kept_templates.render_to_string", None)

    assert render_kept(["shop/mail/order_received.html"], values_of("Steel Kettle")) == [first.replace("Copper Kettle", "Steel Kettle")]


def test_what_is_no_text_is_refused():
    with pytest.raises(TypeError, match="takes texts only, not 3"):
        render_kept(["shop/mail/order_received.txt"], {"total": 3})
