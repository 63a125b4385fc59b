"""Studies of the partner: tables by fold, and charges beside those of the literature."""

import numpy as np
import typer
from ase.build import bulk
from typer.testing import CliRunner

from ase_eqtensor.potential.opinion import Opinion
from ase_eqtensor.tensors.notation import GPA
from ase_eqtensor.train.partner.cases import Cases
from ase_eqtensor.train.record import Record
from studies import born_charges
from studies.partner import stiffness_table


def test_table_by_fold():
    """The network is right, the potential is twice too stiff, and the mean lies between."""
    stiffness = (np.eye(6) + 0.5) * 100 * GPA
    symbols = ("Cu", "Ag", "Au", "Al")
    records = [
        Record(bulk(s), "elastic", "made up", s, {"elasticity_tensor": stiffness}) for s in symbols
    ]
    opinions = [Opinion(r.atoms, 1.0, True, 2 * stiffness / GPA, None) for r in records]
    mandel = np.array([r.targets["elasticity_tensor"] for r in records])
    mandel[:, 3:] *= 2**0.5
    mandel[:, :, 3:] *= 2**0.5
    n = len(records)
    asked = Cases(records, opinions, {"elasticity_tensor": mandel}, {}, np.zeros(n))
    text = stiffness_table(asked, mandel, np.ones(n, dtype=bool))
    (everything,) = [line for line in text.splitlines() if line.startswith("| all")]
    assert everything.startswith("| all | 4 | 0.000 / 0.000 | 1.000 / 1.000 | 0.414 / 0.414 | 0.0")


def test_charges_of_the_shipped_partner():
    app = typer.Typer()
    app.command()(born_charges.main)
    text = CliRunner().invoke(app, []).stdout
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == 9
    off = {row[1].strip(): float(row[5].strip(" %")) for row in rows}
    assert all(abs(off[name]) < 15 for name in ("NaCl", "MgO", "ZnO", "CaF2"))
    assert off["TiO2"] < -15  # why they are no property
