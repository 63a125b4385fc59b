"""A student says what an ensemble says, learnt on crystals of other folds, and is judged so."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from networks import tiny_network
from training import records, released, small_recipe
from typer import BadParameter

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.crystal.formula import reduced_formula
from ase_eqtensor.crystal.graph import collate
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.errors import DataError, ModelError
from ase_eqtensor.models.store import held_out, load_model
from ase_eqtensor.network.ensemble import merge, select
from ase_eqtensor.quantities import heads
from ase_eqtensor.train.calibrate import assess
from ase_eqtensor.train.data.database import read_database, write_database
from ase_eqtensor.train.folds import fold_of, in_val
from ase_eqtensor.train.pretraining.crystals import crystals, graphs, shaken, substituted
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.release import release
from ase_eqtensor.train.scoring.outputs import out_of_fold
from ase_eqtensor.train.student.__main__ import ALL, main, weights_of
from ase_eqtensor.train.student.adopt import adopt
from ase_eqtensor.train.student.fit import fit_student, lessons

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:lightning", "ignore::UserWarning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
ELEMENTS = frozenset(range(1, 84))


def pool():
    wurtzite = bulk("ZnO", "wurtzite", a=3.25, c=5.2)
    supercell = bulk("NaCl", "rocksalt", a=5.6).repeat((2, 1, 1))
    found = [Record(atoms, "elastic", "test", "x", {}) for atoms in (wurtzite, supercell, wurtzite)]
    return crystals(found)


def test_each_crystal_comes_once_in_its_primitive_cell():
    zno, nacl = pool()
    assert (len(zno.cell), len(nacl.cell)) == (4, 2)
    assert (zno.odd, nacl.odd) == (True, False)


@pytest.mark.parametrize("seed", range(8))
def test_other_elements_keep_symmetry_and_size(seed):
    for crystal in pool():
        random = np.random.default_rng(seed)
        other = substituted(crystal, crystal.graph(5.0), ELEMENTS, random)
        assert other.formula != crystal.formula
        before, after = analyse(crystal.cell), analyse(other.cell)
        assert before.space_group == after.space_group
        np.testing.assert_array_equal(after.site_class, other.site_class)
        # one element for each, of its own group
        pairs = set(zip(crystal.cell.numbers.tolist(), other.cell.numbers.tolist()))
        assert len(pairs) == len({new for _, new in pairs}) == 2
        groups = [{30, 48, 80}, {8, 16, 34, 52}, {1, 3, 11, 19, 37, 55}, {9, 17, 35, 53}]
        assert all(any({old, new} <= group for group in groups) for old, new in pairs)
        distances = [c.get_all_distances(mic=True)[0, 1:].min() for c in (crystal.cell, other.cell)]
        assert 0.6 < distances[1] / distances[0] < 1.7


def test_nothing_is_replaced_where_nothing_is_known():
    crystal = pool()[0]
    none = substituted(crystal, crystal.graph(5.0), frozenset({30, 8}), np.random.default_rng(0))
    assert none is None


def test_no_composition_of_the_fold_comes_about():
    for fold in range(5):
        chosen = [c for c in crystals(records()) if fold_of(c.formula) != fold]
        made = graphs(chosen, 5.0, 0.05, ELEMENTS, 0, fold)
        found = {fold_of(reduced_formula(Atoms(graph.numbers))) for graph in made}
        assert fold not in found and len(made) > 2 * len(chosen)


def test_shaking_moves_atoms_and_their_images_alike():
    crystal = pool()[0]
    graph = crystal.graph(5.0)
    moved = shaken(graph, 0.05, np.random.default_rng(0))
    change = moved.vector - graph.vector
    receiver = np.repeat(np.arange(len(graph.numbers)), graph.degree)
    # of a pair of atoms all images are displaced by the same vector, an atom's own images by none
    for a, b in {*zip(receiver.tolist(), graph.sender.tolist())}:
        own = change[(receiver == a) & (graph.sender == b)]
        assert np.ptp(own, axis=0).max() < 1e-12
        assert (a == b) == (np.abs(own).max() < 1e-12)


def test_it_comes_to_say_what_the_ensemble_says(tmp_path):
    ensemble = merge([tiny_network(seed, 0.03, cutoff=4.5) for seed in (0, 1, 2)])
    found = [*crystals(records()), *pool()]
    asked = graphs(found, 4.5, 0.05, ELEMENTS, 0)
    taught = lessons([select(ensemble, [0, 1]), select(ensemble, [2])], asked)
    recipe = replace(small_recipe(epochs=12), learning_rate=1e-2)
    first = select(ensemble, [0])
    student = fit_student(first, taught, [], recipe, tmp_path, progress=False)
    batch = collate(asked)
    target = ensemble.read(batch).arrays
    left = []
    for name in target:
        mean = target[name].mean(0)
        shown = batch.odd if heads()[name].form.odd else batch.odd | True
        before, after = (
            (n.read(batch).arrays[name][0] - mean)[shown].norm() for n in (first, student)
        )
        left.append(float(after / before))
    assert max(left) < 0.9 and np.mean(left) < 0.7
    # rest distances are those of the network that it was, and the ensemble is left alone
    for one, other in zip(first.rest.parameters(), student.rest.parameters()):
        assert torch.equal(one, other)
    assert not any(parameter.requires_grad for parameter in ensemble.parameters())


@pytest.fixture(scope="module")
def adopted(tmp_path_factory):
    """A database, a small model of two networks, and a student of both with those of the folds."""
    folder = tmp_path_factory.mktemp("student")
    database = folder / "crystals.db"
    write_database(database, records())
    recipe = folder / "student.toml"
    recipe.write_text("epochs = 2\nbatch_size = 8\nlearning_rate = 0.001\nnoise = 0.05\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        base = released(database, folder)
        arguments = str(base), database, folder / "taught", str(recipe)
        main(*arguments)
        taught = {f: weights_of(folder / "taught", "base", f) for f in (0, 1, ALL)}
        of_folds = [taught[fold].parent for fold in (0, 1)]
        folds = load_model(release("pupil-folds", read_database(database), of_folds, folder))
        whole = load_model(taught[ALL])
        student = load_model(adopt(whole, folds, read_database(database), folder / "pupil"))
    return student, folds, load_model(base), arguments


def test_it_is_judged_by_the_students_of_the_folds(adopted):
    student, folds, base, _ = adopted
    assert student.folds == [] and [m.fold for m in student.card.members] == [None]
    assert student.card.figures == folds.card.figures and student.card.calibrated
    assert held_out(student).sha256 == folds.sha256 and held_out(base) is base
    found, expected = (out_of_fold(model, records()) for model in (student, folds))
    for name in expected:
        np.testing.assert_array_equal(found[name].predicted, expected[name].predicted)


def test_what_is_not_adopted_cannot_be_judged(adopted, tmp_path):
    student = adopted[0]
    with pytest.raises(ModelError, match="left no fold out"):
        held_out(replace(student, weights=None))
    alone = tmp_path / student.weights.name
    for path in student.weights.parent.glob("pupil.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match="pupil-folds"):
        held_out(load_model(alone))
    with pytest.raises(DataError, match="left no fold out"):
        assess(student, records(), tmp_path / "again")


def test_it_predicts_with_bounds_and_knows_all_training_crystals(adopted):
    student, folds, base, _ = adopted
    calculator = EqTensorCalculator(student, allow_untrained_elements=True)
    atoms = bulk("MgO", "rocksalt", a=4.2)
    prediction = calculator.predict([atoms])[0]
    assert prediction.uncertainty["elasticity_tensor"].relative_error[0.9] > 0
    assert len(student.training_crystals) == len(base.training_crystals)


def test_finished_students_are_kept(adopted):
    *_, arguments = adopted
    dates = {path: path.stat().st_mtime_ns for path in arguments[2].rglob("*.safetensors")}
    main(*arguments)
    assert len(dates) == 3
    assert dates == {path: path.stat().st_mtime_ns for path in dates}


def test_teachers_must_have_left_the_same_folds_out(adopted):
    student, *_, arguments = adopted
    with pytest.raises(BadParameter, match="pupil differs in folds"):
        main(*arguments, further=[str(student.weights)])


def test_students_of_a_fold_never_see_it(adopted, monkeypatch):
    """Neither as data nor by another composition's elements."""
    from ase_eqtensor.train.student import __main__ as module

    asked = []

    def recorded(pool, *arguments):
        asked.append(([c.formula for c in pool], arguments[-1]))
        raise KeyboardInterrupt  # the pool is all that is asked for

    monkeypatch.setattr(module, "graphs", recorded)
    *_, base, (_, database, folder, recipe) = adopted
    read = read_database(database)
    for fold in (0, 1, ALL):
        with pytest.raises(KeyboardInterrupt):
            module.execute([base], fold, read, crystals(read), small_recipe(), folder / "none")
    for (formulas, without), fold in zip(asked, (0, 1, ALL)):
        assert without == fold
        held = {f for f in formulas if fold_of(f) == fold or in_val(f)}
        assert bool(held) == (fold is ALL)
