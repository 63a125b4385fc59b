"""Tiny files as VASP writes them, of MgO in its conventional cell."""

import numpy as np
from ase.build import bulk

MAGNESIA = bulk("MgO", "rocksalt", a=4.21, cubic=True)
DIRECTIONS = ("XX", "YY", "ZZ", "XY", "YZ", "ZX")


def _matrix(rows: np.ndarray) -> str:
    return "\n".join(" " + " ".join(f"{x:12.6f}" for x in row) for row in rows)


def _table(title: str, labels: tuple[str, ...], rows: np.ndarray) -> str:
    lines = [f" {label} " + " ".join(f"{x:11.4f}" for x in row) for label, row in zip(labels, rows)]
    line = " " + "-" * 80
    return "\n".join([title, " Direction  " + "  ".join(DIRECTIONS), line, *lines, line, ""])


def stiffness(title: str, kbar: np.ndarray) -> str:
    """A table of moduli (6, 6) in kbar and VASP's order."""
    return _table(f" {title} (kBar)", DIRECTIONS, kbar)


def permittivity(electronic: np.ndarray, ionic: np.ndarray | None = None) -> str:
    """Both parts (3, 3) of the permittivity."""
    line = " " + "-" * 38
    text = " MACROSCOPIC STATIC DIELECTRIC TENSOR (including local field effects in DFT)\n"
    text += f"{line}\n{_matrix(electronic)}\n{line}\n"
    if ionic is not None:
        text += " MACROSCOPIC STATIC DIELECTRIC TENSOR IONIC CONTRIBUTION\n"
        text += f"{line}\n{_matrix(ionic)}\n{line}\n"
    return text


def outcar(*tables: str) -> str:
    """An OUTCAR with one step and these tables."""
    mg, o = (MAGNESIA[MAGNESIA.symbols == symbol] for symbol in ("Mg", "O"))
    atoms = mg + o
    positions = "\n".join(
        " " + " ".join(f"{x:12.5f}" for x in (*position, 0, 0, 0)) for position in atoms.positions
    )
    cell = "\n".join(
        " " + " ".join(f"{x:13.9f}" for x in (*row, *inverse))
        for row, inverse in zip(atoms.cell, np.linalg.inv(atoms.cell).T)
    )
    return f""" vasp.6.3.0 18Jan22 (build) complex
 POTCAR:    PAW_PBE Mg 13Apr2007
 POTCAR:    PAW_PBE O 08Apr2002
 POTCAR:    PAW_PBE Mg 13Apr2007
 POTCAR:    PAW_PBE O 08Apr2002
   number of dos      NEDOS =    301   number of bands    NBANDS=     32
   IBRION =      6    ionic relax
   total plane-waves  NPLWV =  32768
   ions per type =               {len(mg)}   {len(o)}
-------------------------------- Iteration      1(   1)  -----------------------------

      direct lattice vectors                 reciprocal lattice vectors
{cell}

 POSITION                                       TOTAL-FORCE (eV/Angst)
 -----------------------------------------------------------------------------------
{positions}
 -----------------------------------------------------------------------------------

  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)
  ---------------------------------------------------
  free  energy   TOTEN  =       -47.00000000 eV

  energy  without entropy=      -47.00000000  energy(sigma->0) =      -47.00000000

{"".join(tables)}
"""
