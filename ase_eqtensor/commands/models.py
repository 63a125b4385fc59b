"""The command `eqtensor models`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from ase.data import chemical_symbols
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ..errors import counted
from ..models.partner_card import read_partner
from ..models.store import DEFAULT_MODEL, Model, available_models, load_model
from ..models.uncertainty import RELATIVE
from ..quantities import stored
from .app import app

ALL_ELEMENTS = range(1, 104)  # as far as there is any data
FEW_LACKING = 45  # elements: fewer are told by what is lacking, more by what is there


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="Only this one, or a weights file.")] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="All that the cards say, for people.")
    ] = False,
) -> None:
    """List the models that come with the package.

    Errors are means, relative to the norm of the tensor, over crystals that the predicting networks
    had not seen. Potentials that models were calibrated with, for --partner, stand below, with the
    mean errors by the network alone and by both.

    Examples: eqtensor models
    eqtensor models joint-v8-folds --verbose
    """
    console = Console(highlight=False)
    loaded = [load_model(one) for one in ([name] if name else available_models())]
    if verbose:
        for model in loaded:
            for title, lines in _sections(model):
                if lines:
                    console.print(Text(title, "bold"))
                for line in lines:
                    console.print(Text(f"  {line}"), soft_wrap=True)
            console.print()
        return
    console.print(_table(loaded))
    for model in loaded:
        for line in _partners(model):
            console.print(line, markup=False)


def _table(loaded: list[Model]) -> Table:
    """A line for each model: networks, mean errors, size."""
    quantities = stored()
    headings = (quantity.display.short for quantity in quantities.values())
    whole = (Column(text, no_wrap=True) for text in ("model", "networks", *headings, "MB"))
    table = Table(*whole, box=SIMPLE_HEAD, pad_edge=False)
    for model in loaded:
        figures = _figures(model)
        errors = [
            f"{figures[key]['mean_relative']['value']:.3f}" if key in figures else "-"
            for key in quantities
        ]
        table.add_row(_title(model), str(len(model.card.members)), *errors, _megabytes(model))
    return table


def _title(model: Model) -> str:
    return f"{model.name} (default)" if model.name == DEFAULT_MODEL else model.name


def _megabytes(model: Model) -> str:
    assert model.weights is not None  # it was loaded from there
    return f"{model.weights.stat().st_size / 1e6:.1f}"


def _figures(model: Model) -> dict[str, dict[str, Any]]:
    """Target -> figures out of fold; none of a model that was trained on one fold only."""
    return model.card.figures.get("out_of_fold", {})


def _partners(model: Model) -> Iterator[str]:
    """What potentials bring, a line each."""
    for partner, path in model.partners.items():
        figures = read_partner(path).figures
        brings = []
        for name, quantity in stored().items():
            if own := figures.get(name):
                errors = f"{own['network_mean']:.3f} -> {own['mean']:.3f}"
                brings.append(f"{quantity.display.short} {errors}")
        yield f"{model.name} --partner {partner}: {', '.join(brings)}"


def _sections(model: Model) -> Iterator[tuple[str, list[str]]]:
    """What the card of a model says: headings, and the lines below each."""
    card = model.card
    networks = counted(len(card.members), "network")
    yield _title(model), [f"{networks}, {_megabytes(model)} MB; {card.intended_use}"]
    yield "limits", card.limits
    quantities = [
        (q.display.short, name) for name, q in stored().items() if name in model.quantities
    ]
    figures = _figures(model)
    yield (
        "level of theory of the training data",
        [f"{short}: {card.level_of_theory.get(name, 'unknown')}" for short, name in quantities],
    )
    yield (
        "crystals of each data set",
        [f"{dataset}: {sum(of.values())}" for dataset, of in card.members[0].data.items()],
    )
    yield "data", card.data_citation
    yield (
        "elements",
        [f"{short}: {_elements(card.elements.get(name, {}))}" for short, name in quantities],
    )
    yield (
        "errors, relative to the norm of the tensor, of crystals that the networks had not seen",
        [f"{short}: {_errors(figures[name])}" for short, name in quantities if name in figures],
    )
    yield (
        "of families left out of the training, the share of crystals within the 90 % bounds",
        [f"{short}: {told}" for short, name in quantities if (told := _families(model, name))],
    )
    yield "partners, and mean errors by the network alone -> by both", list(_partners(model))


def _elements(counts: Mapping[int, float]) -> str:
    """How many elements there are, and either which or which are lacking."""
    lacking = [z for z in ALL_ELEMENTS if z not in counts]
    few = len(lacking) < FEW_LACKING
    listed = " ".join(chemical_symbols[z] for z in (lacking if few else sorted(counts)))
    text = f"{len(counts)}, {'without' if few else 'which are'} {listed}"
    borrowed = " ".join(chemical_symbols[z] for z in sorted(counts) if counts[z] == 0)
    return f"{text}; by a potential only {borrowed}" if borrowed else text


def _errors(figures: Mapping[str, Any]) -> str:
    mean, median = (figures[f"{kind}_relative"]["value"] for kind in ("mean", "median"))
    within = f"{figures['ewt25_percent']:.0f} % of {figures['crystals']} crystals within 25 %"
    return f"mean {mean:.3f}, median {median:.3f}, {within}"


def _families(model: Model, quantity: str) -> str:
    """Family -> share of its crystals whose error the 90 % bound holds, the worst first."""
    entry = model.card.calibration_of(quantity).get(RELATIVE, {}).get("by_family") or {}
    shares = sorted(entry.items(), key=lambda item: item[1]["0.9"])
    return ", ".join(f"{family} {100 * share['0.9']:.0f} %" for family, share in shares)
