"""A run's settings as a recipe: the groups' options and the values in which it differs from what is composed anyway."""

from collections.abc import Callable, Mapping, Sequence

import yaml

from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.fingerprint import LOCAL, Setting, hashed_config, nested

Compose = Callable[[Sequence[str]], TrainConfig]
_PLACES = ("source", "store", "prepare", "tracking")  # groups that say where things lie, which a recipe leaves open


def is_file(weights: str) -> bool:
    """Of model.weights: a path, or what a public config has in place of one."""
    return weights.endswith(".safetensors") or weights.startswith(LOCAL) or "/" in weights


def source_overrides(config: TrainConfig) -> list[str]:
    """What composes with the run's source; nothing is read from the root."""
    root = [] if config.source.root is None else ["source.root=tree"]
    return [f"source={config.source.name}", *root]


def recipe_of(config: TrainConfig, options: Mapping[str, Sequence[str]], compose: Compose) -> str:
    """The body of the YAML file: Hydra's defaults list, then values. options: of each group."""
    chosen = _needed(config, _named(config, options, compose), compose)
    needs = {"model.backbone"} if chosen.get("model") == "timm" else set()
    needs |= {"split.fold"} if config.split.fold is not None else set()
    own = hashed_config(config)
    given = [f"{key}={own[key]}" for key in sorted(needs)]
    composed = hashed_config(compose([*source_overrides(config), *_overrides(chosen), *given]))
    values = {
        key: _plain(value)
        for key, value in own.items()
        if (value != composed[key] or key in needs) and not key.startswith("source.")
    }
    if is_file(config.model.weights):
        values.pop("model.weights", None)  # the command names it
    defaults: list[object] = [{f"override /{group}": option} for group, option in chosen.items()]
    tree = ({"defaults": defaults} if defaults else {}) | nested(values)
    return yaml.safe_dump(tree, sort_keys=False) if tree else ""


def _named(config: TrainConfig, options: Mapping[str, Sequence[str]], compose: Compose) -> dict[str, str]:
    """The options by the names that they give themselves, where these are not the default's."""
    plain, chosen = compose(source_overrides(config)), {}
    for group, allowed in options.items():
        name = _name(config, group)
        if group in _PLACES or name is None or name == _name(plain, group):
            continue
        if name in allowed:
            chosen[group] = name
        elif group == "model":
            chosen[group] = "timm"
    return chosen


def _needed(config: TrainConfig, chosen: dict[str, str], compose: Compose) -> dict[str, str]:
    """Without what others bring, as a target brings its loss."""
    for group in list(chosen):
        others = {other: option for other, option in chosen.items() if other != group}
        try:
            composed = compose(
                [*source_overrides(config), *_overrides(others), f"model.backbone={config.model.backbone}"]
            )
        except MammoscopeError:  # the others do not go without it
            continue
        if _name(composed, group) == _name(config, group):
            chosen = others
    return chosen


def _overrides(chosen: Mapping[str, str]) -> list[str]:
    return [f"{group}={option}" for group, option in chosen.items()]


def _name(config: TrainConfig, group: str) -> str | None:
    name = getattr(getattr(config, group), "name", None)
    return None if name is None else str(name)


def _plain(value: Setting) -> object:
    """Without the types that YAML would tag."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, str) else value
