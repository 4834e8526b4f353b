from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

from shop.models import Category


class CategoryTree:
    """All categories, read at once. A category in a loop or with a lost parent is a root."""

    def __init__(self, categories: Iterable[Category]) -> None:
        self._by_id = {category.pk: category for category in categories}
        self._by_slug = {category.slug: category for category in self._by_id.values()}
        self._children: dict[UUID | None, list[Category]] = {}
        for category in self._by_id.values():
            above = None if self._loops(category) else category.parent_id
            self._children.setdefault(above if above in self._by_id else None, []).append(category)

    def __iter__(self) -> Iterator[Category]:
        return iter(self._by_id.values())

    @property
    def roots(self) -> list[Category]:
        return self._children.get(None, [])

    def find(self, slug: str) -> Category | None:
        return self._by_slug.get(slug)

    def get(self, category_id: UUID) -> Category | None:
        return self._by_id.get(category_id)

    def children(self, category: Category) -> list[Category]:
        return self._children.get(category.pk, [])

    def path(self, category: Category) -> list[Category]:
        """List the categories from the root down to this one."""
        path: list[Category] = []
        at: Category | None = category
        while at is not None and at not in path:
            path.insert(0, at)
            at = self._by_id.get(at.parent_id) if at.parent_id else None
        return path

    def ids_below(self, category: Category) -> frozenset[UUID]:
        """Return the ids of the category and of all below it."""
        ids, next_ids = {category.pk}, [category.pk]
        while next_ids:
            children = [child.pk for pk in next_ids for child in self._children.get(pk, []) if child.pk not in ids]
            ids.update(children)
            next_ids = children
        return frozenset(ids)

    def sum_up(self, counts: Mapping[UUID, int]) -> dict[UUID, int]:
        """Turn counts by the products' own category into counts that include all categories below."""
        return {pk: sum(counts.get(below, 0) for below in self.ids_below(category)) for pk, category in self._by_id.items()}

    def _loops(self, category: Category) -> bool:
        seen, above = {category.pk}, category.parent_id
        while above is not None and above in self._by_id:
            if above in seen:
                return above == category.pk
            seen.add(above)
            above = self._by_id[above].parent_id
        return False
