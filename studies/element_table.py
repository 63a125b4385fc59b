"""The table of elements behind the descriptors of `ase_eqtensor.network.elements`.

    python -m studies.element_table

writes it anew from pymatgen's periodic table and from that of `mendeleev` (PyPI), which has to be
installed beside it; nothing else needs that library.
"""

import csv
import math
import sqlite3
import warnings
from importlib.metadata import distribution, version

from pymatgen.core import Element

from ase_eqtensor.network.elements import LAST, TABLE

HEADER = """\
# Elements 1 to {last}; an empty field is one that the source does not have.
# polarisability_bohr3: static dipole polarisability of the free atom, P. Schwerdtfeger and
#   J. K. Nagle, Mol. Phys. 117, 1200 (2019), updated in 2023, from mendeleev {mendeleev} (MIT).
# All other columns are from the periodic table of pymatgen-core {pymatgen} (MIT): Pauling's
#   electronegativity, first ionisation energy, electron affinity, calculated radius of the free
#   atom, Mendeleev number (P. Villars et al., J. Alloys Compd. 367, 167 (2004)), melting point,
#   bulk and shear modulus and molar volume of the element, least and greatest of its common
#   oxidation states (0 where it has none), and the mean of its ionic radii.
# Written by studies/element_table.py.
"""
FROM_PYMATGEN = {
    "electronegativity": "X",
    "ionisation_energy_ev": "ionization_energy",
    "electron_affinity_ev": "electron_affinity",
    "radius_ang": "atomic_radius_calculated",
    "mendeleev_number": "mendeleev_no",
    "melting_point_k": "melting_point",
    "bulk_modulus_gpa": "bulk_modulus",
    "shear_modulus_gpa": "rigidity_modulus",
    "molar_volume_cm3": "molar_volume",
}


def row(element: Element, polarisability: float) -> dict[str, float | str | None]:
    """One line of the table."""
    states = element.common_oxidation_states or (0,)
    values = {name: _number(element, key) for name, key in FROM_PYMATGEN.items()}
    radius = _number(element, "average_ionic_radius")
    return (
        {"element": element.symbol}
        | values
        | {"least_oxidation": min(states), "greatest_oxidation": max(states)}
        | {"ionic_radius_ang": radius or None, "polarisability_bohr3": polarisability}
    )


def _number(element: Element, key: str) -> float | None:
    value = getattr(element, key)
    number = math.nan if value is None else float(value)
    return None if math.isnan(number) else round(number, 6)


def main() -> None:
    """Write the table."""
    path = distribution("mendeleev").locate_file("mendeleev/elements.db")
    with sqlite3.connect(str(path)) as database:
        columns = "select atomic_number, dipole_polarizability from elements"
        polarisability = dict(database.execute(columns))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that pymatgen does not have
        rows = [row(Element.from_Z(z), polarisability[z]) for z in range(1, LAST + 1)]
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        versions = {"mendeleev": version("mendeleev"), "pymatgen": version("pymatgen-core")}
        file.write(HEADER.format(last=LAST, **versions))
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
