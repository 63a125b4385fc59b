"""The command `eqtensor models`."""

from importlib import resources

from rich.console import Console
from rich.table import Table

from ..models.store import DEFAULT_MODEL, available_models, load_model
from .app import app


@app.command()
def models() -> None:
    """List the models that come with the package.

    Errors are means, relative to the norm of the tensor, over crystals (their number counts those
    with a stiffness) that the predicting networks had not seen.

    Example: eqtensor models
    """
    table = Table("model", "networks", "crystals", "stiffness", "eps_inf", "eps_total", "MB")
    for name in available_models():
        card = load_model(name).card
        figures = card["figures"]["out_of_fold"]
        errors = [
            f"{figures[key]['mean_relative']['value']:.3f}"
            for key in ("elasticity_tensor", "electronic_dielectric_tensor", "dielectric_tensor")
        ]
        size = (
            resources.files("ase_eqtensor.weights").joinpath(f"{name}.safetensors").stat().st_size
        )
        title = f"{name} (default)" if name == DEFAULT_MODEL else name
        table.add_row(
            title,
            str(len(card["members"])),
            str(figures["elasticity_tensor"]["crystals"]),
            *errors,
            f"{size / 1e6:.1f}",
        )
    Console().print(table)
