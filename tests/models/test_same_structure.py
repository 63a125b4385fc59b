"""Same structure means same structure: not another phase, whatever the cells are."""

import resource
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.spacegroup import crystal
from equivariance import MOVES, permuted, turned

from ase_eqtensor.errors import StructureError
from ase_eqtensor.models.same_structure import ReducedCrystal, matched
from ase_eqtensor.models.training_crystals import TrainingCrystal, find
from ase_eqtensor.tensors.notation import rotate_rank2

EPS = "dielectric_tensor"


def perovskite(a: float, c: float, titanium: float = 0.5, oxygen: float = 0.0) -> Atoms:
    """BaTiO3 with Ti and O displaced along c, in fractions of it."""
    sites = [
        (0, 0, 0),
        (0.5, 0.5, titanium),
        (0.5, 0.5, oxygen),
        (0.5, 0, 0.5 + oxygen),
        (0, 0.5, 0.5 + oxygen),
    ]
    return Atoms("BaTiO3", scaled_positions=sites, cell=[a, a, c], pbc=True)


CUBIC = perovskite(4.01, 4.01)
TETRAGONAL = perovskite(3.99, 4.03, 0.518, -0.024)
QUARTZ = [
    crystal("SiO", [(0.4697, 0, third), (0.4135, 0.2669, z)], spacegroup=number,
            cellpar=[4.916, 4.916, 5.405, 90, 90, 120])
    for number, third, z in ((152, 1 / 3, 0.1191 + 1 / 3), (154, 2 / 3, 2 / 3 - 0.1191))
]  # fmt: skip


def entry(name: str, atoms: Atoms, eps=(2.0, 2.0, 3.0)) -> TrainingCrystal:
    formula = {"Ba": "BaTiO3", "Cu": "CuAu", "Mg": "MgO", "Si": "SiO2"}[atoms.symbols[0]]
    return TrainingCrystal(name, "dielectric", formula, 0, atoms, {EPS: np.diag(eps)})


def same(atoms: Atoms, *crystals: TrainingCrystal) -> list[str]:
    return [crystal.source_id for crystal in find(atoms, crystals) if crystal.same_structure]


def test_phases_of_barium_titanate():
    phases = entry("cubic", CUBIC), entry("tetragonal", TETRAGONAL)
    assert same(CUBIC, *phases) == ["cubic"]
    assert same(TETRAGONAL, *phases) == ["tetragonal"]
    assert same(TETRAGONAL * (2, 1, 1), *phases) == ["tetragonal"]
    for phase in find(TETRAGONAL, phases[:1]):  # its tensor stays its own
        assert phase.same_structure is False
        np.testing.assert_array_equal(phase.tensors[EPS], np.diag([2.0, 2.0, 3.0]))


@pytest.mark.parametrize("scale", [0.90, 0.97, 1.025, 1.10])
def test_a_compressed_crystal_is_another(scale):
    atoms = CUBIC.copy()
    atoms.set_cell(scale * CUBIC.cell[:], scale_atoms=True)
    expected = ["cubic"] if 0.93 < scale**3 < 1.08 else []
    assert same(atoms, entry("cubic", CUBIC)) == expected


def test_the_closest_entry_comes_first():
    entries = [
        entry("larger", perovskite(4.04, 4.04)),
        entry("near", perovskite(4.011, 4.011)),
        entry("smaller", perovskite(3.97, 3.97)),
    ]
    assert same(CUBIC, *entries) == ["near", "larger", "smaller"]
    assert same(TETRAGONAL, *(
        entry(name, perovskite(3.99, 4.03, titanium, -0.024))
        for name, titanium in (("far", 0.530), ("near", 0.519), ("next", 0.523))
    )) == ["near", "next", "far"]  # fmt: skip


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("ratio", [0.96, 0.99, 1.01, 1.04])
def test_axes_of_similar_length_are_told_apart(ratio, move):
    """The fourfold axis of a nearly cubic alloy is found, whichever way the cell lies."""
    alloy = Atoms("CuAu", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], pbc=True,
                  cell=[2.8, 2.8, 2.8 * ratio])  # fmt: skip
    q = MOVES[move]
    (answer,) = find(permuted(turned(alloy, q)), [entry("alloy", alloy)])
    assert answer.same_structure
    np.testing.assert_allclose(answer.tensors[EPS], rotate_rank2(np.diag([2.0, 2.0, 3.0]), q))


def test_mirror_images_are_the_same_crystal():
    right, left = (ReducedCrystal.of(atoms) for atoms in QUARTZ)
    assert right.space_group == left.space_group == 152
    match = matched(right, left)
    assert match is not None and match.distance < 1e-3
    assert np.linalg.det(match.rotation) == pytest.approx(-1)


def unreduced(atoms: Atoms, k: int) -> Atoms:
    other = atoms.copy()
    change = np.array([[1, 3 * k, 0], [0, 1, 2 * k], [0, 0, 1]])
    other.set_cell(change @ atoms.cell[:], scale_atoms=False)
    return other


@pytest.fixture
def little_memory():
    """2 GiB more than is in use: enough for every reduced cell."""
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("k", [10, 1000])
@pytest.mark.parametrize("atoms", [TETRAGONAL, bulk("MgO", "rocksalt", a=4.2), QUARTZ[0]], ids=str)
def test_unreduced_cells(atoms, k, move):
    q = MOVES[move]
    for asked, listed in ((unreduced(atoms, k), atoms), (atoms, unreduced(atoms, k))):
        isotropic = atoms.symbols[0] == "Mg"
        eps = np.diag([2.0, 2.0, 2.0 if isotropic else 3.0])
        training = replace(entry("listed", listed), tensors={EPS: eps})
        (answer,) = find(turned(asked, q), [training])
        assert answer.same_structure
        np.testing.assert_allclose(answer.tensors[EPS], rotate_rank2(eps, q), atol=1e-5)


@pytest.mark.usefixtures("little_memory")
def test_the_work_is_bounded_for_absurd_cells():
    listed = entry("MgO", bulk("MgO", "rocksalt", a=4.2))
    stack = make_supercell(bulk("MgO", "rocksalt", a=4.2), np.diag([1, 1, 60]))
    stack.positions[0, 0] += 0.3  # so that the long cell is the primitive one
    assert same(stack, listed) == []
    with pytest.raises(StructureError, match="skewed"):
        find(unreduced(listed.atoms, 10**7), [listed])
