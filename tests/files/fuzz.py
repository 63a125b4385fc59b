"""Damaged files of every kind: each input has to end in results or typed errors, and what is
written has to be read back.

    python tests/files/fuzz.py --inputs 5000 --seed 0

prints a line for each kind of file and every input that broke a promise, by its number, which
`--only NUMBER` repeats. `test_fuzz.py` runs a few of them with the other tests.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import all_properties
from ase.db import connect
from ase.io import write

from ase_eqtensor import EqTensorCalculator, EqTensorError, freeze, load, save, tensors_of
from ase_eqtensor.files import expand, storable

sys.path.insert(0, str(Path(__file__).parents[1]))
from crystals import CRYSTALS  # noqa: E402
from places import CIFS  # noqa: E402

SLOW = 10.0  # s; no damaged file may take longer, whatever it announces
KINDS = (".cif", ".vasp", ".extxyz", ".db", ".json", ".traj")
OUTPUTS = (".extxyz", ".traj", ".db", ".json")
TOKENS = (b"nan", b"inf", b"-1", b"0", b"1e308", b"99999999", b"?", b".", b"'", b'"', b"#", b"_",
          b"loop_", b"data_", b"X", b"Xx9", b"\xff\xfe", b"\x00", "Å".encode(), b"\n", b"\t", b"@",
          b"(3)", b"1/3", b"Lattice=", b"-x,-y,-z", b"{", b"]", b"null", b"true")  # fmt: skip


def originals(folder: Path) -> dict[str, list[bytes]]:
    """Sound files of every kind, by ending."""
    crystals = [CRYSTALS[name].copy() for name in ("rutile", "quartz", "rocksalt")]
    for i, atoms in enumerate(crystals):
        atoms.info |= {"name": f"crystal {i}", "measured": 1.5 * i}
    found: dict[str, list[bytes]] = {".cif": [path.read_bytes() for path in CIFS.glob("*.cif")]}
    for kind in KINDS:
        path = folder / f"sound{kind}"
        if kind == ".db":
            with connect(path) as db:
                for atoms in crystals:
                    db.write(atoms, measured=1.5, data={"note": [1, 2]})
        else:
            formats = {".vasp": "vasp", ".json": "json"}
            images = crystals if kind in (".extxyz", ".traj", ".json") else crystals[0]
            write(path, images, format=formats.get(kind))
        found.setdefault(kind, []).append(path.read_bytes())
    return found


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with one to four random changes of bytes, words or lines."""
    for _ in range(rng.integers(1, 5)):
        if not content:
            return content
        start = int(rng.integers(len(content)))
        end = start + int(rng.integers(1, 40))
        token = TOKENS[rng.integers(len(TOKENS))]
        lines = content.split(b"\n")
        a, b = rng.integers(len(lines), size=2)
        match rng.integers(8):
            case 0:
                content = content[:start] + bytes([rng.integers(256)]) + content[start + 1 :]
            case 1:
                content = content[:start] + content[end:]
            case 2:
                content = content[:start] + token + content[start:]
            case 3:
                lines[a], lines[b] = lines[b], lines[a]
                content = b"\n".join(lines)
            case 4:
                content = b"\n".join([*lines[:a], lines[b], *lines[a:]])
            case 5:
                words = lines[a].split(b" ")
                words[rng.integers(len(words))] = token
                content = b"\n".join([*lines[:a], b" ".join(words), *lines[a + 1 :]])
            case 6:
                content = content[:start]
            case 7:
                content = content[:start] + content[start:end] * 3 + content[end:]
    return content


