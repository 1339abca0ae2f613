"""What becomes of a training whose loss is infinite or no number: a safer precision, or an end that names the batch."""

import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from mammoscope.data.batches import Batch
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.training import Training
from mammoscope.reporting.console import say
from mammoscope.training.device import safer
from mammoscope.training.loop import loss_of, wake
from mammoscope.training.processes import everyone
from mammoscope.training.readings import NotFinite
from mammoscope.training.state import Trained, Tree
from mammoscope.vocabulary import Partition, Precision

BATCH_FILE = "not_finite/batch.safetensors"  # artifact: images, targets and indices of the step's batches


def judge(training: Training, found: NotFinite, precision: Precision, state: Tree | None) -> Precision:
    """The precision in which the training goes on from its last good state.

    The step is done once more from that state, in fp32: its batches are drawn again, as every epoch's are by its
    number alone. Finite there, the half precision is to blame.

    Raises MammoscopeError where fp32 gives no finite loss or gradient either, naming step and samples, with the batch
    kept as an artifact; where the run was in fp32, so that its weights have run away; where it may not fall back.
    """
    if not training.config.trainer.fall_back:
        raise MammoscopeError(f"{found} ({precision}), and trainer.fall_back=false ends the run there") from found
    assert state is not None, "of what may fall back, the state before its first step is kept"
    trained = training.begin(Precision.fp32)
    trained.restore(state["training"])
    trained.progress.epoch, trained.progress.steps = found.epoch, found.step
    batches = _batches_of(trained, found)
    if not all(everyone(_is_finite(trained, batches))):
        tensors = everyone(_tensors(batches))
        whole = {name: torch.cat([part[name] for part in tensors]) for name in tensors[0]}
        _keep(training, whole)
        samples = training.provenance.data.samples[Partition.train]
        names = ", ".join(samples[int(index)].id for index in whole["indices"])
        raise MammoscopeError(
            f"{found}, in fp32 from the last good state as well: something is wrong with its images, their targets or "
            f"the loss; they are kept as the run's artifact {BATCH_FILE}: {names}"
        ) from found
    next_one = safer(precision, trained.fabric.device)
    if next_one is None:
        raise MammoscopeError(
            f"{found}, and finite from the last good state: the weights have run away; try a lower optimizer.lr, or "
            "trainer.clip_norm=1"
        ) from found
    say(f"{found} in {precision}, and finite in fp32: the last good state goes on in {next_one}")
    training.tracker.tags(
        {f"fell_back.from_{precision}": f"to {next_one}, for epoch {found.epoch + 1}, step {found.step + 1}"}
    )
    return next_one


def _batches_of(trained: Trained, found: NotFinite) -> list[Batch]:
    each = trained.learner.accumulate
    drawn = iter(trained.learner.train.epoch(found.epoch, found.step * each))
    return [batch for _, batch in zip(range(each), drawn, strict=False)]


def _is_finite(trained: Trained, batches: list[Batch]) -> bool:
    """Whether the loss is, and all that follows from it for the weights."""
    learner = trained.learner
    wake(learner, trained.progress.epoch)
    learner.optimizer.zero_grad(set_to_none=True)
    for place, batch in enumerate(batches):
        loss = loss_of(trained.fabric, learner, batch, trained.progress, place)
        if not bool(loss.isfinite()):
            return False
        trained.fabric.backward(loss)
    gradients = [weight.grad for weight in learner.network.parameters() if weight.grad is not None]
    return bool(torch.stack([gradient.isfinite().all() for gradient in gradients]).all())


def _tensors(batches: list[Batch]) -> dict[str, torch.Tensor]:
    return {name: torch.cat([getattr(batch, name) for batch in batches]) for name in ("images", "targets", "indices")}


def _keep(training: Training, tensors: dict[str, torch.Tensor]) -> None:
    folder, name = BATCH_FILE.split("/")
    with tempfile.TemporaryDirectory() as place:
        save_file(tensors, Path(place) / name)
        training.tracker.file(Path(place) / name, folder)
