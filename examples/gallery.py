"""A gallery: reports of crystals of every kind, and the page that lists them.

python examples/gallery.py [FOLDER]
"""

import subprocess
import sys
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

from ase.io import write

from ase_eqtensor import load_model

# crystals of the training data: the model has seen their first-principles tensors
SEEN = {
    "ZnO": "mp-2133",  # polar: a piezoelectric tensor and what follows from it
    "ZrO2": "mp-2858",  # monoclinic
    "PI2": "mp-29443",  # triclinic, molecules: unlike most training data
    "Al": "mp-134",  # a metal: warnings in the pictures of its permittivities
}


def make(folder: Path) -> Path:
    """Write the gallery, over an older one, and return the page that lists it."""
    crystals = {c.source_id: c.atoms for c in load_model().training_crystals if c.atoms}
    with TemporaryDirectory() as source:
        for path in (Path(__file__).parent / "crystals").glob("*.cif"):
            copy(path, source)
        for name, entry in SEEN.items():
            write(Path(source) / f"{name}.extxyz", crystals[entry])
        command = [sys.executable, "-m", "ase_eqtensor", "report", source, "-o", str(folder)]
        subprocess.run([*command, "--overwrite"], check=True, stdout=subprocess.DEVNULL)
    return folder / "index.html"


if __name__ == "__main__":
    print(make(Path(sys.argv[1] if len(sys.argv) > 1 else "gallery")))
