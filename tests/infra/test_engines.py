"""The choice of an engine, and the cache of converted models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from domain.errors import Misconfigured, Overloaded
from infra.clip import engines, openvino_engine, probes
from infra.clip.converted_model import ConversionKey, ModelCache
from infra.clip.dual_encoder import DualEncoder
from infra.clip.engine import NotRunnableError
from infra.clip.engines import EngineOptions, load
from infra.clip.openvino_engine import Compiler, OpenVinoEngine
from postcards import MODEL
from tests.checkpoints import small_clip, small_naflex, small_siglip, small_siglip2
from tests.model_cache import engine_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.clip.engine import Precision

ENCODE = """
import asyncio, sys
from pathlib import Path
from domain.entities.images import Pixels
from infra.clip.converted_model import ModelCache
from infra.clip.encoder import ClipEncoder
from infra.clip.engines import EngineOptions

UNWANTED = ("torch", "transformers", "openvino_telemetry.main")
connections = []
sys.addaudithook(lambda event, _: event == "socket.connect" and connections.append(event))

async def main(folder, cache):
    options = EngineOptions("openvino", cache=ModelCache((Path(cache),)))
    async with ClipEncoder.open(folder, options) as encoder:
        await encoder.encode_texts(["a red boat"])
        await encoder.encode_images([Pixels(2, 1, bytes(6))])

