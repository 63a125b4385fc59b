"""Fitting a model: records and a recipe in, trained network out."""

from pathlib import Path
from typing import NamedTuple

import lightning as L
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from ase_eqtensor.errors import DataError
from ase_eqtensor.train.fitting.module import TensorModule
from ase_eqtensor.train.fitting.samples import (
    Sample,
    loader,
    prepare,
    training_loader,
)
from ase_eqtensor.train.fitting.start import untrained
from ase_eqtensor.train.folds import Split
from ase_eqtensor.train.recipes.recipe import Recipe
from ase_eqtensor.train.targets import DATASETS

# what a run leaves in its folder
CHECKPOINTS, LOGS = "checkpoints", "logs"
LAST_CHECKPOINT = f"{CHECKPOINTS}/last.ckpt"


class TrainingSamples(NamedTuple):
    """What a run trains on, and what it is validated on."""

    train: list[Sample]
    val: list[Sample]

    @property
    def selection(self) -> list[Sample]:
        """The validation crystals that choose the epoch: those with tensors where there are any,
        whatever else is trained on; none in quarantine."""
        sound = [sample for sample in self.val if not sample.record.quarantine]
        tensors = [s for s in sound if DATASETS[s.record.dataset].holds_tensors]
        return tensors or sound


class AveragedWeights(EMAWeightAveraging):
    """Lightning's exponential moving average, which it cannot send to other processes."""

    def __init__(self, decay: float):
        super().__init__(decay=decay)
        self.decay = decay

    def __reduce__(self):
        return AveragedWeights, (self.decay,)


def prepare_parts(parts: Split, recipe: Recipe) -> TrainingSamples:
    """Graphs of the training and of the validation crystals of a fold.

    Raises DataError if either part is empty.
    """
    if not parts.train or not any(not record.quarantine for record in parts.val):
        raise DataError(
            f"fold {recipe.fold} leaves {len(parts.train)} training and {len(parts.val)} "
            "validation crystals; both are needed, and not all in quarantine. Add data."
        )
    samples = prepare([*parts.train, *parts.val], recipe.network.cutoff)
    return TrainingSamples(samples[: len(parts.train)], samples[len(parts.train) :])


def fit(
    samples: TrainingSamples,
    recipe: Recipe,
    folder: Path,
    resume: bool = False,
    progress: bool = True,
    devices: int = 1,
    stop_after: int | None = None,
) -> TensorModule:
    """Train on the recipe's fold and return the module with the averaged weights of the last epoch.

    Args:
        samples: see `prepare_parts`.
        recipe: see `Recipe`.
        folder: receives checkpoints/ and logs/version_N/metrics.csv.
        resume: continue from the last checkpoint in `folder`.
        progress: show a progress bar.
        devices: number of GPUs, or of processes where there is none; they share every batch, so
            the result is the same but for rounding. A script that asks for more than one must be
            importable (`if __name__ == "__main__":`).
        stop_after: stop after this many epochs of the schedule, as an interruption would.
    """
    L.seed_everything(recipe.seed, verbose=False)
    batches = training_loader(samples.train, recipe.batch_size, recipe.seed)
    network = untrained(samples.train, recipe, progress)
    module = TensorModule(network, recipe, steps=len(batches) * recipe.epochs)
    validation = loader(samples.selection, 64)
    return descend(module, batches, validation, folder, resume, progress, devices, stop_after)


def descend(
    module: TensorModule,
    batches: DataLoader,
    validation: DataLoader,
    folder: Path,
    resume: bool = False,
    progress: bool = True,
    devices: int = 1,
    stop_after: int | None = None,
) -> TensorModule:
    """The same for a module that is given, with its batches."""
    recipe = module.recipe
    last = ModelCheckpoint(folder / CHECKPOINTS, "last", enable_version_counter=False)
    trainer = L.Trainer(
        max_epochs=stop_after or recipe.epochs,
        accelerator="auto",
        devices=devices,
        # not every batch has all targets, so some heads may be without a gradient
        strategy="auto" if devices == 1 else "ddp_spawn_find_unused_parameters_true",
        use_distributed_sampler=False,
        gradient_clip_val=recipe.gradient_clip,
        logger=CSVLogger(folder, name=LOGS),
        log_every_n_steps=len(batches),
        enable_progress_bar=progress,
        enable_model_summary=False,
        callbacks=[
            last,
            AveragedWeights(decay=recipe.ema_decay),
            LearningRateMonitor("epoch"),
        ],
    )
    reached = folder / LAST_CHECKPOINT
    trainer.fit(
        module,
        batches,
        validation,
        ckpt_path=reached if resume and reached.is_file() else None,
        weights_only=False,
    )
    state = torch.load(reached, weights_only=False)["state_dict"]  # which holds the average
    module.load_state_dict(state)
    return module.eval()
