"""`python -m core`: everything that can be done without the web page."""

import argparse
import dataclasses
import datetime
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

from core import files
from core.data import folders, mnist
from core.evaluation import executors, robustness, seeds
from core.evaluation.imported import by_reading, choices, imported
from core.evaluation.replication import PASSES
from core.evaluation.shipped import MeasuredFileError
from core.networks import (
    LIBRARY,
    Card,
    Network,
    NetworkFileError,
    exchange,
    foreign,
    load_file,
    parse,
    save_file,
)
from core.presentation import words
from core.presentation.course_report import findings as course_report
from core.presentation.course_report.html_file import to_html
from core.presentation.imported import on_choice, on_found, on_reading
from core.recipe import PRESETS, Recipe
from core.training import ENGINES, load_start, split, train
from core.training.outcome import Epochs, learned_nothing, log_lines, outcome
from core.validate import network_name


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, or 1 with one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m core", description=__doc__)
    commands = parser.add_subparsers(required=True)

    def command(run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        added = commands.add_parser(run.__name__.strip("_"), help=run.__doc__)
        added.set_defaults(run=run)
        return added

    for run in (_data, _models, _seeds):
        command(run)
    _add_executors(command(_measure))
    training = command(_train)
    training.add_argument("preset", choices=PRESETS, help="the recipe to start from")
    training.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help=f"change {', '.join(f.name for f in dataclasses.fields(Recipe))}; repeatable",
    )
    training.add_argument("--engine", choices=ENGINES, help="default: compiled where it can")
    training.add_argument("--data", type=Path, metavar="DIR", help="learn from folders of pictures")
    place = training.add_mutually_exclusive_group()
    place.add_argument("--name", help="keep it under this name, to be chosen on every page")
    place.add_argument("--out", type=Path, metavar="FILE", help="the file to write")
    report = command(_report)
    report.add_argument("--model", default="report", metavar="NAME|FILE", help="default: report")
    report.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE")
    command(_export).add_argument("folder", type=Path, metavar="DIR")
    _add_ways_to_read(command(_import))
    convert = command(_convert)
    convert.add_argument("model", metavar="NAME|FILE")
    convert.add_argument("out", type=Path, metavar="FILE", help="ends in .pt or .onnx")

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


def _add_ways_to_read(bring: argparse.ArgumentParser) -> None:
    bring.add_argument("file", type=Path, metavar="FILE", help=", ".join(foreign.SUFFIXES))
    bring.add_argument("--name", help="keep it under this name; default: the file's")
    bring.add_argument(
        "--input",
        choices=foreign.PIXELS,
        metavar="PIXELS",
        help=f"how it reads pixels, default: as it classifies best; {', '.join(foreign.PIXELS)}",
    )
    bring.add_argument(
        "--layers",
        type=int,
        default=1,
        metavar="N",
        help="how padding, pooling and activations are read, by the numbers that this prints",
    )


def _add_executors(measure: argparse.ArgumentParser) -> None:
    measure.add_argument(
        "--executor",
        default="processes",
        metavar="NAME",
        help="where to measure: in processes here (default), or on the workers of dask",
    )
    measure.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help=f"processes; default: one a core, at most {executors.MOST_BY_DEFAULT}",
    )
    measure.add_argument(
        "--scheduler", metavar="ADDRESS", help="of Dask's scheduler, such as tcp://10.0.0.1:8786"
    )


def _data(options: argparse.Namespace) -> None:
    """Verify and unpack MNIST; download what is missing."""
    for part in ("train", "test"):
        print(f"{len(mnist.load(part)):,} {part} images are in place.")


