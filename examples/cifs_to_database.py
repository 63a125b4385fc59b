"""Many CIFs into an ASE database: python examples/cifs_to_database.py [OUT.db] [FILES...]"""

import sys
from pathlib import Path

from ase.db import connect
from ase.io import read
from ase.units import GPa
from pymatgen.core.elasticity import ElasticTensor

from ase_eqtensor import EqTensorCalculator

folder = Path(__file__).parent / "crystals"
output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("tensors.db")
paths = [Path(p) for p in sys.argv[2:]] or sorted(folder.glob("*.cif"))

crystals = [read(path) for path in paths]
predictions = EqTensorCalculator().predict(crystals, progress=True)

with connect(output) as db:
    for path, atoms, prediction in zip(paths, crystals, predictions):
        if prediction.error is not None:
            print(f"{path.name}: {prediction.error}")
            continue
        numbers = {"file": path.name, "flags": ",".join(prediction.flags)}
        if "elasticity_tensor" in prediction:
            elastic = ElasticTensor.from_voigt(prediction["elasticity_tensor"] / GPa)
            numbers |= {"k_vrh_gpa": elastic.k_vrh, "g_vrh_gpa": elastic.g_vrh}
        db.write(atoms, data={**prediction, "record": prediction.record()}, **numbers)

print(
    f"{len(paths)} crystals -> {output}; try: ase db {output} -c formula,file,k_vrh_gpa,g_vrh_gpa"
)