def odd(rng: np.random.Generator) -> Atoms:
    """A sound crystal with odd things beside it, as a row of a database may have them."""
    atoms = bulk("MgO", "rocksalt", a=4.2)
    values = (
        None,
        np.nan,
        np.inf,
        "",
        "nan",
        "1",
        [1, 2],
        {"a": {"b": 1}},
        np.zeros((3, 3)),
        7,
        {},
    )
    names = ("dielectric_tensor", "elasticity_tensor_ev_per_ang3", "eqtensor", "key_value_pairs",
             "note", "k_vrh_gpa", "source", "flags", "ä b", "occupancy", "spacegroup",
             *all_properties[:3])  # fmt: skip
    for _ in range(rng.integers(1, 5)):
        atoms.info[names[rng.integers(len(names))]] = values[rng.integers(len(values))]
    if rng.random() < 0.3:
        atoms.set_array("mine", rng.normal(size=(2, rng.integers(1, 4))))
    return atoms


def attempt(number: int, seed: int, folder: Path, sound: dict, calculator) -> tuple[str, str]:
    """Kind of the input and what came of it: "results", "errors", or what is wrong."""
    rng = np.random.default_rng((seed, number))
    kind = ("row", *KINDS)[number % (1 + len(KINDS))]
    if kind == "row":
        crystals = [(f"row {number}", odd(rng))]
    else:
        path = folder / f"{number}{kind}"
        path.write_bytes(damaged(sound[kind][rng.integers(len(sound[kind]))], rng))
        collection = expand([str(path)])
        crystals = [crystal for key in collection.keys() for crystal in collection.read(key)]
        path.unlink()
        if not crystals:
            return kind, "WRONG: neither a crystal nor an error"
    predicted, failures = calculator.predictor.predict_labelled(crystals)
    if len(predicted) + len(failures) != len(crystals):
        return kind, "WRONG: a crystal is lost"
    for failure in failures:
        if not str(failure).strip():
            return kind, "WRONG: an error without a word"
    if not predicted:
        return kind, "errors"
    suffix = OUTPUTS[rng.integers(len(OUTPUTS))]
    images = [freeze(atoms, prediction, label) for label, atoms, prediction in predicted]
    images, refused = storable(images, [label for label, *_ in predicted], suffix)
    if images:
        output = folder / f"{number}-out{suffix}"
        save(output, images)
        back = load(output)
        output.unlink()
        if len(back) != len(images):
            return kind, f"WRONG: {len(images)} crystals written to {suffix}, {len(back)} read"
        for one, other in zip(images, back):
            kept, read = tensors_of(one), tensors_of(other)
            if kept.keys() != read.keys():
                return kind, f"WRONG: {suffix} has {sorted(read)} for {sorted(kept)}"
            if not all(np.allclose(read[name], kept[name], rtol=1e-6) for name in kept):
                return kind, f"WRONG: {suffix} has other tensors"
    return kind, "results" if images else "errors" if refused else "WRONG: nothing"


def run(inputs: range, seed: int = 0) -> tuple[Counter, list[str]]:
    """Count of (kind, outcome), and a line for every broken promise."""
    calculator = EqTensorCalculator("joint-v8", allow_untrained_elements=True)
    outcomes: Counter = Counter()
    broken = []
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        sound = originals(folder)
        for number in inputs:
            begun = time.perf_counter()
            try:
                kind, outcome = attempt(number, seed, folder, sound, calculator)
            except EqTensorError as error:
                kind, outcome = "any", f"WRONG: {type(error).__name__} ends the run: {error}"
            except Exception as error:
                kind, outcome = "any", f"WRONG: {type(error).__name__}: {error}"
            if (seconds := time.perf_counter() - begun) > SLOW:
                outcome = f"WRONG: {seconds:.0f} s"
            if outcome.startswith("WRONG"):
                broken.append(f"input {number}, {kind}: {outcome}")
                outcome = "wrong"
            outcomes[kind, outcome] += 1
    return outcomes, broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="number of a single input")
    options = parser.parse_args()
    numbers = range(options.inputs)
    if options.only is not None:
        numbers = range(options.only, options.only + 1)
    outcomes, broken = run(numbers, options.seed)
    for (kind, outcome), count in sorted(outcomes.items()):
        print(f"{kind:8} {outcome:8} {count}")
    print("\n".join(broken) or "every input ended in results or typed errors")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
