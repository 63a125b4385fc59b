"""The lightning module: one step of training or validation."""

from functools import partial

import lightning as L
import torch

from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.train.fitting.noise import hide_classes, shaken
from ase_eqtensor.train.fitting.samples import Batch
from ase_eqtensor.train.recipes.recipe import Recipe
from ase_eqtensor.train.targets import targets


class TensorModule(L.LightningModule):
    """A `TensorNetwork` with its losses.

    The validation score is the mean over targets of the median error plus half the mean error: the
    median, so that a single outlier does not decide, and the mean, so that outliers count. Every
    process of a parallel run validates on all crystals.
    """

    def __init__(self, network: TensorNetwork, recipe: Recipe, steps: int):
        super().__init__()
        self.network = network
        self.recipe, self.steps = recipe, steps
        self._errors: dict[str, list[torch.Tensor]] = {}

    def transfer_batch_to_device(self, batch: Batch, device, dataloader_idx: int) -> Batch:
        return batch.to(device)

    def training_step(self, batch: Batch, _) -> torch.Tensor:
        """The weighted sum of the losses, a number ()."""
        size = len(batch.graph.size)
        # by step, so that a resumed run draws what an uninterrupted one would have drawn
        random = torch.Generator().manual_seed(self.recipe.seed + 1_000_003 * self.global_step)
        graph = hide_classes(batch.graph, self.recipe.class_dropout, random)
        if self.recipe.noise:
            graph = shaken(graph, self.recipe.noise, random)
        outputs = self.network(graph)
        # of the main process alone: others may have other targets, so there is no common order
        log = partial(self.log, on_step=False, on_epoch=True, batch_size=size, rank_zero_only=True)
        total = torch.zeros((), device=self.device)
        for name, (index, value) in batch.targets.items():
            target = targets()[name]
            predicted = target.predicted(outputs)[index]
            loss = target.loss(predicted, value, self.recipe.anisotropy)
            log(f"train_{name}", loss)
            # a target's weight counts per crystal, however many of them this batch happens to have;
            # gradients are averaged over processes, each of which has a share of the batch
            share = len(index) / self.recipe.batch_size * self.trainer.world_size
            total = total + self.recipe.weight(target) * share * loss
        log("train_loss", total, prog_bar=True)
        return total

    def on_validation_epoch_start(self) -> None:
        self._errors = {}

    def validation_step(self, batch: Batch, _) -> None:
        outputs = self.network(batch.graph)
        for name, (index, value) in batch.targets.items():
            target = targets()[name]
            errors = target.errors(target.predicted(outputs)[index], value)
            self._errors.setdefault(name, []).append(errors)

    def on_validation_epoch_end(self) -> None:
        scores = []
        for name, parts in self._errors.items():
            errors = torch.cat(parts)
            self.log(f"val_{name}_median", errors.median(), prog_bar=True, sync_dist=True)
            self.log(f"val_{name}_mean", errors.mean(), sync_dist=True)
            scores.append(errors.median() + errors.mean() / 2)
        self.log("val_score", torch.stack(scores).mean(), prog_bar=True, sync_dist=True)

    def configure_optimizers(self):
        recipe = self.recipe
        optimizer = torch.optim.AdamW(
            self.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        # the rise takes a step at least, and so does the fall
        steps = max(self.steps, 3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.learning_rate, total_steps=steps, pct_start=max(0.05, 2 / steps)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