def _train(options: argparse.Namespace) -> None:
    """Train a network and save it; Ctrl-C ends the training early."""
    changes = _changes(options.settings)
    recipe = dataclasses.replace(PRESETS[options.preset], **changes)
    path, name = options.out, options.name
    if path is None and name is None:
        if changes or options.data:  # a network of another recipe must not replace a shipped one
            name = options.preset + " changed"
        else:
            path = LIBRARY.path(options.preset)
    if path is None:
        name = network_name(name)
    else:
        files.check_writable(path)

    network, card = _trained(recipe, options.engine, options.data)
    if path is None:
        path = LIBRARY.path(LIBRARY.keep(name, network, card))
    else:
        save_file(path, network, card)
    print(f"Training accuracy:   {card.train_accuracy:.2%}")
    print(f"Validation accuracy: {card.validation_accuracy:.2%}")
    print(f"Test accuracy:       {card.test_accuracy:.2%}")
    if not recipe.held_out:
        print("(Validation and test are the same images, as in the report.)")
    print(f"Saved as {os.path.relpath(path)}")
    print(words.on_reproducibility(recipe, engine=options.engine))


def _trained(recipe: Recipe, engine: str | None, data: Path | None) -> tuple[Network, Card]:
    """Train on MNIST or on folders of pictures, and print each epoch as the course report does."""
    start = load_start(recipe)
    if data is None:
        everything, test = mnist.load("train"), mnist.load("test")
    else:
        everything, test = folders.load(data)
    training, validation = split(recipe, everything, test)
    epochs = Epochs()
    stopped = False
    began = time.monotonic()
    images = recipe.members * recipe.epochs * len(training)
    with tqdm(total=images, unit=" images", unit_scale=True) as bar:
        try:
            for result in train(
                recipe, training, validation, start=start, engine=engine, on_progress=bar.update
            ):
                epochs = epochs.after(result)
                bar.write(log_lines(recipe, result.logged))
        except KeyboardInterrupt:
            if not epochs.log:
                raise
            stopped = True
        network, card = outcome(
            recipe,
            epochs,
            training=training,
            validation=validation,
            test=test,
            seconds=time.monotonic() - began,
            today=datetime.date.today().isoformat(),
            stopped=stopped,
        )
        if stopped:
            bar.write(f"Stopped; keeping epoch {card.epochs_trained}, the best so far")
        if learned_nothing(card.train_accuracy, training.y):
            bar.write(words.on_nothing_learned(recipe))
    return network, card


def _seeds(options: argparse.Namespace) -> None:
    """Train the course report's recipe with ten seeds and show how much the networks differ."""
    everything, test = mnist.load("train"), mnist.load("test")
    networks: dict[str, Network] = {}
    for seed in tqdm(seeds.SEEDS, unit=" networks trained"):
        recipe = seeds.recipe_of(seed)
        *_, last = train(recipe, *split(recipe, everything, test))
        networks[f"seed {seed}"] = last.kept
    with _measuring(len(networks), test) as bar:
        robustness.write_cache(networks, test, path=seeds.PATH, on_progress=bar.update)
    measured = robustness.read_cache(seeds.PATH)
    for name, network in networks.items():
        found = measured[robustness.digest(network)]
        print(f"{name}: {words.on_robustness(found, seeds.EPSILON)}")
    print(words.on_spread(seeds.Spread.over(measured.values())))


def _models(options: argparse.Namespace) -> None:
    """List the networks."""
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
    """Measure the shipped networks for the pages, where that has not been done yet."""
    shipped = filter(LIBRARY.is_shipped, LIBRARY.names())
    files = {name: LIBRARY.path(name) for name in shipped}
    test = mnist.load("test")
    with executors.by_name(
        options.executor, workers=options.workers, scheduler=options.scheduler
    ) as executor:
        with _measuring(len(files), test) as bar:
            robustness.measure_files(files, executor, on_progress=bar.update)
        with tqdm(total=len(files), unit=" networks for the course report") as bar:
            course_report.measure_files(files, executor, on_progress=bar.update)


def _measuring(networks: int, test: mnist.Digits) -> "tqdm[NoReturn]":
    """Return a bar for the robustness of so many networks."""
    passes = networks * robustness.PASSES * len(robustness.every_tenth(test))
    return tqdm(total=passes, unit=" images", unit_scale=True)


