"""Verdicts on the terminal: as text and as JSON."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..checking.given import Given
from ..checking.readings import IONS
from ..checking.verdict import DOUBTFUL, FAR, FINE, WRONG, Verdict
from ..crystal.formula import reduced_formula
from ..prediction.prediction import Prediction
from ..quantities import QUANTITIES

STYLES = {FINE: "green", FAR: "yellow", WRONG: "bold red", DOUBTFUL: "bold red"}
SEVERAL = 3  # explanations and other readings that are told


class Checked(NamedTuple):
    """A crystal, what the model says of it, and the verdicts on its tensors by name."""

    given: Given
    prediction: Prediction
    verdicts: dict[str, Verdict]


def print_verdicts(checked: Sequence[Checked]) -> None:
    """A table of all tensors, and below it each that is not fine, with reasons and advice."""
    console = Console(highlight=False)
    headings = ["crystal", "formula", "tensor", "verdict", "breaks symmetry", "off by", "bound"]
    table = Table(*headings)
    for one in checked:
        formula = reduced_formula(one.given.atoms)
        for name, verdict in one.verdicts.items():
            table.add_row(
                Text(one.given.label, overflow="fold"),
                formula,
                QUANTITIES[name].display.short,
                Text(_short(verdict), STYLES[verdict.status]),
                _share(verdict.evidence.get("broken")),
                _share(verdict.evidence.get("error")),
                _share(verdict.evidence.get("bound")),
            )
    console.print(table)
    for one in checked:
        for verdict in one.verdicts.values():
            if verdict.status != FINE:
                console.print(Text(_explained(one, verdict)), soft_wrap=True)


def _short(verdict: Verdict) -> str:
    return f"{verdict.status}: {verdict.causes[0]}" if verdict.causes else verdict.status


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _explained(one: Checked, verdict: Verdict) -> str:
    quantity, evidence = QUANTITIES[verdict.name], verdict.evidence
    lines = [f"{one.given.label}, {quantity.display.short}: {_short(verdict)}"]
    lines += [f"  {told}" for told in verdict.explanation[:SEVERAL]]
    if len(verdict.explanation) > SEVERAL:
        lines.append(f"  or one of {len(verdict.explanation) - SEVERAL} more that do the same")
    for key, words in (
        ("broken", "breaks the point group or the symmetry of its indices by"),
        ("error", "distance from the prediction"),
        ("known", f"distance from {verdict.entry} of the training data"),
    ):
        if key in evidence:
            after = evidence.get(f"{key}_repaired")
            then = "" if after is None else f", repaired {_share(after)}"
            lines.append(f"  {words} {_share(evidence[key])}{then}")
    if "bound" in evidence:
        lines.append(f"  nine right tensors in ten are within {_share(evidence['bound'])}")
    if evidence.get("least_eigenvalue", 1.0) <= 0:
        least = evidence["least_eigenvalue"] * quantity.display.scale
        lines.append(f"  least eigenvalue {least:.3g} {quantity.display.unit}: unstable as written")
    for told, share in verdict.possible[:SEVERAL]:
        lines.append(f"  also possible ({100 * share:.0f} %): {told}")
    return "\n".join([*lines, f"  {_advice(one, verdict)}"])


def _advice(one: Checked, verdict: Verdict) -> str:
    if verdict.repaired is not None:
        return "-o FILE writes it repaired"
    if verdict.status == WRONG and IONS in verdict.causes:
        return "not repaired: the other part has to be calculated, or read from another file"
    if verdict.status == WRONG:
        return "not repaired"
    if verdict.status == FAR:
        return "one right tensor in ten is as far: look at functional, cell and convergence"
    if verdict.name not in one.prediction.tensors:
        return "the model says nothing of it: only the point group was asked"
    return "look at convergence, and at whether structure and tensor belong together"


def print_json(checked: Sequence[Checked]) -> None:
    """Everything that was found."""
    found = [
        {
            "source": one.given.label,
            "formula": reduced_formula(one.given.atoms),
            "tensors": {
                name: {"given": verdict.given.tolist(), "unit": QUANTITIES[name].unit}
                | verdict.to_dict()
                for name, verdict in one.verdicts.items()
            },
        }
        for one in checked
    ]
    print(json.dumps(found, indent=1))
