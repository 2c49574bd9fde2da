"""Generated hostile input ends in one sentence, or is what it claims to be."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest

from core.data import drawing, link, pictures
from core.networks import Library, NetworkFileError, parse
from core.networks.file import to_bytes
from core.networks.foreign import onnx_file, pytorch_file, safetensors_file
from core.networks.foreign.kinds import ONNX, PYTORCH, SAFETENSORS, kind_of
from core.presentation.recipe_words import on_recipe
from core.presentation.words import on_origin
from pages.parts.canvas import SIDE, Sketch, _MessageError, _take_up
from tests.conftest import SHIPPED, random_mlp
from tests.core.networks.samples import CARD
from tests.hostile import generate
from tests.hostile.conftest import FULL, little_memory
from tests.pages.conftest import fresh_server as fresh_server
from tests.pages.conftest import opened, well
from tests.pages.test_draw import APP, SEVEN
from tests.pages.test_sent import send

ROOT = Path(__file__).parent.parent.parent
Seeds = Callable[[str], range]


def test_there_is_enough() -> None:
    assert sum(FULL.values()) >= 10_000


def test_network_files(seeds: Seeds) -> None:
    read = 0
    with little_memory():
        for seed in seeds("networks"):
            try:
                network, card = parse(generate.network_file(Random(seed)), f"{seed}.safetensors")
            except NetworkFileError as error:
                assert str(error).startswith(f"{seed}.safetensors can't be used: ")
                assert len(str(error)) < 300
                continue
            read += 1
            logits = network.logits(np.ones((1, 784), np.float32))
            assert logits.shape == (1, 10)
            assert np.isfinite(logits).all()
            about = on_recipe(card.recipe) if card.recipe else on_origin(card)
            assert "\n" not in about
            assert parse(to_bytes(network, card), "again")[1] == card
    assert 0 < read < 0.5 * len(seeds("networks"))  # some damage is none


READERS = {PYTORCH: pytorch_file.read, ONNX: onnx_file.read, SAFETENSORS: safetensors_file.read}


def test_files_of_other_programs(seeds: Seeds) -> None:
    """What reads them runs in this process here, so that its memory is measured."""
    read: Counter[str] = Counter()
    with little_memory():
        for seed in seeds("foreign"):
            content = generate.foreign_file(Random(seed))
            try:
                kind = kind_of(content)
                found = READERS[kind](content)
            except ValueError as error:
                assert "\n" not in str(error)
                assert len(str(error)) < 300
                continue
            read[kind] += 1
            for reading in (*found.readings, *found.others):
                logits = reading.network.logits(np.ones((1, 784), np.float32))
                assert logits.shape == (1, 10)
                assert np.isfinite(logits).all()
    assert set(read) == set(READERS)
    assert read.total() < 0.6 * len(seeds("foreign"))


def test_picture_files(seeds: Seeds) -> None:
    read = 0
    with little_memory():
        for seed in seeds("pictures"):
            try:
                rgba = pictures.decode(generate.picture_file(Random(seed)))
                drawing.to_mnist(rgba)
            except (pictures.PictureError, drawing.EmptyDrawingError) as error:
                assert "\n" not in str(error)
                continue
            read += 1
            assert rgba.dtype == np.uint8
    assert read > 0


def test_canvas_messages(seeds: Seeds) -> None:
    taken = 0
    with little_memory():
        kept = Sketch()
        for seed in seeds("canvas"):
            before = kept.last
            try:
                _take_up(kept, generate.canvas_message(Random(seed), SEVEN))
            except _MessageError as error:
                assert kept.last is before
                assert "\n" not in str(error)
                continue
            taken += 1
            if kept.last.png is not None:
                assert kept.last.rgba.shape == (SIDE, SIDE, 4)
    assert 0 < taken < len(seeds("canvas"))


def test_digits_in_an_address(seeds: Seeds) -> None:
    honest = link.encode(np.arange(784, dtype=np.uint8))
    letters = "abrzAZ09-_= +/%ö"
    with little_memory():
        for seed in seeds("links"):
            rng = Random(seed)
            text = list(rng.choice([honest, "a", "r", "x" * 2000]))
            for _ in range(rng.choice([1, 5, 50])):
                text.insert(rng.randrange(len(text) + 1), rng.choice(letters))
            try:
                assert link.decode("".join(text)).shape == (784,)
            except ValueError:
                continue


def test_messages_of_the_live_epsilon(seeds: Seeds) -> None:
    at = opened(APP, digit="8", attack="FGSM", epsilon="0.1")
    with little_memory():
        for seed in seeds("explorer"):
            well(send(at, "epsilon_explorer", generate.explorer_message(Random(seed))))
    well(send(at, "epsilon_explorer", {"label": 3, "epsilon": 0.2}))
    assert at.query_params["label"] == "3"


@pytest.mark.parametrize("script", ["", "pages/training/train.py", "pages/course/lesson.py"])
def test_addresses(seeds: Seeds, script: str) -> None:
    names = generate.settings()
    assert len(names) > 40
    at = opened(APP, script)
    with little_memory():
        for seed in seeds("addresses"):
            at.query_params.clear()
            for name, text in generate.address(Random(seed), names).items():
                at.query_params[name] = text
            well(at.run())


def test_a_network_with_the_largest_weights_can_be_looked_at(library: Library) -> None:
    (library.folder / "report.safetensors").write_bytes(SHIPPED.path("report").read_bytes())
    small = random_mlp((784, 20, 10), seed=0, dtype=np.float32)
    for factor in (1e-30, 1e6):
        weights = tuple(np.float32(factor) * weight for weight in small.weights)
        name = library.keep("large", type(small)(weights, small.biases), CARD)
        for attack in ("FGSM", "PGD", "DeepFool"):
            well(opened(APP, digit="8", model=name, attack=attack))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_nothing_is_lost_when_writers_are_killed(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    count = 500 if request.config.getoption("--hostile") else 8
    command = [sys.executable, "-m", "tests.hostile.killed", str(tmp_path), str(count), "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) <= count
