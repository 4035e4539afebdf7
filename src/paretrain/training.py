"""A training as a generator of epochs. Its caller ends it by not asking for the next epoch."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from paretrain.allocator import keep_freed_memory
from paretrain.averaging import WeightAverage
from paretrain.config import TrainConfig
from paretrain.data.augment import normalise, take_batch
from paretrain.data.mixing import erase, mix, partners
from paretrain.data.parts import ImageData, Part, carried
from paretrain.data.split import subset
from paretrain.determinism import sums_in_fixed_order
from paretrain.device import widest_float
from paretrain.epoch_result import EpochResult
from paretrain.epoch_selection import epochs_without_better, kept_epochs
from paretrain.evaluation import Confusion, Evaluation
from paretrain.health import judge
from paretrain.labels import Labels
from paretrain.metric import TOP, refuse_too_few_classes
from paretrain.networks.build import build_network, initialise
from paretrain.networks.pointwise import skip_pixels_first
from paretrain.networks.pooling import pool_in_fixed_order
from paretrain.networks.published import frozen_layers, load_published, statistics_of
from paretrain.optim import build_optimizer, build_schedule
from paretrain.step_graph import StepGraph, capture_on

# Networks that do not learn fill momentum and activations with denormal numbers, on which a CPU
# computes many times slower (docs/architecture.md). At import, because threads inherit the flag
# from the thread that starts them.
torch.set_flush_denormal(True)
keep_freed_memory()

EVALUATION_PIXELS = 4096 * 32 * 32
"""Most pixels in an evaluation batch on a GPU. It limits memory and changes no result."""
CPU_EVALUATION = 64
"""Most images in an evaluation batch on the CPU, unless training batches are larger. With more,
validation is hardly faster and needs more memory than training, which shows only after an epoch."""
PREPARED_PIXELS = 8192 * 32 * 32
"""Most pixels that are augmented at once on a GPU, unless a batch is larger. Small batches cost a
GPU little more than the calls, of which there are then fewer a batch."""


STATISTICS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar100": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


def pixel_statistics(
    config: TrainConfig, data: ImageData
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return the mean and deviation of each channel (scale 0 to 1) to normalise with."""
    if config.normalise == "published":
        return statistics_of(config.network)
    return STATISTICS.get(config.normalise, (data.mean, data.std))


def patience_is_over(config: TrainConfig, results: Sequence[EpochResult]) -> bool:
    """Whether a training ends after these epochs, because none has been better for too long."""
    if config.patience is None or not results:
        return False
    accs, losses = [r.score for r in results], [r.val_loss for r in results]
    return epochs_without_better(accs, losses, config.keep) >= config.patience


class Step(NamedTuple):
    """What one batch gave."""

    loss: Tensor
    """Mean loss of the batch, in nats."""
    logits: Tensor
    """(B, num_classes), of the weights before the step."""
    labels: Tensor
    """(B): the class with the larger share, where images are mixed."""


class Answers(NamedTuple):
    """What a network says of a part, as tensors on the device."""

    losses: Tensor
    """Sum of the losses of all images, in nats."""
    confusion: Tensor
    """(num_classes, num_classes): numbers of images by true and predicted class."""
    in_top5: Tensor | None
    """Number of images whose class is among the five most probable; None where the metric is
    another."""


