"""`mammoscope prepare --list | --prune | --verify`: the prepared stores that lie under store.root."""

import time
from pathlib import Path

from rich import box
from rich.table import Table

from mammoscope.config import StoreConfig
from mammoscope.data.stock import StockedStore, delete_store, find_damage, list_stock, why_useless
from mammoscope.errors import MammoscopeError
from mammoscope.reporting.console import console, progress, say

COLUMNS = ("store", "variant", "rows", "state", "size", "last used", "source")


def show_stock(config: StoreConfig) -> None:
    """Every store, with what is in it and whether it is whole."""
    stock = list_stock(Path(config.root))
    if not stock:
        say(f"no prepared stores in {config.root}")
        return
    table = Table(*COLUMNS, box=box.SIMPLE_HEAD)
    for store in stock:
        table.add_row(*_row(store))
    console.print(table)
    say(f"{len(stock)} stores, {_size(sum(store.bytes for store in stock))}, in {config.root}")


def _row(store: StockedStore) -> tuple[str, ...]:
    facts = store.facts
    variant = f"{facts.kind} {facts.view} {facts.image}" if facts else "?"
    rows = "" if store.rows is None else f"{store.rows}"
    used = time.strftime("%Y-%m-%d %H:%M", time.localtime(store.used_s))
    return store.name, variant, rows, _state(store), _size(store.bytes), used, facts.source_root if facts else "?"


def _state(store: StockedStore) -> str:
    if store.rows is not None:
        return "finished"
    shards = f"{store.shards_written} of {store.facts.shards} shards" if store.facts else "unreadable"
    return f"{shards}, being prepared" if store.is_held else shards


def prune_stock(config: StoreConfig, *, is_confirmed: bool) -> None:
    """Deletes what nothing can use any more; says what would go unless it is confirmed."""
    stock = list_stock(Path(config.root))
    useless = [(store, why) for store in stock if (why := why_useless(store, stock))]
    for store, why in useless:
        say(f"{'deleting' if is_confirmed else 'would delete'} {store.name}, {_size(store.bytes)}: {why}")
        if is_confirmed:
            delete_store(store)
    freed = _size(sum(store.bytes for store, _ in useless))
    kept = f"{len(stock) - len(useless)} stores stay"
    if not useless:
        say(f"nothing to delete in {config.root}; {kept}")
    elif is_confirmed:
        say(f"{len(useless)} stores deleted, {freed} freed; {kept}")
    else:
        say(f"{len(useless)} stores and {freed} would go, {kept}; `mammoscope prepare --prune --yes` deletes them")


def verify_stock(config: StoreConfig) -> None:
    """Reads every store whole. Raises: MammoscopeError that counts the damaged files; each is named before."""
    stock = [store for store in list_stock(Path(config.root)) if store.facts is not None]
    damaged = 0
    with progress("verifying stores") as step:
        for done, store in enumerate(stock):
            step(done, len(stock))
            problems = list(find_damage(store.folder))
            for problem in problems:
                say(f"{store.name}: damaged: {problem}")
            if not problems:
                say(f"{store.name}: whole ({_state(store)}, {_size(store.bytes)})")
            damaged += len(problems)
    if damaged:
        raise MammoscopeError(
            f"store.root={config.root}: {damaged} damaged files. Ways out: delete a damaged shard's "
            "shard-NNNN.parquet and the store's index.parquet, or its whole folder, and prepare again"
        )
    say(f"{len(stock)} stores are whole")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"
