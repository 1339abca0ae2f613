"""Everything that a run can be told. A config group, a field here, a dataclass and a builder's argument share one name.

Not frozen, no Literal, no Path: OmegaConf refuses those (docs/ARCHITECTURE.md, "Where Hydra stops").
"""

from dataclasses import dataclass, field
from typing import Any

from mammoscope.vocabulary import (
    AbnormalityKind,
    BatchNorm,
    Debug,
    Fusion,
    HeadStart,
    ImageVariant,
    KeptEpoch,
    LossName,
    Precision,
    PrunerName,
    Register,
    SamplerName,
    Sampling,
    ScheduleName,
    SourceName,
    SplitScheme,
    TargetPolicy,
    Trainable,
    View,
)


@dataclass(kw_only=True, slots=True)
class SourceRecipe:
    """The sizes and lengths that suit a source; `image` and `trainer` take theirs from here unless told otherwise."""

    roi_height_px: int
    roi_width_px: int
    full_height_px: int
    full_width_px: int
    epochs: int
    batch_size: int
    tissue_window_px: int | None = None  # target=tissue: image.window_px


@dataclass(kw_only=True, slots=True)
class SourceConfig:
    name: SourceName
    root: str | None = None
    csv: str | None = None  # source=table: the list of images; relative paths in it start at its own folder
    recipe: SourceRecipe


@dataclass(kw_only=True, slots=True)
class PhantomConfig:
    patients: int
    seed: int
    d_prime: float  # distance of the class means in standard deviations: the ideal AUC is Phi(d'/sqrt 2)
    height_px: int
    width_px: int
    test_fraction: float


@dataclass(kw_only=True, slots=True)
class StoreConfig:
    root: str
    workers: int  # processes that prepare; 0: as many as there are cores


@dataclass(kw_only=True, slots=True)
class PrepareConfig:
    part: str | None = None  # i/n: prepare this share of the store only, for an array job on a cluster


@dataclass(kw_only=True, slots=True)
class DataConfig:
    name: str
    kinds: list[AbnormalityKind]


@dataclass(kw_only=True, slots=True)
class ImageConfig:
    name: ImageVariant
    height_px: int
    width_px: int
    context: float | None = None  # side of the square window as a multiple of the box's longer side (roi only)
    window_px: int | None = None  # side of the square window in film pixels, in place of `context` (roi only)
    jitter_fraction: float = (
        0.0  # how far training may move the window, in its sides; stored that much wider (roi only)
    )


@dataclass(kw_only=True, slots=True)
class ViewConfig:
    name: str
    views: list[View]
    fusion: Fusion | None = None  # view=pair only


@dataclass(kw_only=True, slots=True)
class TargetConfig:
    name: TargetPolicy
    normal_per_image: int | None = None  # tissue: at most so many normal patches are cut from a film


@dataclass(kw_only=True, slots=True)
class SplitConfig:
    name: SplitScheme
    seed: int
    validation_fraction: float
    fold: int | None = None  # cv5 only: the one of the five folds that validates
    allow: str | None = None  # a file of near-duplicates that a person has looked at and found to be two films


@dataclass(kw_only=True, slots=True)
class AugmentConfig:
    """Probabilities and ranges; `name: none` switches everything off."""

    name: str
    flip_horizontal: float
    flip_vertical: float
    rotate_deg: float
    scale_fraction: float
    translate_fraction: float
    brightness_fraction: float
    contrast_fraction: float
    mixup_alpha: float = 0.0  # of the Beta(alpha, alpha) that blends a batch's images; 0: they stay apart


@dataclass(kw_only=True, slots=True)
class ModelConfig:
    name: str
    backbone: str
    weights: str = "auto"  # auto | imagenet | none | <file>.safetensors
    trainable: Trainable = Trainable.all  # head: the backbone is frozen, its features are computed once
    drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    scales: list[float] = field(default_factory=list)  # squares around the centre, as fractions; []: the image alone
    average_flips: bool = False  # scores are the mean of an image's and of its mirror image's, top to bottom
    frozen_stages: int = 0  # so many, from the stem on, keep their weights
    batch_norm: BatchNorm = BatchNorm.train
    head_start: HeadStart = HeadStart.undecided
    compile: bool = False  # by torch.compile: minutes at the start for faster steps, rounded a little differently


@dataclass(kw_only=True, slots=True)
class LossConfig:
    name: LossName
    pos_weight: float | None = (
        None  # bce: weight of the positive class; null: negatives / positives as an epoch shows them (by_target: 1)
    )
    smoothing: float = 0.0
    gamma: float | None = None  # focal: how much less a sample weighs that is well told already; 0: no less
    alpha: float | None = (
        None  # focal: weight of the positive class, 1 - alpha that of the other; null: as bce or cross_entropy has it
    )