asyncio.run(main(*sys.argv[1:]))
print([name for name in UNWANTED if name in sys.modules])
print(connections)
"""


KEY = ConversionKey("digest of the files", "1 2026.0", "float16")


def encode_in_a_process(folder: Path, cache: Path) -> list[str]:
    """Load a model and encode, and return the lines that ENCODE prints."""
    command = [sys.executable, "-W", "ignore", "-c", ENCODE, str(folder), str(cache)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def options_with(*folders: Path, engine: Any = "auto") -> EngineOptions:  # noqa: ANN401 - also none that there is
    return EngineOptions(engine, device="cpu", dtype="float32", cache=ModelCache(folders))


def converted_folder(cache: Path) -> Path:
    [folder] = (path for path in cache.iterdir() if not path.name.startswith("."))
    return folder


@pytest.mark.parametrize("make", [small_clip, small_siglip, small_siglip2])
def test_a_converted_model_runs_without_torch_and_transformers_and_connects_to_nothing(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = make(tmp_path / "model")

    # Conversion needs both libraries, and sends nothing either.
    assert ["['torch', 'transformers']", "[]"] == encode_in_a_process(folder, tmp_path / "cache")
    assert ["[]", "[]"] == encode_in_a_process(folder, tmp_path / "cache")


def test_openvino_is_chosen_on_a_cpu_and_torch_elsewhere_or_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(small_clip(tmp_path))
    for options, expected in [
        (engine_options(device="cpu", dtype="float32"), "OpenVINO on the CPU in float32"),
        (engine_options("torch", device="cpu", dtype="float32"), "torch on cpu in float32"),
        (engine_options("openvino", dtype="float32"), "OpenVINO on the CPU in float32"),
        (engine_options(device="cpu:0", dtype="float32"), "OpenVINO on the CPU in float32"),
    ]:
        assert expected == load(folder, options)[1].description
    monkeypatch.setattr(engines, "GPU_FILES", ("dev/null",))
    # There may be a GPU, so torch is asked.
    gpu = subprocess.run(
        [sys.executable, "-c", "import torch; print(torch.cuda.is_available())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.startswith("True")
    expected = "torch on cuda" if gpu else "OpenVINO"
    assert load(folder, engine_options())[1].description.startswith(expected)


def test_openvino_for_another_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="not on cuda; set PICTOGRAPH_DEVICE"):
        load(str(small_clip(tmp_path)), EngineOptions("openvino", device="cuda"))


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """Runs a tower, and remembers the shapes of its inputs."""

    request: Any
    shapes: set[tuple[int, ...]] = field(default_factory=set)

    def infer(self, inputs: dict[str, Any]) -> Any:  # noqa: ANN401 - OpenVINO has no types
        self.shapes.update(tensor.shape for tensor in inputs.values())
        return self.request.infer(inputs)


@pytest.mark.parametrize("make", [small_clip, small_siglip, small_siglip2])
def test_towers_run_in_few_shapes_which_do_not_change_the_embeddings(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = str(make(tmp_path))
    _, engine = load(folder, engine_options("openvino", dtype="float32"))
    _, torch = load(folder, engine_options("torch", device="cpu", dtype="float32"))
    assert isinstance(engine, OpenVinoEngine)
    texts, images = RecordedRequest(engine.text_request), RecordedRequest(engine.image_request)
    engine = replace(engine, text_request=texts, image_request=images)
    random = Random(3)
    words = ["a", "red", "boat", "on", "the", "sea", "and", "many", "more", "words"]
    batches = [
        [
            " ".join(random.choices(words, k=random.randint(0, 90)))
            for _ in range(random.randint(1, 32))
        ]
        for _ in range(20)
    ]
    for batch in [*([text] for text in batches[0]), *batches]:
        assert np.allclose(engine.encode_texts(batch), torch.encode_texts(batch), atol=1e-3)
    context_length = engine.facts.tokens.context_length
    # Powers of two, of 8 tokens and more.
    assert {size for size, _ in texts.shapes} <= {1, 2, 4, 8, 16, 32}
    assert {length for _, length in texts.shapes} <= {8, 16, 32, 64, context_length}

    inputs = [engine.preprocess(picture) for picture in probes.pictures()] * 2
    expected = torch.encode_images([torch.preprocess(each) for each in probes.pictures()]) * 2
    for size in range(1, 5):
        assert np.allclose(expected[:size], engine.encode_images(inputs[:size]), atol=1e-3)
    assert {shape[0] for shape in images.shapes} == {1, 2, 4}


@pytest.mark.parametrize("missing", ["package", "instructions"])
def test_torch_runs_a_model_where_openvino_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    folder = str(small_clip(tmp_path))
    options = options_with()
    if missing == "package":
        monkeypatch.setitem(sys.modules, "openvino", None)
    else:
        monkeypatch.setitem(openvino_engine.INSTRUCTIONS, "float32", "those of the future")

    assert "torch on cpu in float32" == load(folder, options)[1].description
    with pytest.raises(Misconfigured, match=r"OpenVINO cannot run the model .* PICTOGRAPH_ENGINE"):
        load(folder, options_with(engine="openvino"))


def test_torch_runs_a_model_that_cannot_be_converted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = str(small_naflex(tmp_path))
    with pytest.raises(Misconfigured, match="Siglip2ImageProcessorPil has steps of its own"):
        load(folder, engine_options("openvino"))
    _, engine = load(folder, EngineOptions(device="cpu", dtype="bfloat16"))
    assert "torch on cpu in bfloat16" == engine.description
    assert "WARNING" in {record.levelname for record in caplog.records}
    assert "is left to torch" in caplog.text
    assert 1 == len(engine.encode_texts(["snow"]))


def test_a_model_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, options = str(small_clip(tmp_path / "model")), options_with(tmp_path / "cache")
    model, engine = load(folder, options)
    files = {file.name for file in converted_folder(tmp_path / "cache").iterdir()}
    assert {"model.json", "tokenizer.json", "text.xml", "text.bin", "image.xml", "image.bin"} == (
        files
    )

    monkeypatch.setattr(engines, "_convert", None)
    again, same = load(folder, options)
    assert model == again
    assert np.allclose(engine.encode_texts(["snow"]), same.encode_texts(["snow"]), atol=1e-6)


@pytest.mark.parametrize("change", ["weights", "tokenizer.json", "format"])
def test_a_changed_model_or_format_is_converted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    folder, cache = small_clip(tmp_path / "model"), tmp_path / "cache"
    load(str(folder), options_with(cache))
    if change == "weights":
        small_clip(folder, seed=1)
    elif change == "format":
        monkeypatch.setattr(openvino_engine, "FORMAT_VERSION", 0)
    else:
        content = json.loads((folder / change).read_text())
        (folder / change).write_text(json.dumps(content, indent=4))
    load(str(folder), options_with(cache))
    # A conversion by another version is of no use any more. Those of other files stay.
    assert (1 if change == "format" else 2) == len([*cache.iterdir()])


def truncate(folder: Path) -> None:
    file = folder / "image.bin"
    file.write_bytes(file.read_bytes()[:-1000])


def zero(folder: Path) -> None:
    file = folder / "image.bin"
    file.write_bytes(bytes(file.stat().st_size))


def garble_tower(folder: Path) -> None:
    file = folder / "text.xml"
    file.write_text("x" * file.stat().st_size)


def garble_vocabulary(folder: Path) -> None:
    file = folder / "tokenizer.json"
    file.write_text("x" * file.stat().st_size)


def empty_facts(folder: Path) -> None:
    (folder / "model.json").write_text("{}")


def remove_facts(folder: Path) -> None:
    (folder / "model.json").unlink()


@pytest.mark.parametrize(
    "damage", [truncate, zero, garble_tower, garble_vocabulary, empty_facts, remove_facts]
)
def test_a_damaged_conversion_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    folder, cache = str(small_clip(tmp_path / "model")), tmp_path / "cache"
    _, engine = load(folder, options_with(cache))
    expected = engine.encode_texts(["snow"])
    damage(converted_folder(cache))

    _, engine = load(folder, options_with(cache))
    assert np.allclose(expected, engine.encode_texts(["snow"]), atol=1e-6)
    assert "is damaged" in caplog.text
    caplog.clear()
    load(folder, options_with(cache))
    assert "" == caplog.text


def test_the_second_folder_of_the_cache_is_used_where_the_first_cannot_be_written(
    tmp_path: Path,
) -> None:
    folder, second = str(small_clip(tmp_path / "model")), tmp_path / "library" / "models"
    # Root may write into any folder, but not into a file.
    first = tmp_path / "file" / "cache"
    first.parent.touch()
    load(folder, options_with(first, second))
    assert converted_folder(second).is_dir()


def test_without_a_cache_a_model_is_converted_at_each_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = str(small_clip(tmp_path / "model"))
    for _ in range(2):
        _, engine = load(folder, options_with(tmp_path / "file"))
        assert "OpenVINO on the CPU in float32" == engine.description
        assert 1 == len(engine.encode_texts(["snow"]))


def test_threads_that_convert_at_once_leave_one_conversion(tmp_path: Path) -> None:
    cache = ModelCache((tmp_path,))
    # Each looks for a model before any of them has written one.
    writers = [cache.writing(KEY) for _ in range(3)]
    folders = [writer.__enter__() for writer in writers]
    for number, folder in enumerate(folders):
        (folder / "file").write_text(str(number))
    threads = [Thread(target=writer.__exit__, args=(None, None, None)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "file" in {file.name for file in (tmp_path / KEY.folder).iterdir()}
    assert [tmp_path / KEY.folder] == [*tmp_path.iterdir()]


def test_a_conversion_that_computes_something_else_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(small_clip(tmp_path / "model"))
    monkeypatch.setattr(openvino_engine, "MIN_COSINE", 1.1)
    with pytest.raises(Misconfigured, match=r"its conversion fails .* cosine of 1\.0000"):
        load(folder, options_with(tmp_path / "cache", engine="openvino"))
    assert [] == [*(tmp_path / "cache").iterdir()]


@pytest.mark.parametrize("change", ["resample", "image_mean"])
def test_an_image_processor_without_a_parameter_is_left_to_torch(
    tmp_path: Path, change: str
) -> None:
    folder = small_clip(tmp_path / "model")
    _, dual = load(str(folder), engine_options("torch", device="cpu", dtype="float32"))
    assert isinstance(dual, DualEncoder)
    compiler = Compiler.create("float32", 0)
    setattr(dual.image_processor, change, None)
    with pytest.raises(NotRunnableError, match=r"its conversion fails \(.*NoneType"):
        openvino_engine.convert(str(folder), dual, compiler, ModelCache(()))


def test_a_failure_of_openvino_itself_is_left_to_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("no plugins.xml\nin any folder")

    folder = str(small_clip(tmp_path / "model"))
    monkeypatch.setattr("openvino.Core", fail)
    assert "torch on cpu in float32" == (
        load(folder, options_with(tmp_path / "cache"))[1].description
    )
    assert "OpenVINO finds no processor (no plugins.xml)" in caplog.text


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("std::bad_alloc"), RuntimeError("Failed to allocate 9")]
)
def test_a_conversion_that_memory_is_short_for_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    folder, cache = str(small_clip(tmp_path / "model")), tmp_path / "cache"
    load(folder, options_with(cache))
    written = (converted_folder(cache) / "model.json").stat().st_ino
    with monkeypatch.context() as patch:
        patch.setattr(Compiler, "_request", fail)
        with pytest.raises(Overloaded, match="too little free memory"):
            load(folder, options_with(cache))
    assert written == (converted_folder(cache) / "model.json").stat().st_ino


def write(cache: ModelCache, key: ConversionKey = KEY) -> None:
    with cache.writing(key) as folder:
        (folder / "file").touch()


def test_conversions_that_were_killed_are_removed_after_an_hour(tmp_path: Path) -> None:
    killed, running = tmp_path / ".writing-killed", tmp_path / ".writing-running"
    for folder in (killed, running):
        (folder / "new").mkdir(parents=True)
    now = time.time()
    os.utime(killed, (now - 3700, now - 3700))
    write(ModelCache((tmp_path,)))
    assert not killed.exists()
    assert running.exists()


def test_a_conversion_replaces_those_of_the_same_files_by_other_versions(tmp_path: Path) -> None:
    cache = ModelCache((tmp_path,))
    other = replace(KEY, files="other files")
    for key in (KEY, other, replace(KEY, versions="2 2026.1")):
        write(cache, key)
    assert [] == [*cache.find(KEY)]
    assert [tmp_path / other.folder] == [*cache.find(other)]
    assert 2 == len([*tmp_path.iterdir()])


def test_conversions_with_weights_of_different_precision_stay_beside_each_other(
    tmp_path: Path,
) -> None:
    cache = ModelCache((tmp_path,))
    exact = replace(KEY, weights="float32")
    for key in (KEY, exact):
        write(cache, key)
    assert [tmp_path / key.folder for key in (KEY, exact)] == [*cache.find(KEY), *cache.find(exact)]


@pytest.mark.parametrize("level", ["cache", "conversion"])
@pytest.mark.parametrize("reason", ["group", "others", "owner"])
def test_folders_that_other_users_may_change_are_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, level: str, reason: str
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    cache = ModelCache((first, second))
    write(cache)
    changed = first if level == "cache" else first / KEY.folder
    if reason == "others":
        changed.chmod(0o757)
    elif os.geteuid() == 0:
        os.chown(changed, *((12345, -1) if reason == "owner" else (-1, 12345)))
        changed.chmod(0o775)
    else:
        pytest.skip("only root can give a folder away")

    assert [] == [*cache.find(KEY)]
    assert f"{changed} are not used: other users" in caplog.text
    if level == "cache":
        write(cache)
        assert [second / KEY.folder] == [*cache.find(KEY)]


def test_a_folder_that_a_group_of_the_process_may_change_is_used(tmp_path: Path) -> None:
    cache = ModelCache((tmp_path,))
    write(cache)
    tmp_path.chmod(0o775)
    assert [tmp_path / KEY.folder] == [*cache.find(KEY)]


def test_a_conversion_is_used_with_any_umask(tmp_path: Path) -> None:
    cache = ModelCache((tmp_path / "cache",))
    before = os.umask(0)
    try:
        write(cache)
    finally:
        os.umask(before)
    [folder] = cache.find(KEY)
    assert 0o644 == (folder / "file").stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("platform", "file", "expected"),
    [
        ("linux", None, False),
        ("linux", "dev/nvidia0", True),
        ("linux", "dev/nvidiactl", False),
        ("linux", "dev/kfd", True),
        ("linux", "proc/driver/nvidia/version", True),
        ("linux", "sys/module/nvidia/version", True),
        ("darwin", "dev/nvidia0", False),
    ],
)
def test_torch_is_asked_for_a_gpu_only_where_there_may_be_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    file: str | None,
    expected: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    if file:
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    monkeypatch.setattr(engines, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert expected == engines.has_gpu()


def test_a_conversion_that_is_not_known_to_be_damaged_is_kept(tmp_path: Path) -> None:
    cache = ModelCache((tmp_path,))
    for text in ("first", "second"):
        with cache.writing(KEY) as folder:
            (folder / "file").write_text(text)
    assert "first" == (tmp_path / KEY.folder / "file").read_text()
    with cache.writing(KEY, {tmp_path / KEY.folder}) as folder:
        (folder / "file").write_text("third")
    assert "third" == (tmp_path / KEY.folder / "file").read_text()


def test_a_conversion_that_the_disk_cannot_hold_is_left_to_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(_: object, __: Path, ___: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("infra.clip.conversion.Conversion.write", write)
    folder = str(small_clip(tmp_path / "model"))
    with pytest.raises(Misconfigured, match=r"its conversion fails \(.* No space left"):
        load(folder, options_with(tmp_path / "cache", engine="openvino"))
    assert "torch on cpu in float32" == (
        load(folder, options_with(tmp_path / "cache"))[1].description
    )


def test_the_bundled_model_can_be_converted(tmp_path: Path) -> None:
    assert "OpenVINO on the CPU in float32" == (
        load(str(MODEL), options_with(tmp_path, engine="openvino"))[1].description
    )


@pytest.mark.parametrize("dtype", ["float32", "auto"])
def test_the_bundled_model_is_as_its_checkpoint_in_float32(dtype: Precision) -> None:
    _, engine = load(str(MODEL), engine_options("openvino", dtype=dtype))
    _, torch = load(str(MODEL), engine_options("torch", device="cpu", dtype="float32"))
    for left, right in zip(probes.embed(engine), probes.embed(torch), strict=True):
        assert probes.lowest_cosine(left, right) > 0.999


def resident_bytes(folder: Path) -> int:
    """Return how much of the files in a folder this process has in memory."""
    kilobytes, counts = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, *rest = line.split()
        if not first.endswith(":"):
            counts = bool(rest) and rest[-1].startswith(str(folder))
        elif counts and first == "Rss:":
            kilobytes += int(rest[0])
    return 1024 * kilobytes


@pytest.mark.skipif(sys.platform != "linux", reason="the system says nothing about mapped pages")
def test_pages_of_the_weights_are_released_and_read_again(tmp_path: Path) -> None:
    checkpoint = str(small_clip(tmp_path / "model", dimensions=256))
    _, engine = load(checkpoint, options_with(tmp_path / "cache"))
    folder = converted_folder(tmp_path / "cache")
    size = sum(file.stat().st_size for file in folder.glob("*.bin"))
    assert isinstance(engine, OpenVinoEngine)
    assert resident_bytes(folder) < 0.1 * size
    before = engine.encode_texts(["snow"])
    assert sum(len(weights.pages) for weights in engine.weights) == size
    # Another shape, which OpenVINO compiles now.
    assert 8 == len(engine.encode_texts(["a red boat on the sea"] * 8))
    assert np.allclose(before, engine.encode_texts(["snow"]), atol=1e-6)


SHORTAGE = """
import resource, sys
from dataclasses import replace
from domain.errors import Overloaded
from infra.clip.engines import load
from tests.model_cache import engine_options
_, engine = load(sys.argv[1], engine_options("openvino", dtype="float32"))
# The tokenizer aborts the process where it has no memory.
inputs = engine.tokenizer(["a red boat"] * 20000)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limits = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (size + 2**22, limits[1]))
try:
    replace(engine, tokenizer=lambda _: inputs).encode_texts([])
except Overloaded as refusal:
    outcome = str(refusal)
resource.setrlimit(resource.RLIMIT_AS, limits)
print(outcome, len(engine.encode_texts(["a red boat"])))
"""


def test_a_forward_pass_without_memory_is_an_overload_and_the_next_one_works(
    tmp_path: Path,
) -> None:
    folder = small_clip(tmp_path)
    load(str(folder), engine_options("openvino", dtype="float32"))
    printed = subprocess.run(
        [sys.executable, "-c", SHORTAGE, str(folder)], capture_output=True, text=True, check=True
    ).stdout
    assert "The server has too little free memory for the model; try again in a moment. 1" == (
        printed.strip()
    )
