"""Files that are whole or absent, and errors that say where they happened."""

import errno

import pytest

from ase_eqtensor.errors import (
    DataError,
    EqTensorError,
    MissingExtraError,
    OutputExistsError,
    StructureError,
    located,
)
from ase_eqtensor.parallel import in_parallel
from ase_eqtensor.storage import check_place, complete_file, refuse_existing


class Picky(StructureError):
    """An error whose constructor wants something else than a message."""

    def __init__(self, count: int, *, unit: str):
        super().__init__(f"{count} {unit}")
        self.count = count


def test_a_located_error_is_the_same_error_with_a_place():
    try:
        try:
            raise ValueError("inner")
        except ValueError as cause:
            raise Picky(3, unit="atoms") from cause
    except Picky as error:
        moved = located(error, "a.cif")
        assert type(moved) is Picky and str(moved) == "a.cif: 3 atoms" and moved.count == 3
        assert moved.__cause__ is error.__cause__ and moved.__traceback__ is error.__traceback__
        assert str(error) == "3 atoms"  # which others may hold


@pytest.mark.parametrize(
    "error",
    [EqTensorError("e"), DataError("e"), OutputExistsError("e"), MissingExtraError("e", name="x")],
)
def test_every_kind_of_error_can_be_located(error):
    moved = located(error, "row 3")
    assert isinstance(moved, type(error)) and "row 3: e" in map(str, moved.args)


def test_a_complete_file_takes_the_place_of_another(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with complete_file(path) as part:
        assert part.name == path.name  # writers look at the suffix
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_an_incomplete_file_leaves_everything_as_it_was(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), complete_file(path) as part:
        part.write_text("ne")
        raise OSError(errno.ENOSPC, "full")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_places_are_checked(tmp_path):
    path = tmp_path / "a.txt"
    check_place(path)
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match="a.txt exists"):
        refuse_existing(path)
    refuse_existing(path, overwrite=True)
    with pytest.raises(DataError, match="no folder"):
        check_place(tmp_path / "none" / "a.txt")


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers):
    assert list(in_parallel(pow, [(i, 2) for i in range(20)], workers)) == [
        i * i for i in range(20)
    ]
