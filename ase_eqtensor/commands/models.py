"""The command `eqtensor models`."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from ..models.partner_card import read_partner
from ..models.store import DEFAULT_MODEL, available_models, load_model, shipped_folder
from ..quantities import stored
from .app import app


@app.command()
def models() -> None:
    """List the models that come with the package.

    Errors are means, relative to the norm of the tensor, over crystals that the predicting networks
    had not seen. Potentials that models were calibrated with, for --partner, stand below, with the
    mean errors by the network alone and by both.

    Example: eqtensor models
    """
    quantities = stored()
    headings = (quantity.display.short for quantity in quantities.values())
    whole = (Column(text, no_wrap=True) for text in ("model", "networks", *headings, "MB"))
    table = Table(*whole, box=SIMPLE_HEAD, pad_edge=False)
    told = []
    for name in available_models():
        model = load_model(name)
        card = model.card
        told += [_partner(name, partner, path) for partner, path in model.partners.items()]
        figures = card.figures_of("out_of_fold")
        errors = [
            f"{figures[key]['mean_relative']['value']:.3f}" if key in figures else "-"
            for key in quantities
        ]
        weights = shipped_folder() / f"{name}.safetensors"
        title = f"{name} (default)" if name == DEFAULT_MODEL else name
        size = f"{weights.stat().st_size / 1e6:.1f}"
        table.add_row(title, str(len(card.members)), *errors, size)
    console = Console(highlight=False)
    console.print(table)
    for line in told:
        console.print(line, markup=False)


def _partner(model: str, partner: str, path: Path) -> str:
    """What a potential brings, in a line."""
    figures = read_partner(path).figures
    brings = []
    for name, quantity in stored().items():
        if own := figures.get(name):
            errors = f"{own['network_mean']:.3f} -> {own['mean']:.3f}"
            brings.append(f"{quantity.display.short} {errors}")
    return f"{model} --partner {partner}: {', '.join(brings)}"
