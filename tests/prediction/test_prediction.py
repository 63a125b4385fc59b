"""Lists of crystals, and what is recorded with a result: provenance, warnings, refused elements."""

import json
import warnings

import numpy as np
import pytest
import spglib
import torch
from ase import Atoms
from ase.build import bulk
from crystals import CRYSTALS
from equivariance import relative
from networks import COUNTS, MADE_UP, card, tiny_network
from pymatgen.core import Lattice, Structure

import ase_eqtensor.prediction.predictor as prediction_module
from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.errors import (
    BorrowedElementWarning,
    ElementError,
    EqTensorWarning,
    FailedCrystalsWarning,
    MagneticWarning,
    MetalWarning,
    ModelError,
    StructureError,
    UnknownSymmetryWarning,
    UntrainedElementWarning,
    VacuumWarning,
)
from ase_eqtensor.models.store import Model
from ase_eqtensor.quantities import offered

DIELECTRIC = ("dielectric_tensor", "electronic_dielectric_tensor")
ELASTIC = ("elasticity_tensor", "compliance_tensor")
MGO = CRYSTALS["rocksalt"]
METALS = {
    "Cu": bulk("Cu"),
    "Al": bulk("Al"),
    "TiAl": Atoms(
        "TiAl", scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5)], cell=[2.83, 2.83, 4.06], pbc=True
    ),
}
SALT = bulk("NaCl", "rocksalt", a=5.64)  # the stiffness data of the test model lack Cl
TCO = bulk("TcO", "rocksalt", a=4.4)  # its dielectric data lack Tc


def caught(function, *arguments) -> list[type]:
    with warnings.catch_warnings(record=True) as log:
        warnings.simplefilter("always")
        function(*arguments)
    return [w.category for w in log if issubclass(w.category, EqTensorWarning)]


def overlapping() -> Atoms:
    return Atoms("Si2", positions=[(0, 0, 0), (0.1, 0, 0)], cell=[5] * 3, pbc=True)


def test_list_gives_what_single_crystals_give(calc):
    crystals = [CRYSTALS[name].copy() for name in CRYSTALS]
    entries = calc.predict(crystals)
    assert len(entries) == len(crystals)
    assert calc.results == {} and calc.atoms is None
    for atoms, entry in zip(crystals, entries, strict=True):
        assert atoms.calc is None
        assert list(entry) == list(offered())
        for name in offered():
            assert entry[name].dtype == np.float64 and entry[name].shape == offered()[name].shape
            assert relative(entry[name], calc.get_property(name, atoms)) < 1e-5
        record, expected = entry.record(), calc.prediction.record()
        assert record.pop("scalars") == pytest.approx(expected.pop("scalars"), rel=1e-4, abs=1e-5)
        assert record == expected


def test_batches_split_at_any_size_stay_aligned(calc, monkeypatch):
    crystals = list(CRYSTALS.values()) * 2
    expected = calc.predict(crystals)
    monkeypatch.setattr(prediction_module, "BATCH_EDGES", 300)
    for one, other in zip(expected, calc.predict(crystals), strict=True):
        assert relative(other["elasticity_tensor"], one["elasticity_tensor"]) < 1e-5


def test_workers_change_nothing(calc):
    crystals = [*CRYSTALS.values(), overlapping(), *CRYSTALS.values()]
    with pytest.warns(FailedCrystalsWarning):
        expected = calc.predict(crystals)
    with pytest.warns(FailedCrystalsWarning):
        entries = calc.predict(crystals, workers=2)
    for one, other in zip(expected, entries, strict=True):
        assert one.flags == other.flags and str(one.error) == str(other.error)
        assert list(one) == list(other)
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_empty_list(calc):
    assert calc.predict([]) == []


def test_cached_results_survive_a_list(calc):
    value = calc.get_property("elasticity_tensor", MGO)
    calc.predict([CRYSTALS["quartz"]])
    np.testing.assert_array_equal(calc.get_property("elasticity_tensor"), value)


def test_bad_crystals_in_a_list_are_reported_by_index(calc):
    disordered = Structure(Lattice.cubic(4), [{"Mg": 0.5, "Ca": 0.5}, "O"], [[0] * 3, [0.5] * 3])
    crystals = [
        MGO,
        overlapping(),
        CRYSTALS["quartz"],
        "text",
        disordered,
        Atoms(),
        CRYSTALS["rutile"],
    ]
    with pytest.warns(FailedCrystalsWarning, match=r"\[1, 3, 4, 5\]"):
        entries = calc.predict(crystals)
    for i, entry in enumerate(entries):
        if i in (1, 3, 4, 5):
            assert isinstance(entry.error, StructureError) and f"crystal {i}" in str(entry.error)
            assert len(entry) == 0
            with pytest.raises(StructureError, match=f"crystal {i}"):
                entry["elasticity_tensor"]
        else:
            assert entry.error is None
            expected = calc.get_property("elasticity_tensor", crystals[i])
            assert relative(entry["elasticity_tensor"], expected) < 1e-5


