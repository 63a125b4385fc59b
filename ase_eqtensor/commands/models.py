"""The command `eqtensor models`."""

from rich.console import Console
from rich.table import Table

from ..models.store import DEFAULT_MODEL, available_models, load_model, shipped_folder
from ..quantities import stored
from .app import app


@app.command()
def models() -> None:
    """List the models that come with the package.

    Errors are means, relative to the norm of the tensor, over crystals (their number in brackets)
    that the predicting networks had not seen.

    Example: eqtensor models
    """
    quantities = stored()
    headings = (quantity.display.short for quantity in quantities.values())
    table = Table("model", "networks", *headings, "MB")
    for name in available_models():
        card = load_model(name).card
        figures = card.figures_of("out_of_fold")
        errors = [
            f"{figures[key]['mean_relative']['value']:.3f} ({figures[key]['crystals']})"
            if key in figures
            else "-"
            for key in quantities
        ]
        weights = shipped_folder() / f"{name}.safetensors"
        title = f"{name} (default)" if name == DEFAULT_MODEL else name
        size = f"{weights.stat().st_size / 1e6:.1f}"
        table.add_row(title, str(len(card.members)), *errors, size)
    Console().print(table)
