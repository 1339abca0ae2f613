"""The config of each trial, as Hydra would compose a multirun's job of the same overrides.

Hydra reads and merges its thirty files for each job, 0.3 s of a warm trial. Trials differ in values more often than in
options, and values only change what the options have composed to; so that is kept.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Protocol, final

from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra.core.override_parser.types import Override, OverrideType
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.space import as_arguments, build_parser
from mammoscope.refusals import explain
from mammoscope.vocabulary import Register

KEPT = 16  # compositions of options, some megabytes each


class Composer(Protocol):
    """What compose.py, which is above, lets a sweeper use."""

    @property
    def register(self) -> Any: ...
    @property
    def to_config(self) -> Any: ...
    @property
    def check_choices(self) -> Any: ...
    @property
    def compose(self) -> Any: ...
    @property
    def parse(self) -> Any: ...
    @property
    def home(self) -> Any: ...


@final
class Compositions:
    """Of one process."""

    def __init__(self, context: HydraContext, config: DictConfig, composer: Composer):
        self._loader, self._config, self._composer = context.config_loader, config, composer
        self._options = lru_cache(KEPT)(self._by_hydra)

    def trial(self, overrides: Mapping[str, str]) -> tuple[TrainConfig, DictConfig]:
        """The trial that these overrides make, and what Hydra composed of them. Raises MammoscopeError."""
        try:
            composed = self.composed(as_arguments(overrides))
            self._composer.check_choices(composed.hydra.runtime.choices)
            plain = composed.copy()
            with open_dict(plain):
                del plain["hydra"]
            config = self._composer.to_config(plain)
        except MammoscopeError:
            raise
        except Exception as error:
            raise MammoscopeError(explain(error)) from error
        return _as_trial(config), composed

    def composed(self, arguments: list[str]) -> DictConfig:
        """What Hydra's `load_sweep_config` gives; the caller's own. Raises what Hydra does."""
        parsed = build_parser(self._loader).parse_overrides(arguments)
        options = tuple(argument for argument, one in zip(arguments, parsed, strict=True) if not _is_value(one))
        composed: DictConfig = self._options(options).copy()
        try:
            for one in parsed:
                if _is_value(one):
                    OmegaConf.update(composed, one.key_or_group, one.value(), merge=True)
        except OmegaConfBaseException:
            return self._by_hydra(tuple(arguments))  # whose errors we know
        known = OmegaConf.select(composed, "hydra.job.config.override_dirname")
        own = [one for one in parsed if not one.is_hydra_override()]
        composed.hydra.overrides.task = [one.input_line for one in own]
        composed.hydra.job.override_dirname = get_overrides_dirname(
            overrides=own, kv_sep=known.kv_sep, item_sep=known.item_sep, exclude_keys=known.exclude_keys
        )
        return composed

    def _by_hydra(self, arguments: tuple[str, ...]) -> DictConfig:
        composed: DictConfig = self._loader.load_sweep_config(self._config, list(arguments))
        return composed


def _is_value(override: Override) -> bool:
    """Of one key, as against an option of a group, an addition, a deletion, a word to Hydra."""
    key = override.key_or_group
    is_plain = override.type is OverrideType.CHANGE and override.package is None
    return is_plain and "." in key and "/" not in key and not override.is_hydra_override()


def _as_trial(config: TrainConfig) -> TrainConfig:
    """As one of a search's: it is not registered, and a loss that is not finite ends it."""
    return replace(
        config,
        search=None,
        tracking=replace(config.tracking, register=Register.never),
        trainer=replace(config.trainer, fall_back=False),
    )
