"""Well-known metals and insulators, and the fit and the rates of the likely-metal score."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from pymatgen.core import Composition, Element

from ase_eqtensor.crystal import metals
from ase_eqtensor.crystal.metals import (
    BLOCK_WEIGHTS,
    TERM_WEIGHTS,
    composition_features,
    is_likely_metal,
    metal_score,
)
from ase_eqtensor.crystal.periodic_table import element

pytest.importorskip("pandas")  # the database code belongs to the extra `data`
from ase_eqtensor.train.data.database import write_database  # noqa: E402
from ase_eqtensor.train.record import Record  # noqa: E402
from studies.metal_rates import (  # noqa: E402
    KNOWN_METALS,
    Labelled,
    fit_weights,
    flagged,
    labelled,
    main,
)

METALS = """
Li Na K Cs Be Mg Ba Al In Sn Pb Bi Ti V Cr Mn Fe Co Ni Cu Zn Zr Nb Mo Ru Rh Pd Ag Cd Hf Ta W Re Os
Ir Pt Au Hg La Ce Gd Lu Th U
TiAl Ti3Al NiAl Ni3Al FeAl Fe3Al CuZn Cu3Au CuAu FePt CoPt NiTi Nb3Sn Nb3Al MgZn2 LaNi5 SmCo5 AuAl2
Al2Cu Mg17Al12 FeCr FeNi3 Fe3Ni MgCu2 ZrV2 CeAl2 UPt3 CeCoIn5
TiN ZrN VN TiC ZrC HfC VC NbC TaC WC Mo2C Fe3C Cr23C6 MgB2 TiB2 ZrB2 YB6 LaB6 FeB Fe2B Ti3SiC2
Ti2AlC TiSi2 CoSi2 NiSi MoSi2 Nb3Ge V3Si Fe3Si Ni2P FeP MnAs NiAs MnSb LaRu2P2 NbSe2 TaS2 TiS
NiTe CoS2 LaS YS GdS VO TiO PdH TiH2 LaH2 YNi2B2C MgNi3C Mn3GaN
"""
INSULATORS = """
C Si Ge B S Se P I2 Ar Xe H2 N2 O2
NaCl KBr LiF CsI AgCl CuCl TlBr CaF2 BaF2 MgF2 PbI2 CdI2 AlF3 LaF3 MgO CaO BaO BeO ZnO CdO Al2O3
Ga2O3 In2O3 SiO2 GeO2 SnO2 TiO2 ZrO2 HfO2 V2O5 Nb2O5 Ta2O5 MoO3 WO3 Cu2O PbO Bi2O3 Y2O3 La2O3 CeO2
ThO2 UO2 SrTiO3 BaTiO3 PbTiO3 KNbO3 LiNbO3 BaZrO3 LaAlO3 MgAl2O4 CaCO3 CaSO4 AlPO4 ZrSiO4 Mg2SiO4
KH2PO4 NaNO3 H2O LiH MgH2 Li2O Na2S
GaAs GaP GaN GaSb AlAs AlP AlN AlSb InP InAs InSb InN BN BP SiC ZnS ZnSe ZnTe CdS CdSe CdTe HgS PbS
PbSe PbTe SnS SnTe GeTe Bi2Te3 Bi2Se3 Sb2Te3 In2Se3 MoS2 WSe2 HfS2 ZrS2 CuInSe2 CuGaS2 AgGaS2 ZnGeP2
Cu3SbS4 Mg2Si Mg2Ge Mg3N2 Ca3N2 Ca2Si Si3N4 Ge3N4 Mg3Sb2 Li3N Zn3As2 LiZnAs NaZnP CsPbI3 YbTe
"""


def crystal(formula: str) -> Atoms:
    counts = Composition(formula).get_el_amt_dict()
    return Atoms("".join(f"{symbol}{int(n)}" for symbol, n in counts.items()))


def wrong(formulas: str, metal: bool) -> set[str]:
    return {f for f in formulas.split() if is_likely_metal(crystal(f)) != metal}


@pytest.mark.parametrize("formula", "Cu Al TiAl FeNi3 Fe3C TiN TiC YB6 LaB6".split())
def test_metals_named_in_the_documentation(formula):
    assert is_likely_metal(crystal(formula))


@pytest.mark.parametrize("formula", "Si GaAs NaCl SrTiO3 PbTe Mg2Si MgO".split())
def test_insulators_named_in_the_documentation(formula):
    assert not is_likely_metal(crystal(formula))


def test_textbook_lists():
    assert wrong(METALS, metal=True) == set()
    assert wrong(INSULATORS, metal=False) == set()


def test_independent_of_cell_and_atom_order():
    primitive = bulk("MgO", "rocksalt", a=4.21)
    big = make_supercell(primitive, [[1, 1, 0], [0, 2, 1], [1, 0, 2]])
    shuffled = big[np.random.default_rng(0).permutation(len(big))]
    assert metal_score(shuffled) == metal_score(primitive)
    np.testing.assert_array_equal(
        composition_features(shuffled.numbers), composition_features(primitive.numbers)
    )


def test_every_element_and_every_pair_has_a_score():
    for z in range(1, 119):
        is_likely_metal(Atoms([z]))
        assert np.isfinite(metal_score(Atoms([z, 8])))
        assert composition_features([z, 8])[: len(BLOCK_WEIGHTS)].sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("formula", "term", "value"),
    [
        ("NaCl", "odd", 0),  # 11 + 17 electrons
        ("TiN", "odd", 1),  # 22 + 7
        ("Na2Cl2", "odd", 0),
        ("Ti2N2", "odd", 1),  # per formula unit
        ("MgO", "closed", 1),
        ("SnO", "closed", 1),  # Sn keeps its s electrons
        ("CaSO4", "closed", 1),
        ("LaFeAsO", "closed", 0),
        ("LiZnAs", "closed", 1),
        ("LaS", "closed", 0),
        ("LaH3", "closed", 1),
        ("LaH2", "closed", 0),
        ("TiAl", "closed", 0),
        ("TiNiSn", "half_heusler", 1),
        ("TiNi2Sn", "half_heusler", 0),
        ("VNiSn", "half_heusler", 0),
        ("GaAs", "spread", (2.18 - 1.81) / 2),
    ],
)
def test_terms(formula, term, value):
    names = [*BLOCK_WEIGHTS, *TERM_WEIGHTS]
    features = composition_features(crystal(formula).numbers)
    assert features[names.index(term)] == pytest.approx(value)


def test_miss_rate_on_known_compounds_that_were_not_fitted():
    compounds = sorted({Composition(f).reduced_formula for f in KNOWN_METALS.split()})
    held_out = Labelled([], [], compounds).part(test=True).compounds
    assert len(held_out) > 80
    assert (~flagged(held_out)).mean() < 0.15


def test_fit_separates_what_it_was_fitted_to():
    compounds = [f for f in METALS.split() if len(Composition(f)) > 1]  # elements are looked up
    known = Labelled(INSULATORS.split(), [], compounds)
    weights = np.array(list(fit_weights(known).values()))
    score = {f: composition_features(crystal(f).numbers) @ weights for kind in known for f in kind}
    assert np.mean([score[f] < 0 for f in known.insulators]) > 0.95
    assert np.mean([score[f] > 0 for f in known.compounds]) > 0.95


def test_rates_from_a_database(tmp_path, capsys):
    def record(atoms: Atoms, dataset: str, **targets) -> Record:
        atoms.set_cell([4, 4, 4])
        atoms.pbc = True
        return Record(atoms, dataset, "test", str(atoms.symbols), targets)

    eye = 2 * np.eye(3)
    records = [
        record(crystal(f), "dielectric", electronic_dielectric_tensor=eye, dielectric_tensor=eye)
        for f in INSULATORS.split()[20:] + ["ZrNiSn"]
    ] + [
        record(crystal(f), "elastic", elasticity_tensor=np.eye(6))
        for f in ("TiAl", "Cu3Au", "LaNi5", "MgZn2", "ZrNiSn", "MgO", "AuAl2", "CuZn")
    ]
    write_database(tmp_path / "small.db", records)
    known = labelled(tmp_path / "small.db")
    assert "ZrNiSn" in known.insulators and "ZrNiSn" not in known.alloys
    assert "Cu3Au" not in known.insulators and "MgO" not in known.alloys
    assert set(known.part(True).insulators) | set(known.part(False).insulators) == set(
        known.insulators
    )

    main(tmp_path / "small.db")
    printed = capsys.readouterr().out
    assert "known metallic compounds missed" in printed
    assert all(f'"{name}"' in printed for name in (*BLOCK_WEIGHTS, *TERM_WEIGHTS))


@pytest.mark.filterwarnings("ignore:No Pauling electronegativity")
def test_table_of_elements_is_pymatgens():
    for z in range(1, 119):
        expected, kept = Element.from_Z(z), element(z)
        assert (kept.group, kept.metal) == (expected.group, expected.is_metal)
        np.testing.assert_equal(kept.electronegativity, expected.X)
        assert metals._is_lanthanoid(z) == expected.is_lanthanoid
        assert metals._is_actinoid(z) == expected.is_actinoid
