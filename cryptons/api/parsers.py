from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser


class StrictJSONParser(BaseParser):
    """Reads JSON as its standard defines it: no NaN, no lone surrogates, no endless nesting, no body larger than the limit."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 1_000_000
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise ParseError(_("The body is larger than %(limit)d kB.") % {"limit": limit // 1000})
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            place = {"problem": error.msg, "line": error.lineno, "column": error.colno}
            raise ParseError(_("The body is not JSON: %(problem)s at line %(line)d, column %(column)d.") % place) from error