def test_isolated_atom(calc):
    lonely = Atoms("MgO", positions=[(0, 0, 0), (9, 9, 9)], cell=[18] * 3, pbc=True)
    with pytest.raises(StructureError, match="no neighbour within 5.0 Å"):
        calc.get_property("elasticity_tensor", lonely)


def test_progress_bar_on_request(calc, capsys):
    calc.predict([MGO])
    assert capsys.readouterr().err == ""
    calc.predict([MGO], progress=True)
    assert "1/1" in capsys.readouterr().err


def test_record(calc, model):
    calc.get_property("dielectric_tensor", MGO)
    record = json.loads(json.dumps(calc.prediction.record()))
    assert record.pop("scalars") == pytest.approx(calc.prediction.scalars)
    assert record == {
        "model": "tiny", "sha256": model.sha256, "level_of_theory": MADE_UP,
        "level": "first principles", "flags": [], "concerns": {}, "uncertainty": {}, "known": {},
    }  # fmt: skip


@pytest.mark.parametrize("name", METALS)
def test_dielectric_tensor_of_a_metal_warns_every_time(calc, name):
    atoms = METALS[name]
    for key in ELASTIC:
        assert caught(calc.get_property, key, atoms) == []
    for key in (*DIELECTRIC, *DIELECTRIC):
        assert caught(calc.get_property, key, atoms) == [MetalWarning]
    assert calc.prediction.flags == ("likely_metal",)
    atoms = atoms.copy()
    atoms.calc = calc
    assert caught(atoms.get_properties, ["dielectric_tensor"]) == [MetalWarning]
    assert caught(atoms.get_property, "dielectric_tensor") == [MetalWarning]
    entry = calc.predict([MGO, atoms])[1]
    assert entry.flags == ("likely_metal",)
    for key in offered():
        assert caught(entry.__getitem__, key) == [MetalWarning] * (key in DIELECTRIC)


@pytest.mark.parametrize("name", ["rocksalt", "quartz", "rutile", "perovskite", "silicon"])
def test_insulators_do_not_warn(calc, name):
    for key in offered():
        assert caught(calc.get_property, key, CRYSTALS[name]) == []
    assert calc.prediction.flags == ()


def test_magnetic_moments_and_vacuum_warn(calc):
    magnetic = CRYSTALS["rutile"].copy()
    magnetic.set_initial_magnetic_moments([1.0, -1.0, 0, 0, 0, 0])
    slab = MGO.copy() * (1, 1, 2)
    slab.center(vacuum=9.0, axis=2)
    for atoms, expected in ((magnetic, MagneticWarning), (slab, VacuumWarning)):
        for key in ("elasticity_tensor", "elasticity_tensor", "dielectric_tensor"):
            assert expected in caught(calc.get_property, key, atoms)
        assert expected.flag in calc.prediction.flags


def test_failed_symmetry_search_is_flagged_and_still_predicts(calc, monkeypatch):
    expected = calc.get_property("elasticity_tensor", CRYSTALS["triclinic"])
    monkeypatch.setattr(spglib, "get_symmetry_dataset", lambda *args, **kwargs: None)
    atoms = CRYSTALS["triclinic"] * (2, 1, 1)
    assert UnknownSymmetryWarning in caught(calc.get_property, "elasticity_tensor", atoms)
    assert "symmetry_unknown" in calc.prediction.flags
    value = calc.get_property("elasticity_tensor", atoms)
    assert np.linalg.eigvalsh(value)[0] > 0
    assert relative(value, expected) > 1e-6  # "unknown" is a class of its own


@pytest.mark.parametrize(
    "atoms, symbol, refused, given",
    [(SALT, "Cl", ELASTIC, DIELECTRIC), (TCO, "Tc", DIELECTRIC, ELASTIC)],
    ids=["Cl", "Tc"],
)
def test_elements_are_refused_property_by_property(calc, atoms, symbol, refused, given):
    for key in refused:
        for _ in range(2):
            with pytest.raises(ElementError, match=rf"{symbol}\b.*allow_untrained_elements"):
                calc.get_property(key, atoms)
    given = {*given, "piezoelectric_tensor"}  # zero by symmetry, whatever the elements
    for key in given:
        assert np.isfinite(calc.get_property(key, atoms)).all()
    assert set(calc.results) == given
    (entry,) = calc.predict([atoms])
    assert set(entry) == given and entry.error is None
    with pytest.raises(ElementError, match=symbol):
        entry[refused[0]]


