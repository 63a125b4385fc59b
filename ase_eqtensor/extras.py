"""Libraries that the base install leaves out, and what to install for them."""

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import MissingExtraError


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around the imports that an extra of this package provides.

    Raises MissingExtraError, which names the extra, where one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is missing: pip install 'ase-eqtensor[{name}]'", name=error.name
        ) from error
