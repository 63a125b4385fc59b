"""What every source of training data looks like."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from ase_eqtensor.train.record import Record, Rejection


class Source(ABC):
    """A place where crystals with known tensors come from."""

    name: str

    @abstractmethod
    def records(self) -> Iterator[Record | Rejection]:
        """Yield the crystals, with tensors in the units, index order and frame of `Record`.

        Tensors are not yet checked or projected. A row that cannot be read is a `Rejection`.
        Raises DataError when the source as a whole cannot be read.
        """
