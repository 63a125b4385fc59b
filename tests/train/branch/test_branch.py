"""The branch of odd parity is what the network makes of it, and leaves the others alone."""

import logging
import shutil

import numpy as np
import pytest
import torch
from ase.build import bulk
from networks import tiny_network
from training import PAIRS, records, released, small_recipe
from typer.testing import CliRunner

from ase_eqtensor.commands import app
from ase_eqtensor.crystal.graph import build_graph, collate
from ase_eqtensor.errors import DataError
from ase_eqtensor.models.store import load_model
from ase_eqtensor.quantities.piezoelectric import HEAD, PIEZOELECTRIC
from ase_eqtensor.tensors.electromechanical import C_PER_M2
from ase_eqtensor.train.branch.__main__ import main
from ase_eqtensor.train.branch.branch import Branch
from ase_eqtensor.train.branch.fit import fit_branch
from ase_eqtensor.train.branch.pooled import Pooled
from ase_eqtensor.train.data.curation import curate
from ase_eqtensor.train.data.database import read_database, write_database
from ase_eqtensor.train.families.kept import of_trunk
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.release import release

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:lightning", "ignore::UserWarning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def graphs():
    wurtzite = bulk("ZnO", "wurtzite", a=3.25, c=5.2)
    zincblende = bulk("ZnS", "zincblende", a=5.4)
    return [
        build_graph(atoms, 5.0, np.array(classes), np.eye(3))
        for atoms, classes in ((wurtzite, [3, 3, 5, 5]), (zincblende, [7, 9]))
    ]


@pytest.mark.parametrize("mode", ["shared", "gate", "local"])
def test_it_says_what_the_network_says(mode):
    network = tiny_network(class_mode=mode)
    with torch.no_grad():
        expected = network.read(collate(graphs())).arrays[HEAD.name][0]
        branch = Branch(network).eval()
        found = branch(Pooled.joined([Pooled.of(network, graph) for graph in graphs()]))
    torch.testing.assert_close(found[PIEZOELECTRIC.name], expected, rtol=1e-5, atol=1e-7)
    assert expected.norm() > 1e-3


def test_weights_of_every_class_are_refused():
    with pytest.raises(DataError, match="every class"):
        Branch(tiny_network(class_mode="full"))
    with pytest.raises(DataError, match="odd parity"):
        Branch(tiny_network(heads=["stiffness"]))


def test_crystals_that_change_in_every_step_are_refused(tmp_path):
    with pytest.raises(DataError, match="noise = 0.03"):
        fit_branch(tiny_network(), [], [], small_recipe(noise=0.03), tmp_path)


def zincblende(formula: str, i: int) -> Record:
    e = np.zeros((3, 6))
    e[0, 3] = e[1, 4] = e[2, 5] = 0.6 / C_PER_M2
    atoms = bulk(formula, "zincblende", a=4.5 + i / 40)
    return curate(Record(atoms, "piezoelectric", "test", f"e-{formula}", {PIEZOELECTRIC.name: e}))


@pytest.fixture(scope="module")
def branched(tmp_path_factory):
    """A database, a small model of two networks, and the same with branches."""
    folder = tmp_path_factory.mktemp("branch")
    database = folder / "crystals.db"
    write_database(database, records() + [zincblende(pair, i) for i, pair in enumerate(PAIRS)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        base = released(database, folder)
        recipe = folder / "odd.toml"
        recipe.write_text(
            'datasets = ["piezoelectric"]\nepochs = 40\nbatch_size = 8\nlearning_rate = 0.01\n'
            'ema_decay = 0.5\n[network]\nodd = "4x0e + 4x1o + 4x2o + 4x3o"\n'
        )
        main(str(base), database, folder / "odd", str(recipe))
        found = sorted(path for path in (folder / "odd").iterdir() if path.is_dir())
        whole = release("whole", read_database(database), found, folder)
    return load_model(base), load_model(whole), (str(base), database, folder / "odd", str(recipe))


def test_other_tensors_stay_as_they_were(branched):
    base, whole, _ = branched
    batch = collate(graphs())
    before, after = (model.network.read(batch).arrays for model in (base, whole))
    assert set(after) == {*before, HEAD.name}
    for name, array in before.items():
        assert torch.equal(array, after[name])
    assert of_trunk(whole.card.recipe) == of_trunk(base.card.recipe)


def test_it_has_learnt_and_is_calibrated(branched):
    _, whole, _ = branched
    figures = whole.card.figures_of("out_of_fold")[PIEZOELECTRIC.name]
    assert figures["entries_mae"] < 0.7 * figures["entries_mae_of_zero"]
    assert figures["sign_percent"] > 70
    assert PIEZOELECTRIC.name in whole.card.uncertainty
    assert whole.card.elements[PIEZOELECTRIC.name][8] > 0
    assert PIEZOELECTRIC.name in whole.card.members[0].val


def test_finished_branches_are_kept(branched):
    *_, arguments = branched
    folder = arguments[2]
    dates = {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")}
    shutil.rmtree(next(path for path in folder.iterdir() if path.is_dir()))
    main(*arguments)
    left = {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")}
    assert len(left) == 1 and left.items() <= dates.items()


def test_a_model_that_knows_the_tensor_is_refused(branched):
    _, whole, (_, *rest) = branched
    with pytest.raises(DataError, match="already"):
        main(str(whole.weights), *rest)


def test_bounds_of_a_forbidden_tensor_are_zero(branched, tmp_path):
    _, whole, _ = branched
    path = tmp_path / "MgO.cif"
    bulk("MgO", "rocksalt", a=4.2).write(path)
    arguments = ["predict", str(path), "--model", str(whole.weights), "--quantities"]
    result = CliRunner().invoke(app, [*arguments, PIEZOELECTRIC.stem])
    assert result.exit_code == 0, result.output
    assert "nan" not in result.output
