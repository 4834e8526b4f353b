"""A product as Elasticsearch stores it. Words come folded (see `base.fold`), so the analysers only split them."""

from typing import Any

from django_elasticsearch_dsl import Document, fields
from django_elasticsearch_dsl.registries import registry
from elasticsearch.dsl import analyzer, token_filter, tokenizer

from shop.models import Product
from shop.search.base import Entry, fold, hundredths, index_words, microseconds

WORDS = analyzer("words", tokenizer=tokenizer("whitespace"))
STEMS = analyzer("stems", tokenizer=tokenizer("whitespace"), filter=["porter_stem"])
BEGINNINGS = analyzer(
    "beginnings",
    tokenizer=tokenizer("whitespace"),
    filter=[token_filter("beginning", "edge_ngram", min_gram=4, max_gram=12)],
)


@registry.register_document
class ProductDocument(Document):  # type: ignore[misc]
    name = fields.TextField(analyzer=WORDS, fields={"begins": fields.TextField(analyzer=BEGINNINGS, search_analyzer=WORDS)})
    sku = fields.TextField(analyzer=WORDS)
    category = fields.TextField(analyzer=WORDS)
    description = fields.TextField(analyzer=WORDS)
    stems = fields.TextField(analyzer=STEMS)
    category_id = fields.KeywordField()
    name_order = fields.KeywordField()
    price = fields.LongField()
    rating = fields.IntegerField()
    rating_order = fields.LongField()
    created = fields.LongField()
    updated = fields.LongField()
    in_stock = fields.BooleanField()

    class Index:
        name = "cryptons-products"
        settings = {"number_of_shards": 1, "number_of_replicas": 0, "max_result_window": 1_000_000}

    class Django:
        model = Product


def source_of(entry: Entry) -> dict[str, Any]:
    """Turn an entry into a document: times in microseconds since 1970, ratings in hundredths, prices in minor units."""
    name, category, description = map(index_words, (entry.name, entry.category_names, entry.description))
    return {
        "name": name,
        "sku": fold(entry.sku),
        "category": category,
        "description": description,
        "stems": f"{name} {category} {description}",
        "category_id": str(entry.category_id),
        "name_order": f"{fold(entry.name)} {entry.id}",
        "price": entry.price_minor,
        "rating": hundredths(entry.rating_average),
        "rating_order": hundredths(entry.rating_average) * 2**32 + min(entry.rating_count, 2**32 - 1),
        "created": microseconds(entry.created_at),
        "updated": microseconds(entry.updated_at),
        "in_stock": entry.in_stock,
    }
