import logging

from celery import shared_task

from cryptons.audit.chain import kept_head, problems, seal

logger = logging.getLogger("cryptons.audit")


@shared_task
def seal_audit() -> None:
    """Join entries to the chain whose process died between their commit and that."""
    seal()


@shared_task
def check_audit() -> None:
    for problem in problems(kept_head()):
        logger.error("the audit log was tampered with", extra={"problem": problem})
