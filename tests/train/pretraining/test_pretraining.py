"""Crystals of new compositions, what a potential says of them, and networks that begin with it."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.data import covalent_radii
from ase.db import connect
from safetensors.torch import load_file, save_file
from training import records, small_recipe

from ase_eqtensor.crystal.formula import reduced_formula
from ase_eqtensor.errors import DataError, OutputExistsError, RecipeError
from ase_eqtensor.potential.calculators import calculator
from ase_eqtensor.train.data.database import write_database
from ase_eqtensor.train.fitting.samples import prepare
from ase_eqtensor.train.fitting.start import untrained
from ase_eqtensor.train.pretraining.crystals import (
    NOBLE_GASES,
    NONMETALS,
    crystals,
    displace,
    unknown,
)
from ase_eqtensor.train.pretraining.features import Features, features
from ase_eqtensor.train.pretraining.fit import (
    SCALARS,
    TENSORS,
    TRUNK,
    Combinations,
    Lesson,
    _collate,
    fit_trunk,
)
from ase_eqtensor.train.pretraining.prototypes import main as write_prototypes
from ase_eqtensor.train.recipes.recipe import load_recipe, parse_recipe

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:lightning", "ignore::UserWarning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
ELEMENTS = frozenset(range(1, 84))
KNOWN = {record.reduced_formula for record in records()} | {"KF"}


def made_by(seed):
    random = np.random.default_rng(seed)
    made = unknown(crystals(records()), KNOWN, 5.0, ELEMENTS, 3, random)
    displace(made, random)
    return made


@pytest.fixture(scope="module")
def made():
    return made_by(0)


def made_up(numbers) -> Features:
    """Features that the size of an atom decides."""
    radius = covalent_radii[numbers]
    scalars = np.cos(radius[:, None] * np.linspace(0.5, 3, 120))
    tensors = radius[:, None, None] * np.random.default_rng(0).standard_normal((30, 5))
    return Features(scalars.astype(np.float16), tensors.astype(np.float16))


def test_no_data_set_has_the_compositions(made):
    assert len(made) > 50 and not KNOWN & {crystal.formula for crystal in made}
    halite = next(c for c in crystals(records()) if c.formula == "LiF")
    several = [
        unknown([halite], known, 5.0, ELEMENTS, 60, np.random.default_rng(0))
        for known in (KNOWN, {"LiF"})
    ]
    assert ["KF" in {c.formula for c in made} for made in several] == [False, True]


def test_foreign_elements_come_and_nonmetals_stay_nonmetals():
    (halite,) = [c for c in crystals(records()) if c.formula == "LiF"][:1]
    first, second = zip(
        *(
            c.cell.numbers.tolist()
            for c in unknown([halite], KNOWN, 5.0, ELEMENTS, 80, np.random.default_rng(1))
        )
    )
    group, halogens = {1, 3, 11, 19, 37, 55}, {9, 17, 35, 53}
    assert set(first) - group and set(second) - halogens and halogens & set(second)
    assert set(second) <= NONMETALS and not set(first) & NONMETALS - {1}


def test_every_second_one_is_shaken(made):
    ideal = {c.cell.get_scaled_positions().tobytes() for c in crystals(records())}
    shaken = [c for c in made if c.cell.get_scaled_positions().tobytes() not in ideal]
    assert 0.2 < len(shaken) / len(made) < 0.8


def test_prototypes_are_new_and_each_comes_once(tmp_path):
    database, output = tmp_path / "crystals.db", tmp_path / "prototypes.db"
    write_database(database, records())
    write_prototypes(database, output, rounds=20, max_atoms=2, cutoff=5.0, seed=0)
    with connect(output) as rows:
        made = [row.toatoms() for row in rows.select()]
    known = {record.reduced_formula for record in records()}
    formulas = [reduced_formula(atoms) for atoms in made]
    assert len(set(formulas)) == len(formulas) > 30 and not known & set(formulas)
    assert all(atoms.pbc.all() and len(atoms) <= 2 for atoms in made)
    assert not NOBLE_GASES & {int(z) for atoms in made for z in atoms.numbers}
    with pytest.raises(OutputExistsError):
        write_prototypes(database, output)


def test_the_same_seed_gives_the_same_crystals(made):
    again, other = made_by(0), made_by(1)
    assert [c.cell for c in again] == [c.cell for c in made] != [c.cell for c in other]


def test_combinations_are_uncorrelated():
    drawn = np.random.default_rng(1)
    mix = drawn.standard_normal((128, 128))
    told = [
        Features(drawn.standard_normal((5, 128)) @ mix, drawn.standard_normal((5, 40, 5)))
        for _ in range(400)
    ]
    combinations = Combinations.of(told)
    scalars, tensors = (torch.cat(p) for p in zip(*map(combinations.apply, told)))
    assert scalars.shape == (2000, SCALARS) and tensors.shape == (2000, 5, TENSORS)
    assert scalars.T.cov().numpy() == pytest.approx(np.eye(SCALARS), abs=0.35)
    flat = tensors.reshape(-1, TENSORS)
    assert (flat.T @ flat / len(flat)).numpy() == pytest.approx(np.eye(TENSORS), abs=0.1)
    assert [float(w.sum()) for w in combinations.weights] == pytest.approx([1, 1])


def test_lessons_follow_the_atoms_of_a_batch(made):
    """Which a batch sorts by their number of neighbours."""
    some = []
    for crystal in made[:20]:
        z = torch.from_numpy(crystal.cell.numbers).float()
        shape = (len(z), 5, TENSORS)
        told = z[:, None].expand(-1, SCALARS), z[:, None, None].expand(shape)
        some.append(Lesson(crystal.graph(5.0), *told))
    batch = _collate(some)
    assert torch.equal(batch.scalars[:, 0], batch.graph.numbers.float())
    assert torch.equal(batch.tensors[:, 0, 0], batch.graph.numbers.float())
    assert len({int(d) for one in some for d in one.graph.degree}) > 1


@pytest.fixture(scope="module")
def trunk(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trunk")
    told = [made_up(c.cell.numbers) for c in made]
    recipe = replace(small_recipe(epochs=12), learning_rate=2e-2, ema_decay=0.9)
    graphs = [c.graph(recipe.network.cutoff) for c in made]
    weights = fit_trunk(graphs, told, recipe, folder, progress=False)
    save_file(weights, folder / "trunk.safetensors")
    lines = next((folder / "logs").rglob("metrics.csv")).read_text().splitlines()
    column = lines[0].split(",").index("val_scalars")
    errors = [float(v) for line in lines[1:] if (v := line.split(",")[column])]
    return folder / "trunk.safetensors", errors


def test_it_learns_what_it_is_told(trunk):
    _, errors = trunk
    assert errors[-1] < 0.8 * errors[0]


def test_a_training_begins_with_it(trunk):
    path, _ = trunk
    recipe = replace(small_recipe(), start=str(path))
    samples = prepare(records(), recipe.network.cutoff, workers=1)
    torch.manual_seed(0)
    begun = untrained(samples, recipe).state_dict()
    torch.manual_seed(0)
    empty = untrained(samples, small_recipe()).state_dict()
    for name, weights in begun.items():
        own = load_file(path).get(name)
        assert (own is not None) == name.startswith(TRUNK)
        assert torch.equal(weights, empty[name] if own is None else own)


def test_a_trunk_of_another_width_is_refused(trunk):
    recipe = small_recipe()
    wider = replace(recipe.network, embedding=recipe.network.embedding + 8)
    samples = prepare(records()[:4], recipe.network.cutoff, workers=1)
    with pytest.raises(DataError, match="does not fit the network"):
        untrained(samples, replace(recipe, network=wider, start=str(trunk[0])))


def test_a_trunk_that_is_not_there_is_refused():
    with pytest.raises(RecipeError, match="7net-l3i5"):
        parse_recipe({"start": "7net-l3i6"})


@pytest.mark.parametrize("name", ["joint", "joint-wide"])
def test_shipped_trunks_fit_shipped_recipes(name):
    recipe = load_recipe(name)
    samples = prepare(records()[:4], recipe.network.cutoff, workers=1)
    network = untrained(samples, replace(recipe, rest_epochs=1))
    shipped = load_file(recipe.trunk)
    assert {n for n in network.state_dict() if n.startswith(TRUNK)} == set(shipped)


def test_other_calculators_have_no_features():
    with pytest.raises(DataError, match="SevenNet"):
        features([bulk("Cu")], EMT())


def test_features_turn_with_the_crystal():
    pytest.importorskip("sevenn")
    potential = calculator("7net-0")
    atoms = bulk("GaAs", "zincblende", a=5.65)
    atoms.rattle(0.1, seed=0)
    turned = atoms.copy()
    turned.rotate(120, (1, 1, 1), rotate_cell=True)  # x to y to z
    copper = bulk("Cu").repeat((2, 2, 2))
    one, other, alone = features([atoms, turned, copper], potential)
    np.testing.assert_allclose(one.scalars, other.scalars, atol=0.02)
    np.testing.assert_allclose(features([copper], potential)[0].scalars, alone.scalars, atol=0.02)
    assert one.tensors.shape[0] == 2 and one.tensors.shape[2] == 5
    norms = [np.linalg.norm(f.tensors.astype(float), axis=2) for f in (one, other)]
    np.testing.assert_allclose(*norms, atol=0.02)
    assert not np.allclose(one.tensors, other.tensors, atol=0.02)
    # that of e3nn, which our tensors have: a turn about [111] takes xy to yz
    basis = {"xy": 1, "yz": 3}
    np.testing.assert_allclose(
        one.tensors[..., basis["xy"]], other.tensors[..., basis["yz"]], atol=0.03
    )


def test_where_atoms_meet_there_is_nothing_to_learn():
    pytest.importorskip("sevenn")
    squeezed = bulk("Cu", a=1.2)
    assert features([squeezed, bulk("Cu")], calculator("7net-0"))[0] is None