def test_get_properties_of_ase_refuses_elements_too(calc):
    atoms = TCO.copy()
    atoms.calc = calc
    with pytest.raises(ElementError, match="Tc"):
        atoms.get_properties(["dielectric_tensor"])


def test_element_that_no_property_covers(calc):
    atoms = bulk("PuC", "rocksalt", a=4.9)
    atoms.numbers[0] = 96  # curium
    with pytest.raises(ElementError, match="Cm"):
        calc.get_property("elasticity_tensor", atoms)
    with pytest.warns(FailedCrystalsWarning):
        entries = calc.predict([MGO, atoms])
    assert entries[0].error is None and isinstance(entries[1].error, ElementError)


@pytest.mark.filterwarnings("ignore::ase_eqtensor.errors.EqTensorWarning")
def test_untrained_elements_on_request(model):
    calc = EqTensorCalculator(model, allow_untrained_elements=True)
    for key in DIELECTRIC:
        assert UntrainedElementWarning in caught(calc.get_property, key, TCO)
    for key in offered():
        assert np.isfinite(calc.get_property(key, TCO)).all()
    assert "untrained_element" in calc.prediction.flags
    assert UntrainedElementWarning not in caught(calc.get_property, "elasticity_tensor", MGO)


@pytest.mark.filterwarnings("ignore::ase_eqtensor.errors.EqTensorWarning")
def test_elements_that_only_a_potential_knows_are_flagged():
    """Ne, of which no first principles tell: the stiffness is given, and says so."""
    counts = COUNTS | {"elasticity_tensor": {**COUNTS["elasticity_tensor"], 10: 0}}
    calc = EqTensorCalculator(Model(tiny_network(), card(elements=counts)))
    atoms = bulk("NeO", "rocksalt", a=4.3)
    assert BorrowedElementWarning in caught(calc.get_property, "elasticity_tensor", atoms)
    assert "element_from_potential" in calc.predict([atoms])[0].flags
    assert "element_from_potential" not in calc.predict([MGO])[0].flags


def test_membership_is_about_what_was_predicted(model):
    (entry,) = EqTensorCalculator(model).predict([TCO])
    assert "elasticity_tensor" in entry and "dielectric_tensor" not in entry
    assert entry.get("dielectric_tensor") is None
    assert entry == entry and entry in [entry] and len({entry}) == 1


def test_predict_takes_an_iterator_but_not_one_crystal(model):
    calc = EqTensorCalculator(model)
    assert len(calc.predict(iter([MGO, MGO]))) == 2
    with pytest.raises(TypeError, match=r"\[crystal\]"):
        calc.predict(MGO)


def test_numbers_that_are_not_finite_are_refused(model):
    broken = model.on("cpu", torch.float64)
    for parameter in broken.network.heads["stiffness"].parameters():
        parameter.fill_(float("nan"))
    (entry,) = EqTensorCalculator(broken).predict([MGO])
    assert entry["dielectric_tensor"].shape == (3, 3)
    with pytest.raises(ModelError, match="elasticity_tensor that is not finite"):
        entry["elasticity_tensor"]


@pytest.mark.parametrize("symprec", [0, -1e-2, 0.2, float("nan")])
def test_symprec_out_of_range(model, symprec):
    with pytest.raises(ValueError, match="symprec"):
        EqTensorCalculator(model, symprec=symprec)


def test_site_properties_of_pymatgen_do_not_matter(model):
    lattice = [[0, 2.1, 2.1], [2.1, 0, 2.1], [2.1, 2.1, 0]]
    properties = {"tags": ["a", "b"], "charge": ["2+", "2-"]}
    sites = (["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    plain, odd = Structure(lattice, *sites), Structure(lattice, *sites, site_properties=properties)
    first, second = EqTensorCalculator(model).predict([plain, odd])
    assert relative(first["elasticity_tensor"], second["elasticity_tensor"]) < 1e-6


@pytest.mark.parametrize("note", [{"0": 1.0}, {"0": [1, 2]}, {"0": {"Mg": None}}, "full"])
def test_a_foreign_note_on_occupancy_is_no_error(model, note):
    atoms = MGO.copy()
    atoms.info["occupancy"] = note
    assert EqTensorCalculator(model).predict([atoms])[0].error is None