@dataclass(kw_only=True, slots=True)
class OptimizerConfig:
    name: str
    lr: float
    weight_decay: float
    momentum: float | None = None  # null: timm's own; optimizers without momentum take null alone
    layer_decay: float | None = None  # each layer below the head learns at this fraction of the rate of the one above
    backbone_lr_factor: float = 1.0  # the backbone learns at this fraction of `lr`, the head at `lr`
    frozen_epochs: int = 0  # the head learns alone for so many epochs, then all does


@dataclass(kw_only=True, slots=True)
class ScheduleConfig:
    name: ScheduleName
    warmup_epochs: float
    final_lr_fraction: float


@dataclass(kw_only=True, slots=True)
class TrainerConfig:
    epochs: int
    batch_size: int
    precision: Precision
    device: str  # auto | cpu | cuda | cuda:N
    workers: int | None = (
        None  # processes that augment; 0: the training process does; null: 0 on a CPU, up to 8 beside a GPU
    )
    clip_norm: float | None
    patience_epochs: int | None  # early stopping: epochs without a better selection metric; null: never
    channels_last: bool
    kept_epoch: KeptEpoch = KeptEpoch.best
    sampling: Sampling = Sampling.uniform
    accumulate_batches: int = 1  # a step's gradient is the mean of so many batches'
    ema_decay: float | None = None  # of the average of the weights that is validated and kept; null: none
    fall_back: bool = True  # go on in a safer precision where this one overflows; false, as in a search: the run fails
    deterministic: bool = False  # torch refuses what a GPU sums in an order of chance; a CPU has none
    checkpoint_every_s: int = 300  # how much of a long epoch a kill may cost; every epoch is kept anyway


@dataclass(kw_only=True, slots=True)
class TrackingConfig:
    uri: str
    home: str  # where runs have their local folders when the store is a server; a sqlite store has them beside itself
    experiment: str
    register: Register


@dataclass(kw_only=True, slots=True)
class DebugConfig:
    name: Debug
    steps: int
    log_loss: float | None = None  # one_batch: what it must come to
    lr_from: float | None = None  # lr_range: of the first step
    lr_to: float | None = None  # lr_range: of the last step
    folder: str | None = None  # lr_range: where its table and its picture go


@dataclass(kw_only=True, slots=True)
class SearchConfig:
    """Of a search, not of its trials. What Hydra draws from stands in `space` and on the command line."""

    option: str  # quick, standard, ...: the file of conf/search/
    name: str | None = None  # of the Optuna study and of the parent run; null: made of the option and the settings
    trials: int | None  # planned in all; null: every point of a grid
    workers: int = 1
    storage: str
    metric: Any  # a key such as validation/image/auc, or a list of them
    direction: Any  # maximize | minimize, or as many of them
    sampler: SamplerName = SamplerName.tpe
    sampler_seed: int = 0  # of what is drawn; the trainings have `seed`
    pruner: PrunerName = PrunerName.median
    startup_trials: int = 8  # finished trials before sampler and pruner go by them
    warmup_epochs: int = 1  # of a trial, before it may be pruned
    seeds: int = 1  # each trial is trained so often, with `seed` and those after it
    max_failure_fraction: float = 0.2  # of the planned trials: more failures than that end the search
    constraints: list[str] = field(default_factory=list)  # "cost/parameters_million <= 10": what a winner must fulfil
    space: dict[str, str] = field(default_factory=dict)  # by config key, in Hydra's language; a plain value is fixed
    configure: str | None = None  # module:function that reads, adds to and settles each trial as it is drawn
    dry_run: bool = False  # explain the search, and train nothing


@dataclass(kw_only=True, slots=True)
class TrainConfig:
    source: SourceConfig
    phantom: PhantomConfig
    store: StoreConfig
    prepare: PrepareConfig
    data: DataConfig
    image: ImageConfig
    view: ViewConfig
    target: TargetConfig
    split: SplitConfig
    augment: AugmentConfig
    model: ModelConfig
    loss: LossConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    trainer: TrainerConfig
    tracking: TrackingConfig
    search: SearchConfig | None = None  # many runs, in place of one
    debug: DebugConfig | None = None  # something to find out, in place of a run
    seed: int = 0
    resume: str | None = None  # a run to go on with (id, start of one, name), or auto: the latest unfinished one alike