def _report(options: argparse.Namespace) -> None:
    """Compare a network with the course report, line by line, in an HTML file."""
    path = _file_of(options.model)
    network, card = load_file(path)
    files.check_writable(options.out)
    try:
        findings = course_report.shipped_report(network, card)
    except MeasuredFileError as error:
        print(f"{error} The network is measured now.", file=sys.stderr)
        findings = None
    if findings is None:
        everything, test = mnist.load("train"), mnist.load("test")
        with tqdm(total=PASSES * len(test), unit=" images", unit_scale=True) as bar:
            findings = course_report.measure_report(
                network, card, everything, test, on_progress=bar.update
            )
    files.write(options.out, to_html(findings, name=path.stem).encode())
    print(f"Written to {options.out}")


def _file_of(model: str) -> Path:
    """Return the file of a network that is named, or whose file is named."""
    return LIBRARY.path(model) if model in LIBRARY.names() else Path(model)


def _export(options: argparse.Namespace) -> None:
    """Write MNIST as folders of PNG files."""
    with tqdm(total=70_000, unit=" images", unit_scale=True) as bar:
        folders.export(options.folder, on_progress=bar.update)


def _import(options: argparse.Namespace) -> None:
    """Keep a network that another program trained: PyTorch, safetensors or ONNX."""
    path, name = options.file, network_name(options.name or options.file.stem)
    content = foreign.read_file(path)
    network: Network
    if foreign.is_ours(content):
        if options.input or options.layers != 1:
            raise ValueError("--input and --layers are for what another program trained")
        network, card = parse(content, path.name)
    else:
        train, test = mnist.load("train"), mnist.load("test")
        found = foreign.read(content, path.name)
        readings = by_reading(choices(found, train, test, path.name, pixels=options.input))
        if not 1 <= options.layers <= len(readings):
            raise ValueError(f"--layers must be 1 to {len(readings)}, not {options.layers}")
        best, *others = readings[options.layers - 1]
        print(on_found(found, best))
        for other in others:
            print(f"--input {other.pixels} would be {on_choice(other)}")
        for number, (other, *_) in enumerate(readings, start=1):
            if number != options.layers:
                print(f"--layers {number} would be {on_reading(other)}")
        today = datetime.date.today().isoformat()
        network, card = best.network, imported(best, found, train, test, today=today)
    kept = LIBRARY.keep(name, network, card)
    print(f"Test accuracy: {card.test_accuracy:.2%}")
    print(f"Saved as {os.path.relpath(LIBRARY.path(kept))}")


def _convert(options: argparse.Namespace) -> None:
    """Write a network for other programs: a PyTorch state dict (.pt), or ONNX (.onnx)."""
    network, _ = load_file(_file_of(options.model))
    if options.out.suffix == ".onnx":
        files.write(options.out, exchange.to_onnx(network))
        print(f"Written to {options.out}")
    elif options.out.suffix == ".pt":
        files.write(options.out, exchange.to_state_dict(network))
        print(f"Written to {options.out}; these lines load it:\n")
        print(exchange.loading_lines(network, str(options.out)))
    else:
        raise ValueError(f"{options.out} must end in .pt, for PyTorch, or in .onnx")


def _changes(settings: list[str]) -> dict[str, Any]:
    """Return the fields that `--set` changes, each value in the type of its field."""
    defaults = dataclasses.asdict(Recipe())
    changes: dict[str, Any] = {}
    for setting in settings:
        field, _, value = setting.partition("=")
        if field not in defaults:
            raise ValueError(f"--set {setting}: {field!r} is not one of {', '.join(defaults)}")
        try:
            changes[field] = _parsed(value, like=defaults[field])
        except ValueError:
            raise ValueError(f"--set {setting}: {value!r} is not a value for {field}") from None
    return changes


def _parsed(text: str, *, like: object) -> object:
    """Return the value of a text in the type of `like`."""
    if isinstance(like, tuple):
        return tuple(int(part) for part in text.split(",") if part)
    if isinstance(like, bool):
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    return type(like)(text)  # type: ignore[call-arg]


if __name__ == "__main__":
    sys.exit(main())