class Training:
    """One training of one configuration on one device.

    `network` holds the current weights and, after the last epoch, those of the epoch that is kept.
    """

    def __init__(self, config: TrainConfig, data: ImageData, device: torch.device) -> None:
        """Build the network, its optimizer and its schedule.

        Raises ValueError when the network cannot take images of this size, or the metric so few
        classes, UserError when published weights cannot be loaded.
        """
        refuse_too_few_classes(config.metric, len(data.classes))
        self.config = config
        self.device = device
        self.data = data.to(device)
        mean, std = pixel_statistics(config, data)
        self._mean = torch.tensor(mean, device=device)
        self._std = torch.tensor(std, device=device)
        torch.manual_seed(config.seed)
        # Weights are drawn on the CPU, so that a seed means the same network on every device.
        start = config.start
        network = build_network(
            config.network, len(data.classes), config.data.image_size, start.pretrained
        )
        initialise(network, config.init)
        self._still: list[nn.Module] = []
        if start.pretrained:
            self._still = frozen_layers(load_published(network, config), start.frozen)
            for layer in self._still:
                for weight in layer.parameters(recurse=False):  # layers within are counted alone
                    weight.requires_grad_(False)
        if config.deterministic and device.type == "cuda":
            pool_in_fixed_order(network)
        if device.type == "cpu":
            skip_pixels_first(network)
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._average = WeightAverage(self.network, config.ema) if config.ema else None
        self._ended = False
        self._chosen = self._choose_images()
        self._class_weights = self._weigh_classes()
        self._kept_weights: dict[str, Tensor] | None = None
        count = len(self._chosen)
        # A last batch of one image has no batch statistics, so it is left out.
        self._steps = -(-count // config.batch_size)
        if count % config.batch_size == 1 and self._steps > 1:
            self._steps -= 1
        self._optimizer = build_optimizer(config, self.network)
        self._schedule = build_schedule(config, self._optimizer, self._steps)
        self._graph = self._new_graph()
        self._lr = config.optimizer.lr
        self.curve: list[EpochResult] = []
        """The epochs so far."""
        self.confusion: Confusion | None = None
        """Confusion matrix of the validation images after the epoch that is kept. None before the
        first epoch."""

    def _new_graph(self) -> StepGraph | None:
        """Return what replays steps; None where that is not wanted, or the device cannot."""
        capture = capture_on(self.device) if self.config.cuda_graphs else None
        if capture is None:
            return None
        size = min(self.config.batch_size, len(self._chosen))
        steps = self._steps * self.config.epochs
        return StepGraph(self.network, self._optimizer, size, steps, capture)

    @property
    def steps_as(self) -> str | None:
        """How the steps have run, where they were to be replayed on a GPU: `CUDA graph`, or
        `eager: ` and why."""
        return None if self._graph is None else self._graph.words

    @property
    def graph_pending(self) -> bool:
        """Whether a later step will be recorded, so that those after it take another time."""
        return self._graph is not None and self._graph.pending

    def _choose_images(self) -> Tensor:
        """Return the positions of the training images that are used, on the device."""
        part, share = self.data.train, self.config.share
        if share == 1.0:
            return torch.arange(len(part), device=self.device)
        chosen = subset(part.labels_N.tolist(), share, self.config.data.split_seed)
        return torch.tensor(chosen, dtype=torch.int64, device=self.device)

    def _weigh_classes(self) -> Tensor | None:
        """Return the number of images over that of each class, up to a factor, (num_classes) on the
        device; None where all images count alike."""
        if self.config.balance == "none":
            return None
        labels = self.data.train.labels_N[self._chosen]
        exact = widest_float(self.device)
        counts = torch.zeros(len(self.data.classes), dtype=exact, device=self.device)
        counts.index_add_(0, labels, torch.ones(len(labels), dtype=exact, device=self.device))
        return (len(labels) / len(counts)) / counts.clamp_min(1)

    def _order(self, draws: torch.Generator) -> Tensor:
        """Return the positions of an epoch's images among those that are used."""
        count = len(self._chosen)
        if self.config.balance != "sampling":
            return torch.randperm(count, generator=draws, device=self.device)
        # Only whole numbers are added up, so that a GPU repeats it in any order.
        labels = self.data.train.labels_N[self._chosen]
        counts = torch.zeros(len(self.data.classes), dtype=torch.int64, device=self.device)
        counts.index_add_(0, labels, torch.ones_like(labels))
        present = (counts > 0).long().cumsum(0)
        which, where = torch.rand(2, count, generator=draws, device=self.device)
        classes = torch.searchsorted(present, (which * present[-1]).long(), right=True)
        classes = classes.clamp_max(len(counts) - 1)
        within = (where * counts[classes]).long().clamp_max(counts[classes] - 1)
        return labels.argsort(stable=True)[counts.cumsum(0)[classes] - counts[classes] + within]

    def _answer(self, images: Tensor) -> Tensor:
        """Return the logits of pixels as the network takes them, in evaluation mode, with the
        average of the weights where there is one. After the last epoch `network` holds it."""
        self.network.eval()
        if self._average is not None and not self._ended:
            return self._average.answer(self.network, images)
        out: Tensor = self.network(images)
        return out

    def _counting_state(self) -> dict[str, Tensor]:
        """Return the weights that are validated."""
        return self.network.state_dict() if self._average is None else self._average.state

    @property
    def images_used(self) -> int:
        """Number of training images, without those that `share` leaves out."""
        return len(self._chosen)

    @property
    def kept(self) -> EpochResult:
        """The epoch that counts. There must be at least one epoch."""
        accs, losses = [r.score for r in self.curve], [r.val_loss for r in self.curve]
        return self.curve[kept_epochs(accs, losses, self.config.keep)[-1]]

    def epochs(self, pulse: Callable[[], None] = lambda: None) -> Iterator[EpochResult]:
        """Train; yield each epoch's result.

        Ends after the last epoch, when patience is over, or when the training has diverged. `pulse`
        is called after every batch, on a GPU after those that are prepared together. An exception
        that it raises ends the training at once.
        """
        if self.device.type == "cuda":
            # Validation may need more memory than a training step. A lack of memory is to show
            # before an epoch is spent.
            self.evaluate(self.data.val, batches=1)
        metric = self.config.metric
        for epoch in range(len(self.curve) + 1, self.config.epochs + 1):
            if patience_is_over(self.config, self.curve):
                break
            start = time.perf_counter()
            losses, right = self.train_epoch(epoch, pulse)
            images = min(len(self._chosen), self._steps * self.config.batch_size)
            train_loss, train_acc = float(losses) / self._steps, int(right) / images
            on_val = self.evaluate(self.data.val, pulse)
            health = judge(train_loss, on_val.loss, train_acc, on_val.acc, on_val.classes_predicted)
            result = EpochResult(
                epoch=epoch,
                train_loss=train_loss,
                train_acc=train_acc,
                val_loss=on_val.loss,
                val_acc=on_val.acc,
                per_class=on_val.per_class,
                lr=self._lr,
                seconds=time.perf_counter() - start,
                health=health,
                val_score=None if metric == "acc" else on_val.score(metric),
            )
            self.curve.append(result)
            if self.kept is result:
                self.confusion = on_val.confusion
            self._keep_weights()
            yield result
            if health == "diverged":
                break
        if self._kept_weights is not None:
            self.network.load_state_dict(self._kept_weights)
        elif self._average is not None:
            self.network.load_state_dict(self._average.state)
        self._ended = True

    def _keep_weights(self) -> None:
        if self.config.keep != "last" and self.kept is self.curve[-1]:
            state = self._counting_state()
            self._kept_weights = {name: tensor.clone() for name, tensor in state.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return all that the epochs to come depend on: only tensors, numbers and text."""
        return {
            "config": self.config.model_dump_json(),
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "kept": self._kept_weights,
            "average": None if self._average is None else self._average.state,
            "confusion": self.confusion,
            "curve": [result.model_dump_json() for result in self.curve],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state. On the CPU the epochs to come are the same to the last bit.

        Raises ValueError when the state is that of another configuration. One of an earlier
        version lacks settings that there were not; they are as they were then.
        """
        try:
            same = TrainConfig.model_validate_json(state["config"]) == self.config
        except ValidationError:
            same = False
        if not same:
            raise ValueError("the checkpoint is of another configuration")
        self.network.load_state_dict(state["network"])
        if self._average is not None:
            self._average.load(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._graph = self._new_graph()  # one that was recorded has the addresses of other moments
        self._kept_weights = state.get("kept")
        self.confusion = state.get("confusion")
        self.curve = [EpochResult.model_validate_json(text) for text in state["curve"]]

    def arithmetic(self) -> AbstractContextManager[None]:
        """Return the block in which steps have the configuration's arithmetic (`deterministic`)."""
        return sums_in_fixed_order(self.device, self.config.deterministic)

    def steps(self, epoch: int) -> Iterator[Step]:
        """Train one epoch; yield what each batch gave, as tensors on the device.

        To be pulled within `arithmetic()`.
        """
        # One seed an epoch: it is the same whether or not the ones before it ran in this process.
        seed = (self.config.seed * 1_000_003 + epoch) % 2**63
        torch.manual_seed(seed)  # dropout
        draws = torch.Generator(self.device).manual_seed(seed)
        part, config = self.data.train, self.config
        order = self._order(draws)
        self.network.train()
        for layer in self._still:
            layer.training = False  # BatchNorm's statistics stay, too
        order = self._chosen[order][: self._steps * config.batch_size]
        # Where images are not on the device, their positions are wanted here, too: once an epoch,
        # because the device must be waited for.
        away = part.images_NCHW.device.type != self.device.type
        order_here = order.to(part.images_NCHW.device)
        size = config.batch_size * self.batches_prepared
        for some, here in zip(torch.split(order, size), torch.split(order_here, size), strict=True):
            images, index = part.images_NCHW, some
            if away:
                images = carried(images.index_select(0, here), self.device)
                index = torch.arange(len(some), device=self.device)
            images = take_batch(images, index, config.augment, draws)
            pixels = erase(self._normalised(images), config.augment, draws)
            mixed, labels = mix(pixels, config.augment, draws), part.labels_N[some]
            if mixed is None:
                yield from self._steps_over(pixels, Labels(labels))
            else:
                classes = len(self.data.classes)
                shared = Labels.mixed(labels, partners(labels), mixed.share, classes)
                yield from self._steps_over(mixed.images, shared)

    def _steps_over(self, images: Tensor, labels: Labels) -> Iterator[Step]:
        """Train on prepared images, batch by batch."""
        size = self.config.batch_size
        for some, truth in zip(torch.split(images, size), labels.split(size), strict=True):
            self._lr = float(self._optimizer.param_groups[0]["lr"])
            if self._graph is None:
                loss, logits = self._step(some, truth)
            else:
                loss, logits = self._graph.run(self._step, some, truth)
            self._schedule.step()
            if self._average is not None:
                self._average.update(self.network, self._schedule.last_epoch)
            yield Step(loss, logits, truth.main)

    def _step(self, images: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
        """Change the weights by a batch; return its mean loss and its logits."""
        clip = self.config.clip
        self._optimizer.zero_grad(set_to_none=True)
        loss, logits = self._gradients(images, labels)
        if clip.value is not None:
            nn.utils.clip_grad_value_(self.network.parameters(), clip.value)
        if clip.norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), clip.norm)
        self._optimizer.step()
        return loss, logits

    def _normalised(self, images: Tensor) -> Tensor:
        """uint8 images -> what the network takes, in the precision in which it computes."""
        pixels = normalise(images, self._mean, self._std)
        if self.config.precision == "bf16":  # its first layer would convert each batch
            return pixels.bfloat16()
        return pixels

    def _gradients(self, images: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
        """Run the forward and backward pass of a batch; return its mean loss and its logits.

        The batch goes through in pieces of at most `micro_batch` images. Their weighted gradients
        add up to the batch's, but BatchNorm sees one piece at a time.
        """
        count = len(images)
        pieces = -(-count // (self.config.micro_batch or count))
        smoothing = self.config.regularisation.label_smoothing
        weights = self._class_weights if self.config.balance == "weights" else None
        weights = None if weights is None else weights.float()
        losses, answers = [], []
        for some, truth in zip(
            torch.tensor_split(images, pieces), labels.pieces(pieces), strict=True
        ):
            with self._autocast():
                logits = self.network(some)
                loss = truth.cross_entropy(logits, smoothing, weights)
            if pieces > 1:
                part: Tensor | float = len(some) / count
                if weights is not None:
                    part = truth.weight(weights) / labels.weight(weights)
                loss = loss * part
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
            answers.append(logits.detach())
        if pieces == 1:
            return losses[0], answers[0]
        return sum(losses[1:], losses[0]), torch.cat(answers)

    def train_epoch(self, epoch: int, pulse: Callable[[], None]) -> tuple[Tensor, Tensor]:
        """Train one epoch; return the sum of its batches' losses, and the number of images that
        were right, as tensors on the device. Nothing in it waits for the device."""
        losses = torch.zeros((), dtype=widest_float(self.device), device=self.device)
        right = torch.zeros((), dtype=torch.int64, device=self.device)
        steps = self.steps(epoch)
        with self.arithmetic():
            # On a GPU each call costs, so batches that were prepared together are counted together.
            while together := list(itertools.islice(steps, self.batches_prepared)):
                losses += torch.stack([step.loss for step in together]).sum(dtype=losses.dtype)
                answers = torch.cat([step.logits for step in together]).argmax(1)
                right += (answers == torch.cat([step.labels for step in together])).sum()
                pulse()
        return losses, right

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """uint8 images (N, 3, H, W) on the device -> logits (N, num_classes), evaluation mode."""
        with self.arithmetic(), self._autocast():
            return self._answer(normalise(images, self._mean, self._std))

    @torch.no_grad()
    def logits_as_exported(self, images: Tensor) -> Tensor:
        """The same of the current weights, computed as the exported formats do: in fp32, so that no
        weights are cast, and with no averages put in their place."""
        self.network.eval()
        out: Tensor = self.network(normalise(images, self._mean, self._std))
        return out

    @torch.no_grad()
    def evaluate(
        self,
        part: Part,
        pulse: Callable[[], None] = lambda: None,
        batches: int | None = None,
        flip: bool = False,
    ) -> Evaluation:
        """Measure loss, accuracy and confusion matrix on a part, or on its first `batches`.

        Images are not augmented and the network is in evaluation mode. `pulse` is called after
        every batch. With `flip` an answer is the mean of the probabilities of an image and of its
        mirror image.
        """
        if batches is not None:
            most = batches * self.evaluation_size
            part = Part(part.images_NCHW[:most], part.labels_N[:most])
        said = self.answers(part, pulse, flip)
        rows = said.confusion.tolist()
        right = sum(rows[i][i] for i in range(len(rows)))
        return Evaluation(
            float(said.losses) / len(part),
            right / len(part),
            tuple(tuple(row) for row in rows),
            None if said.in_top5 is None else int(said.in_top5) / len(part),
        )

    @torch.no_grad()
    def answers(
        self, part: Part, pulse: Callable[[], None] = lambda: None, flip: bool = False
    ) -> Answers:
        """Return what the network says of a part. Nothing in it waits for the device."""
        classes = len(self.data.classes)
        confusion = torch.zeros(classes * classes, dtype=torch.int64, device=self.device)
        losses = torch.zeros((), dtype=widest_float(self.device), device=self.device)
        size = self.evaluation_size
        in_top5 = None
        if self.config.metric == "top5":
            in_top5 = torch.zeros((), dtype=torch.int64, device=self.device)
        for images, labels in zip(
            torch.split(part.images_NCHW, size), torch.split(part.labels_N, size), strict=True
        ):
            labels = labels.to(self.device)
            images = carried(images, self.device)
            logits = self.logits(images)
            if flip:  # the logarithm of the mean, as well as a softmax gives it
                both = [logits, self.logits(images.flip(3))]
                logits = torch.logaddexp(*(each.float().log_softmax(1) for each in both))
            losses += F.cross_entropy(logits.float(), labels, reduction="sum")
            cell = labels * classes + logits.argmax(1)
            confusion.index_add_(0, cell, torch.ones_like(cell))
            if in_top5 is not None:
                in_top5 += (logits.topk(TOP, dim=1).indices == labels[:, None]).sum()
            pulse()
        return Answers(losses, confusion.view(classes, classes), in_top5)

    @property
    def batches_prepared(self) -> int:
        """Batches whose images are augmented, and whose results are counted, at once."""
        if self.device.type == "cpu":
            return 1  # what is prepared stays in the cache
        pixels = self.config.batch_size * self.config.data.image_size**2
        return max(1, PREPARED_PIXELS // pixels)

    @property
    def pulses_per_epoch(self) -> int:
        """How often `pulse` is called in an epoch of training and validation."""
        training = -(-self._steps // self.batches_prepared)
        return training - (-len(self.data.val) // self.evaluation_size)

    @property
    def evaluation_size(self) -> int:
        """Images that are validated at once."""
        size = max(1, EVALUATION_PIXELS // self.config.data.image_size**2)
        size = min(size, self.config.micro_batch or size)  # it is given where memory is short
        if self.device.type == "cpu":
            size = min(size, max(CPU_EVALUATION, self.config.batch_size))
        return size

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.config.precision == "bf16"
        )
