"""Turn finished runs into a shipped model: weights, and a card with every figure.

    python -m ase_eqtensor.train.release NAME DATABASE RUN [RUN ...]

The run that is shipped is the one with the best validation score among those of the first run's
recipe; which of them it is has been decided before any test crystal is looked at. The card gives
its figures on val and test, and those of all runs, so that the spread over seeds is known. Runs
with other data sets (the recipe without the table of K and G) are listed, too.
"""

import json
import sys
from importlib import resources
from pathlib import Path

from ase_eqtensor import __version__
from ase_eqtensor.pretrained import Model, load_model, save_model
from ase_eqtensor.train.database import read_database
from ase_eqtensor.train.evaluate import evaluate
from ase_eqtensor.train.record import Record

ABOUT = {
    "data_citation": [
        "M. de Jong et al., Sci. Data 2, 150009 (2015), stiffness; Materials Project, CC BY 4.0",
        "I. Petousis et al., Sci. Data 4, 160134 (2017), dielectric; Materials Project, CC BY 4.0",
        "K and G of binary compounds: Materials Project, as collected for MatCalc in 2025",
    ],
    "intended_use": "Screening of bulk inorganic crystals at their relaxed PBE geometry.",
    "limits": [
        "about a thousand training tensors of each kind, mostly small cells",
        "dielectric data are insulators only: nothing is said about metals",
        "no magnetism, no temperature, no surfaces or molecules",
    ],
}


def validation_score(model: Model) -> float:
    """Mean over tensors of median plus half the mean relative error on val; lower is better."""
    figures = [f for f in model.card["figures"]["val"].values() if "anisotropic_skill" in f]
    scores = [f["median_relative"]["value"] + f["mean_relative"]["value"] / 2 for f in figures]
    return sum(scores) / len(scores)


def release(name: str, records: list[Record], runs: list[Path], folder: Path) -> Path:
    """Choose by val, score every run once on its test fold, write NAME into `folder`."""
    models = [load_model(run / f"{run.name}.safetensors") for run in runs]
    same = [m for m in models if _recipe(m) == _recipe(models[0])]
    best = min(same, key=validation_score)
    tests = {m.name: evaluate(m, records, "test") for m in models}
    card = {k: v for k, v in best.card.items() if k not in ("name", "sha256", "architecture")}
    card["package_version"] = __version__
    card["figures"] = {"val": best.card["figures"]["val"], "test": tests[best.name]["figures"]}
    card["runs"] = [_run(m, tests[m.name]["figures"]) for m in models]
    return save_model(best.network, card | ABOUT, folder / name)


def _recipe(model: Model) -> dict:
    return {key: value for key, value in model.card["recipe"].items() if key != "seed"}


def _run(model: Model, test: dict) -> dict:
    recipe = model.card["recipe"]
    return {
        "datasets": recipe["datasets"],
        "epochs": recipe["epochs"],
        "seed": recipe["seed"],
        "minutes": model.card["minutes"],
        "val_score": validation_score(model),
        "test": {name: compact(figures) for name, figures in test.items()},
    }


def compact(figures: dict) -> dict:
    """The figures of one property without intervals and the trivial answers beside them."""
    out = {}
    for key, value in figures.items():
        if isinstance(value, dict) and "value" in value:
            out[key] = value["value"]
        elif key == "anisotropic_skill":
            out[key] = value["all"]
        elif not isinstance(value, dict):
            out[key] = value
    return out


if __name__ == "__main__":
    shipped = Path(str(resources.files("ase_eqtensor.weights")))
    path = release(
        sys.argv[1], read_database(sys.argv[2]), [Path(r) for r in sys.argv[3:]], shipped
    )
    print(json.dumps(load_model(path).card["runs"], indent=1))
