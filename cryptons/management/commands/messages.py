from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cryptons import translations


class Command(BaseCommand):
    help = "Collect the sentences of code and templates into locale/, and compile the translations."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail if a file is stale or a sentence untranslated")
        parser.add_argument("--language", action="append", default=[], help="begin with a new language, such as fr")

    def handle(self, *args: Any, check: bool, language: list[str], **options: Any) -> None:
        incomplete = False
        for code in sorted({*translations.languages(), *language}):
            if not check:
                translations.update(code)
            problems = translations.problems(code)
            for problem in problems:
                self.stdout.write(f"{code}: {problem}")
            incomplete = incomplete or bool(problems)
        if check and incomplete:
            raise CommandError("The translations are not complete.")
