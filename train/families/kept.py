"""What models said of families that they had never seen, kept so that nobody trains them again.

left-out.npz holds errors and their features, no structure and no tensor.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ase_eqtensor.train.scoring.deviations import Deviations, Known

LEFT_OUT = Path(__file__).with_name("left-out.npz")
WIDTHS = ("hidden", "output", "embedding")  # fields of Architecture
SEPARATOR = "|"  # of family, quantity and error in the names of columns


def comparable(recipe: Mapping) -> dict:
    """A recipe without what differs between the runs of one model."""
    return {key: value for key, value in recipe.items() if key not in ("fold", "seed", "without")}


def of_trunk(recipe: Mapping) -> dict:
    """What of a recipe is comparable between networks with a branch (train/branch/) and those
    without: it changes no tensor that they had before. And between networks and their students
    (train/student/), which say nearly the same, and those that began with nothing
    (train/pretraining/) or are narrower, whose errors on unseen halides are nearly the same."""
    own = {k: value for k, value in comparable(recipe).items() if k not in ("student", "start")}
    branch = own.pop("branch", {"datasets": []})
    trunk = {k: value for k, value in own["network"].items() if k not in ("odd", *WIDTHS)}
    datasets = [d for d in own["datasets"] if d not in branch["datasets"]]
    return own | {"datasets": datasets, "network": trunk}


def save(path: Path, families: dict[str, Known], recipe: Mapping) -> None:
    """Write the errors of families, by networks of a recipe, to an .npz file, as float32."""
    entries = {
        SEPARATOR.join((family, quantity, error)): one
        for family, known in families.items()
        for quantity, errors in known.items()
        for error, one in errors.items()
    }
    names = sorted(set.intersection(*(set(one.features) for one in entries.values())))
    rows = [np.stack([one.features[n] for n in names], axis=1) for one in entries.values()]
    table, index = np.unique(np.concatenate(rows).astype(np.float32), axis=0, return_inverse=True)
    ends = np.cumsum([len(one.values) for one in entries.values()])[:-1]
    told = np.array(json.dumps(of_trunk(recipe), sort_keys=True))
    columns = {"recipe": told, "names": np.array(names), "features": table}
    for (key, one), row in zip(entries.items(), np.split(index.ravel(), ends)):
        columns[f"{key}{SEPARATOR}row"] = row.astype(np.int32)
        columns[f"{key}{SEPARATOR}value"] = one.values.astype(np.float32)
        columns[f"{key}{SEPARATOR}formula"] = one.formulas
    np.savez_compressed(path, **columns)  # type: ignore[arg-type]  # it has an option, too


def load(recipe: Mapping, path: Path = LEFT_OUT) -> dict[str, Known]:
    """The errors that `save` wrote; none if they are by networks of another recipe."""
    with np.load(path) as file:
        columns = dict(file)
    if of_trunk(json.loads(str(columns["recipe"]))) != json.loads(json.dumps(of_trunk(recipe))):
        return {}
    names, table = columns["names"].tolist(), columns["features"].astype(float)
    families: dict[str, Known] = {}
    for key in columns:
        *place, kind = key.split(SEPARATOR)
        if kind == "value":
            family, quantity, error = place
            start = SEPARATOR.join(place) + SEPARATOR
            rows = table[columns[f"{start}row"]]
            values = columns[key].astype(float)
            ones, nobody = np.ones(len(values)), np.zeros(len(values), dtype=bool)
            families.setdefault(family, {}).setdefault(quantity, {})[error] = Deviations(
                values,
                dict(zip(names, rows.T)),
                columns[f"{start}formula"],
                weights=ones,
                votes=ones,
                ordinary=nobody,
                large=nobody,
                family=np.full(len(values), family),
            )
    return families
