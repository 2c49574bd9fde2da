"""`python -m core`: what can be done without the page."""

import argparse
import dataclasses
import datetime
import functools
import sys
from pathlib import Path
from typing import Any

from core import files
from core.data import mnist
from core.networks import LIBRARY, Network, NetworkFileError, load_file
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
    train.add_argument("--data", type=Path, metavar="DIR", help="learn from folders of pictures")
    place = train.add_mutually_exclusive_group()
    place.add_argument("--name", help="keep it under this name, to be chosen on every page")
    place.add_argument("--out", type=Path, help="the file to write")
    train.set_defaults(run=_train)

    listing = commands.add_parser("models", help="list the networks that there are")
    listing.set_defaults(run=_models)

    measuring = commands.add_parser(
        "measure", help="measure the shipped networks for the pages, where that is not known yet"
    )
    measuring.set_defaults(run=_measure)

    seeds = commands.add_parser(
        "seeds", help="train the course report's recipe with ten seeds, tell how much they differ"
    )
    seeds.set_defaults(run=_seeds)

    report = commands.add_parser(
        "report", help="set the course report beside a network, line by line, in an HTML file"
    )
    report.add_argument(
        "--model", default="report", metavar="NAME|FILE", help="the network; default: report"
    )
    report.add_argument(
        "--out", type=Path, default=Path("report.html"), metavar="FILE", help="the file to write"
    )
    report.set_defaults(run=_report)

    export = commands.add_parser("export", help="write MNIST as folders of PNG files")
    export.add_argument("folder", type=Path, metavar="DIR")
    export.set_defaults(run=_export)

    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 1
    return 0


def _data(options: argparse.Namespace) -> None:
    for split in ("train", "test"):
        print(f"{len(mnist.load(split)):,} {split} images are in place.")


def _train(options: argparse.Namespace) -> None:
    from core.presentation.words import on_reproducibility
    from core.training.terminal import train_and_save

    changes = _changes(options.settings)
    recipe = dataclasses.replace(PRESETS[options.preset], **changes)
    if options.out or options.name:
        out = options.out or options.name
    elif changes or options.data:
        # A shipped network is not to be replaced by one of another recipe.
        out = options.preset + " changed"
    else:
        out = LIBRARY.path(options.preset)
    train_and_save(
        recipe,
        out,
        engine=options.engine,
        data=options.data,
        today=datetime.date.today().isoformat(),
    )
    print(on_reproducibility(recipe, engine=options.engine))


def _seeds(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from core.evaluation import robustness, seeds
    from core.presentation import words
    from core.training import split, train

    everything, test = mnist.load("train"), mnist.load("test")
    networks: dict[str, Network] = {}
    for seed in tqdm(seeds.SEEDS, unit=" networks trained"):
        recipe = seeds.recipe_of(seed)
        *_, last = train(recipe, *split(recipe, everything, test))
        networks[f"seed {seed}"] = last.kept
    with tqdm(total=len(networks) * len(robustness.EPSILONS), unit=" budgets") as bar:
        robustness.write_cache(networks, test, path=seeds.PATH, on_progress=bar.update)
    for name, network in networks.items():
        found = robustness.cached(network, path=seeds.PATH)
        assert found is not None
        print(f"{name}: {words.on_robustness(found, seeds.EPSILON)}")
    print(words.on_spread(seeds.Spread.over(robustness.read_cache(seeds.PATH).values())))


def _models(options: argparse.Namespace) -> None:
    for name in LIBRARY.names():
        try:
            network, card = LIBRARY.load(name)
        except NetworkFileError as error:
            print(error)
            continue
        print(
            f"{name:24} {card.created}  {network.parameter_count:>9,} numbers  test accuracy "
            f"{card.test_accuracy:.2%}  {'shipped' if LIBRARY.is_shipped(name) else 'kept'}"
        )


def _measure(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from core.evaluation import robustness
    from core.presentation.course_report import PASSES, write_shipped

    shipped = {name: LIBRARY.load(name) for name in filter(LIBRARY.is_shipped, LIBRARY.names())}
    networks = {name: network for name, (network, _) in shipped.items()}
    test = mnist.load("test")
    with tqdm(total=len(networks) * len(robustness.EPSILONS), unit=" budgets") as bar:
        robustness.write_cache(networks, test, on_progress=bar.update)
    images = len(networks) * PASSES * len(test)
    with tqdm(total=images, unit=" images", unit_scale=True) as bar:
        train = functools.cache(lambda: mnist.load("train"))
        write_shipped(shipped, train, test, on_progress=bar.update)


def _report(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from core.evaluation.shipped import MeasuredFileError
    from core.presentation.course_report import PASSES, measure_report, shipped_report, to_html
    from core.training import of_digits

    known = options.model in LIBRARY.names()
    path = LIBRARY.path(options.model) if known else Path(options.model)
    network, card = load_file(path)
    files.check_writable(options.out)
    try:
        findings = shipped_report(network, card)
    except MeasuredFileError as error:
        print(f"{error} The network is measured now.", file=sys.stderr)
        findings = None
    if findings is None:
        train, test = mnist.load("train"), mnist.load("test")
        images = PASSES * len(of_digits(test, card.recipe.digits))
        with tqdm(total=images, unit=" images", unit_scale=True) as bar:
            findings = measure_report(network, card, train, test, on_progress=bar.update)
    files.write(options.out, to_html(findings, name=path.stem).encode())
    print(f"Written to {options.out}")


def _export(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from core.data import folders

    with tqdm(total=70_000, unit=" images", unit_scale=True) as bar:
        folders.export(options.folder, on_progress=bar.update)


def _changes(settings: list[str]) -> dict[str, Any]:
    """What `--set` asks for, each value in its field's type."""
    defaults = dataclasses.asdict(Recipe())
    changes: dict[str, Any] = {}
    for setting in settings:
        field, _, value = setting.partition("=")
        if field not in defaults:
            raise ValueError(f"--set {setting}: there is no {field!r} among {', '.join(defaults)}")
        try:
            changes[field] = _parsed(value, like=defaults[field])
        except ValueError:
            raise ValueError(f"--set {setting}: {value!r} is not a value for {field}") from None
    return changes


def _parsed(text: str, *, like: object) -> object:
    """The value that a text gives for a field with a default like this one."""
    if isinstance(like, tuple):
        return tuple(int(part) for part in text.split(",") if part)
    if isinstance(like, bool):
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    return type(like)(text)  # type: ignore[call-arg]


if __name__ == "__main__":
    sys.exit(main())
