"""Materials for AMSET, Abaqus and DAMASK, against their published formats."""

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal
from crystals import CRYSTALS
from electromechanics import LITHIUM_NIOBATE, SILICON
from equivariance import orthogonal, turned

from ase_eqtensor.errors import StructureError
from ase_eqtensor.handover import abaqus_material, amset_settings, damask_phase
from ase_eqtensor.tensors.notation import GPA, rotate_stiffness

TENSORS = {
    "elasticity_tensor": LITHIUM_NIOBATE.stiffness,
    "dielectric_tensor": LITHIUM_NIOBATE.permittivity,
    "piezoelectric_tensor": LITHIUM_NIOBATE.piezoelectric,
}
QUARTZ = CRYSTALS["quartz"]


def test_amset():
    settings = amset_settings(TENSORS)
    assert set(settings) == {"elastic_constant", "static_dielectric", "piezoelectric_constant"}
    assert settings["elastic_constant"][0][0] == pytest.approx(203)
    assert settings["piezoelectric_constant"][0][4] == pytest.approx(3.7)
    pytest.importorskip("amset.constants", exc_type=ImportError)
    util = pytest.importorskip("amset.util")
    read = util.validate_settings(settings)
    assert read["elastic_constant"].shape == (3, 3, 3, 3)
    assert read["elastic_constant"][1, 2, 1, 2] == pytest.approx(60)
    assert read["piezoelectric_constant"].shape == (3, 3, 3)


def numbers(text: str, keyword: str) -> list[float]:
    lines = iter(text.splitlines())
    found: list[float] = []
    for line in lines:
        if line.startswith(keyword):
            for data in lines:
                if data.startswith("*"):
                    break
                found += [float(x) for x in data.split(",") if x.strip()]
            break
    return found


def test_abaqus_order_and_units():
    text = abaqus_material(TENSORS, QUARTZ, "LN")
    assert text.startswith("*MATERIAL, NAME=LN\n")
    assert all(len(line.split(",")) <= 8 for line in text.splitlines())
    elastic = numbers(text, "*ELASTIC")
    d = np.zeros((6, 6))
    d[np.tril_indices(6)] = elastic  # D1111, D1122, D2222, D1133 ...
    d = d + np.tril(d, -1).T
    order = ["11", "22", "33", "12", "13", "23"]
    entry = {(a, b): d[i, j] / 1e9 for i, a in enumerate(order) for j, b in enumerate(order)}
    assert entry["11", "22"] == pytest.approx(53) and entry["33", "33"] == pytest.approx(245)
    assert entry["11", "23"] == pytest.approx(9) and entry["22", "23"] == pytest.approx(-9)
    assert entry["12", "13"] == pytest.approx(9) and entry["12", "12"] == pytest.approx(75)
    piezoelectric = np.reshape(numbers(text, "*PIEZOELECTRIC"), (3, 6))
    assert piezoelectric[0] == pytest.approx([0, 0, 0, -2.5, 3.7, 0])
    assert piezoelectric[1] == pytest.approx([-2.5, 2.5, 0, 0, 0, 3.7])
    dielectric = numbers(text, "*DIELECTRIC")
    vacuum = 8.8541878e-12
    assert dielectric == pytest.approx([44 * vacuum, 0, 44 * vacuum, 0, 0, 29 * vacuum])
    (density,) = numbers(text, "*DENSITY")
    expected = QUARTZ.get_masses().sum() / QUARTZ.get_volume() * 1660.539
    assert density == pytest.approx(expected, rel=1e-5)
    alone = abaqus_material({"elasticity_tensor": SILICON.stiffness}, bulk("Si"))
    assert "*PIEZO" not in alone and alone.startswith("*MATERIAL, NAME=Si2")


def test_damask_phase_belongs_to_the_axes_of_the_lattice():
    q = orthogonal(6)
    for atoms, stiffness in (
        (bulk("Si"), SILICON.stiffness),
        (turned(bulk("Si"), q), rotate_stiffness(SILICON.stiffness, q)),
    ):
        phase = damask_phase(stiffness, atoms)
        assert phase["lattice"] == "cF" and "c/a" not in phase
        elastic = phase["mechanical"]["elastic"]
        assert elastic == pytest.approx(
            {"type": "Hooke", "C_11": 165.7e9, "C_12": 63.9e9, "C_44": 79.6e9}
        )
    assert phase["rho"] == pytest.approx(2330, rel=5e-3)


def test_damask_knows_four_lattices():
    magnesium = bulk("Mg")
    c = np.zeros((6, 6))
    c[:3, :3] = [[59, 26, 21], [26, 59, 21], [21, 21, 62]]
    c[range(3, 6), range(3, 6)] = [16, 16, 16.5]
    phase = damask_phase(c * GPA, magnesium)
    assert phase["lattice"] == "hP" and phase["c/a"] == pytest.approx(5.21 / 3.21, rel=1e-3)
    assert set(phase["mechanical"]["elastic"]) == {"type", "C_11", "C_12", "C_13", "C_33", "C_44"}
    tin = crystal("Sn", [(0, 0, 0)], spacegroup=141, cellpar=[5.83, 5.83, 3.18, 90, 90, 90])
    assert damask_phase(c * GPA, tin)["lattice"] == "tI"
    with pytest.raises(StructureError, match="SiO2|Si3O6.*trigonal"):
        damask_phase(c * GPA, QUARTZ)
    with pytest.raises(StructureError, match="cubic crystals with P lattices"):
        damask_phase(SILICON.stiffness, bulk("CsCl", "cesiumchloride", a=4.1))


def test_damask_reads_it():
    damask = pytest.importorskip("damask")
    material = damask.ConfigMaterial(phase={"Si": damask_phase(SILICON.stiffness, bulk("Si"))})
    assert material["phase"]["Si"]["lattice"] == "cF"
