"""How far first-principles tensors are from predictions by networks that had not seen them:

    python -m studies.check_errors crystals.db

in size and in shape, as ase_eqtensor/checking/expectation.py has it; prints what maximises the
likelihood of half of the compositions, for its `ERRORS`.
"""

from typing import Annotated

import numpy as np
import typer
from scipy.optimize import minimize

from ase_eqtensor.checking.expectation import LEAST, Errors, Expectation, least_array
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.models.store import load_model
from studies.check_cases import KINDS, predictions, records_of

START = (0.0, -0.5, 1.0, 0.0, 1.0, -0.5, 1.0)  # centre; logarithms of scales and of tails - 1
GREATEST = 30.0  # degrees of freedom, from which on the tail is that of a normal distribution


def errors_of(parameters: np.ndarray) -> Errors:
    """The distributions of seven parameters, see `START`."""
    centre, *logarithms = parameters
    low, low_tail, high, high_tail, shape, shape_tail = np.exp(np.clip(logarithms, -5, 5))
    tails = [min(1 + tail, GREATEST) for tail in (low_tail, high_tail, shape_tail)]
    return Errors(float(centre), low, tails[0], high, tails[1], shape, tails[2])


def unlikely(
    parameters: np.ndarray, sizes: np.ndarray, shapes: np.ndarray, free: np.ndarray
) -> float:
    """Minus the logarithm of the likelihood of distances (n,) with free components (n,)."""
    errors = errors_of(parameters)
    total = errors.of_size(sizes).sum()
    for count in set(free.tolist()) - {0}:
        total += errors.of_shape(shapes[free == count], count).sum()
    return -float(total)


def main(
    database: Annotated[str, typer.Argument(help="Training database of `eqtensor data build`.")],
    half: Annotated[int, typer.Option(help="Of the compositions, 0 or 1.")] = 0,
) -> None:
    """Print the distributions of each quantity."""
    records = records_of(database, half)
    said = predictions(load_model(), records, out_of_fold=True)
    for quantity in KINDS:
        size, shape, free = [], [], []
        for record, prediction in zip(records, said):
            if quantity.name not in record.targets:
                continue
            true = quantity.from_ase(np.asarray(record.targets[quantity.name]))
            expected = Expectation.of(quantity, prediction, analyse(record.atoms).rotations)
            if expected.array is None or not expected.array.any():
                continue
            if np.linalg.norm(true) > 5 * LEAST:
                found = expected.distances((true - least_array(quantity))[None])
                size.append(found[0][0])
                shape.append(found[1][0])
                free.append(expected.free - 1)
        sizes, shapes, directions = np.array(size), np.array(shape), np.array(free)

        best = minimize(
            unlikely, START, (sizes, shapes, directions), "Nelder-Mead", options={"maxiter": 10_000}
        )
        told = ", ".join(f"{k} {v:.2f}" for k, v in errors_of(best.x)._asdict().items())
        print(f"{quantity.display.short}, {len(sizes)} tensors: {told}")


if __name__ == "__main__":
    typer.run(main)
