"""What networks are told of the elements: known values, scales, gaps."""

import csv

import numpy as np
import pytest
from ase.data import atomic_numbers
from crystals import CRYSTALS
from equivariance import bare, relative
from networks import tiny_network

from ase_eqtensor.network.elements import DESCRIPTORS, LAST, TABLE, descriptors
from ase_eqtensor.network.model import Architecture, TensorNetwork


@pytest.fixture(scope="module")
def table() -> dict[str, dict[str, str]]:
    """Element -> row of the file."""
    lines = [line for line in TABLE.read_text("utf-8").splitlines() if not line.startswith("#")]
    return {row["element"]: row for row in csv.DictReader(lines)}


def column(table, name: str) -> np.ndarray:
    """Column of the descriptors (119,) that stems from one of the file."""
    names = [key for key in next(iter(table.values())) if key != "element"]
    return descriptors("properties")[:, names.index(name) - len(names)]


def test_table_has_known_values(table):
    assert [atomic_numbers[symbol] for symbol in table] == [*range(1, LAST + 1)]
    assert float(table["Ar"]["polarisability_bohr3"]) == pytest.approx(11.08, abs=0.01)
    assert float(table["H"]["ionisation_energy_ev"]) == pytest.approx(13.598, abs=1e-3)
    assert float(table["F"]["electronegativity"]) == 3.98
    assert float(table["W"]["bulk_modulus_gpa"]) == pytest.approx(310, rel=0.02)
    assert float(table["W"]["melting_point_k"]) == pytest.approx(3695, rel=0.01)
    assert (table["Al"]["least_oxidation"], table["Al"]["greatest_oxidation"]) == ("3", "3")
    assert table["Sr"]["bulk_modulus_gpa"] == ""  # a gap of the source stays one in the file


@pytest.mark.parametrize("kind", DESCRIPTORS)
def test_descriptors_are_standardised(kind):
    values = descriptors(kind)
    assert values.shape == (119, {"shells": 9, "properties": 22}[kind])
    assert np.isfinite(values).all() and not values[0].any()
    np.testing.assert_allclose(values[1 : LAST + 1].mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(values[1 : LAST + 1].std(0), 1)
    assert np.linalg.matrix_rank(values) == values.shape[1]  # none follows from the others


def test_properties_stand_beside_the_shells():
    both = descriptors("properties")
    np.testing.assert_array_equal(both[:, :9], descriptors("shells"))
    assert not both[LAST + 1 :, 9:].any()  # ordinary, where no table knows


def test_gaps_lie_between_their_neighbours_in_chemistry(table):
    """Pymatgen has no bulk modulus of Sr; Ca and Ba stand beside it by the Mendeleev number."""
    modulus = column(table, "bulk_modulus_gpa")
    between = sorted(modulus[[atomic_numbers["Ca"], atomic_numbers["Ba"]]])
    assert between[0] <= modulus[atomic_numbers["Sr"]] <= between[1]


def test_order_is_that_of_the_values(table):
    """Logarithms and interpolation leave known values in their order."""
    name = "polarisability_bohr3"
    values = [float(row[name]) for row in table.values()]
    found = column(table, name)[1 : LAST + 1]
    np.testing.assert_array_equal(np.argsort(found), np.argsort(values))


def test_networks_differ_in_what_they_are_told():
    atoms = CRYSTALS["rutile"]
    shapes = []
    for kind in DESCRIPTORS:
        network = tiny_network(descriptors=kind).double()
        shapes.append(network.element.described[0].weight.shape[1])
        before = bare(network, atoms)[0]["elasticity_tensor"]
        network.element.table[8, -1] += 1
        assert relative(bare(network, atoms)[0]["elasticity_tensor"], before) > 1e-6
    assert shapes == [9, 22]


def test_unknown_descriptors():
    with pytest.raises(ValueError, match="colours"):
        TensorNetwork(Architecture(descriptors="colours"))
