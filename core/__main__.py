"""`python -m core`: what can be done without the page."""

import argparse
import dataclasses
import datetime
import sys
from pathlib import Path
from typing import Any

from core import digits, models
from core.recipe import PRESETS, Recipe


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, or 1 with one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m core", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    data = commands.add_parser("data", help="verify and unpack MNIST, download what is missing")
    data.set_defaults(run=_data)

    train = commands.add_parser("train", help="train a network and keep it")
    train.add_argument("preset", choices=PRESETS, help="the recipe to start from")
    train.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help=f"change {', '.join(f.name for f in dataclasses.fields(Recipe))}; repeatable",
    )
    train.add_argument(
        "--engine", choices=("compiled", "torch"), help="default: compiled where it can"
    )
    train.add_argument(
        "--out", type=Path, help="the file to write; default: models/PRESET.safetensors"
    )
    train.set_defaults(run=_train)

    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 1
    return 0


def _data(options: argparse.Namespace) -> None:
    for split in ("train", "test"):
        print(f"{len(digits.load(split)):,} {split} images are in place.")


def _train(options: argparse.Namespace) -> None:
    from core.training.command import train_and_save

    recipe = dataclasses.replace(PRESETS[options.preset], **_changes(options.settings))
    out = options.out or models.path_of(options.preset)
    train_and_save(recipe, out, engine=options.engine, today=datetime.date.today().isoformat())


def _changes(settings: list[str]) -> dict[str, Any]:
    """What `--set` asks for, each value in its field's type."""
    defaults = dataclasses.asdict(Recipe())
    changes: dict[str, Any] = {}
    for setting in settings:
        field, _, value = setting.partition("=")
        if field not in defaults:
            raise ValueError(f"--set {setting}: there is no {field!r} among {', '.join(defaults)}")
        try:
            if isinstance(defaults[field], tuple):
                changes[field] = tuple(int(part) for part in value.split(",") if part)
            else:
                changes[field] = type(defaults[field])(value)
        except ValueError:
            raise ValueError(f"--set {setting}: {value!r} is not a value for {field}") from None
    return changes


if __name__ == "__main__":
    sys.exit(main())
