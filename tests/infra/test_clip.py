"""The encoder, compared with transformers used directly; its batching, cache and bounds."""

from __future__ import annotations

import asyncio
import math
from threading import current_thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoProcessor, CLIPModel

from domain.entities.images import Pixels
from domain.errors import Misconfigured, Overloaded
from infra.clip import checkpoint
from infra.clip.encoder import ClipEncoder
from tests.checkpoints import full_size_clip, small_clip, small_naflex, small_siglip, small_siglip2
from tests.model_cache import engine_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from domain.entities.embeddings import Embedding
    from infra.clip.engine import EngineName, Precision

TEXTS = ["a red boat on the sea", "snow", "", "many words " * 100]
FIXED_SIZES = [small_clip, small_siglip, small_siglip2]
ENGINES = [
    *((engine, make) for engine in ("torch", "openvino") for make in FIXED_SIZES),
    ("torch", small_naflex),
]


def photo(width: int = 90, height: int = 60, *, seed: int = 0) -> Pixels:
    """A smooth gradient of random colours."""
    corners = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    image = Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC)
    return Pixels(width, height, image.tobytes())


def reference(folder: Path, *, texts: list[str], pictures: list[Pixels]) -> tuple[Any, Any]:
    """Return the embeddings of texts and of pictures by transformers, in float32."""
    processor = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
        folder
    )
    model: Any = AutoModel.from_pretrained(folder).eval()
    is_clip = model.config.model_type == "clip"
    length = {"padding": True} if is_clip else {"padding": "max_length", "max_length": 64}
    images = [Image.frombytes("RGB", (each.width, each.height), each.rgb) for each in pictures]
    with torch.no_grad():
        tokens = processor(text=texts, truncation=True, return_tensors="pt", **length)
        text = model.get_text_features(**tokens).pooler_output
        values = processor(images=images, return_tensors="pt")
        picture = model.get_image_features(**values).pooler_output
    normalize = torch.nn.functional.normalize
    return normalize(text, dim=-1).numpy(), normalize(picture, dim=-1).numpy()


def cosines(left: Any, right: Any) -> Any:  # noqa: ANN401 - anything that numpy takes
    return (np.asarray(left) * np.asarray(right)).sum(axis=1)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - an encoder has no event for its progress
            await asyncio.sleep(0)


@pytest.mark.parametrize(("engine", "make"), ENGINES)
async def test_embeddings_equal_those_of_transformers_normalized(
    engine: EngineName, make: Callable[[Path], Path], tmp_path: Path
) -> None:
    pictures = [photo(), photo(30, 200, seed=1), photo(64, 64, seed=2)]
    texts, images = reference(make(tmp_path), texts=TEXTS, pictures=pictures)

    options = engine_options(engine, dtype="float32")
    async with ClipEncoder.open(str(tmp_path), options) as encoder:
        assert pytest.approx(texts, abs=1e-5) == await encoder.encode_texts(TEXTS)
        assert pytest.approx(images, abs=1e-5) == await encoder.encode_images(pictures)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
async def test_siglip_texts_are_padded_to_the_context_length(
    engine: EngineName, tmp_path: Path
) -> None:
    small_siglip(tmp_path)
    processor = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
        tmp_path
    )
    model: Any = AutoModel.from_pretrained(tmp_path)
    with torch.no_grad():
        bare = model.get_text_features(**processor(text=["snow"], return_tensors="pt"))
    unpadded = torch.nn.functional.normalize(bare.pooler_output, dim=-1).numpy()

    options = engine_options(engine, dtype="float32")
    async with ClipEncoder.open(str(tmp_path), options) as encoder:
        padded = await encoder.encode_texts(["snow"])

    assert cosines(padded, unpadded) < 0.99
    assert (
        pytest.approx(reference(tmp_path, texts=["snow"], pictures=[photo()])[0], abs=1e-5)
        == padded
    )


@pytest.mark.parametrize("engine", ["torch", "openvino"])
async def test_dimensions_are_those_of_the_checkpoint(engine: EngineName, tmp_path: Path) -> None:
    folder = small_clip(tmp_path, dimensions=96)
    async with ClipEncoder.open(str(folder), engine_options(engine)) as encoder:
        assert encoder.model.dimensions == 96


@pytest.mark.parametrize("engine", ["torch", "openvino"])
async def test_the_logit_scale_is_read_from_the_checkpoint(
    engine: EngineName, tmp_path: Path
) -> None:
    folder = small_clip(tmp_path)
    trained = CLIPModel.from_pretrained(folder)
    with torch.no_grad():
        trained.logit_scale.fill_(math.log(37))
    trained.save_pretrained(folder)
    # float32, because bfloat16 keeps only three digits.
    options = engine_options(engine, dtype="float32")
    async with ClipEncoder.open(str(folder), options) as encoder:
        assert pytest.approx(37) == encoder.model.logit_scale
        assert encoder.input_side == 64
        assert encoder.takes_centre_crop


async def test_the_input_side_of_naflex_follows_from_its_number_of_patches(
    tmp_path: Path,
) -> None:
    async with ClipEncoder.open(str(small_naflex(tmp_path)), engine_options()) as encoder:
        assert encoder.input_side == 256
        assert not encoder.takes_centre_crop


@pytest.mark.parametrize(
    ("engine", "make"), [*ENGINES, ("torch", full_size_clip), ("openvino", full_size_clip)]
)
async def test_bfloat16_embeddings_are_close_to_float32_of_torch(
    engine: EngineName, make: Callable[[Path], Path], tmp_path: Path
) -> None:
    make(tmp_path)
    pictures = [photo(seed=seed) for seed in range(4)]
    embeddings: list[list[Embedding]] = []
    for options in (
        engine_options("torch", dtype="float32"),
        # On processors without instructions for bfloat16, OpenVINO leaves it to torch.
        engine_options("auto" if engine == "openvino" else engine, device="cpu", dtype="bfloat16"),
    ):
        async with ClipEncoder.open(str(tmp_path), options) as encoder:
            embeddings.append(
                [*await encoder.encode_texts(TEXTS), *await encoder.encode_images(pictures)]
            )

    assert min(cosines(*embeddings)) >= 0.999


async def test_the_default_dtype_depends_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_clip(tmp_path)
    embeddings = {}
    for capability in ("avx512_bf16", "avx2"):
        monkeypatch.setattr(
            torch.cpu, "get_capabilities", lambda capability=capability: {capability: True}
        )
        options = engine_options("torch", device="cpu")
        async with ClipEncoder.open(str(tmp_path), options) as encoder:
            embeddings[capability] = await encoder.encode_texts(["snow"])
    expected: dict[str, Precision] = {"avx512_bf16": "bfloat16", "avx2": "float32"}
    for capability, dtype in expected.items():
        options = engine_options("torch", device="cpu", dtype=dtype)
        async with ClipEncoder.open(str(tmp_path), options) as encoder:
            assert embeddings[capability] == await encoder.encode_texts(["snow"])


async def test_an_unavailable_device_is_refused(tmp_path: Path) -> None:
    for device in ("cuda:99", "abacus"):
        with pytest.raises(Misconfigured, match=f"no device {device} .* PICTOGRAPH_DEVICE"):
            async with ClipEncoder.open(str(tmp_path), engine_options(device=device)):
                pass


async def test_the_number_of_threads_is_set_on_the_thread_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(
        torch, "set_num_threads", lambda count: calls.append((current_thread().name, count))
    )
    for threads in (0, 1):
        options = engine_options("torch", threads=threads)
        async with ClipEncoder.open(str(small_clip(tmp_path)), options) as encoder:
            await encoder.encode_texts(["snow"])

    assert [("model_0", 1)] == calls


async def test_concurrent_searches_share_forward_passes(tmp_path: Path) -> None:
    async with ClipEncoder.open(
        str(small_clip(tmp_path)), engine_options(), max_wait_seconds=0.1
    ) as encoder:
        await asyncio.gather(*(encoder.encode_texts([f"boat {n}"]) for n in range(16)))

        assert encoder.text_queue.batch_count == 1


async def test_concurrent_uploads_share_forward_passes(tmp_path: Path) -> None:
    async with ClipEncoder.open(
        str(small_clip(tmp_path)), engine_options(), max_wait_seconds=10, image_batch_size=8
    ) as encoder:
        await asyncio.gather(*(encoder.encode_images([photo(seed=n)]) for n in range(16)))

        assert encoder.image_queue.batch_count == 2


async def test_recent_texts_come_from_an_lru_cache(tmp_path: Path) -> None:
    async with ClipEncoder.open(
        str(small_clip(tmp_path)), engine_options(), cache_size=2
    ) as encoder:
        first = await encoder.encode_texts(["snow", "sand"])
        assert first == await encoder.encode_texts(["snow", "sand"])
        assert encoder.text_queue.batch_count == 1

        await encoder.encode_texts(["snow"])
        await encoder.encode_texts(["rain"])  # evicts "sand", the least recently used
        await encoder.encode_texts(["snow", "rain"])
        assert encoder.text_queue.batch_count == 2

        await encoder.encode_texts(["sand"])
        assert encoder.text_queue.batch_count == 3


async def test_concurrent_calls_for_one_text_are_coalesced(tmp_path: Path) -> None:
    async with ClipEncoder.open(
        str(small_clip(tmp_path)), engine_options(), capacity=100
    ) as encoder:
        answers = await asyncio.gather(*(encoder.encode_texts(["snow"]) for _ in range(50)))

        assert [answers[0]] * 50 == answers
        assert encoder.text_queue.batch_count == 1


async def test_a_full_queue_refuses_calls_but_not_cached_texts(tmp_path: Path) -> None:
    async with ClipEncoder.open(str(small_clip(tmp_path)), engine_options(), capacity=4) as encoder:
        await encoder.encode_texts(["snow"])
        with encoder.text_queue.admit(4), encoder.image_queue.admit(3):
            with pytest.raises(Overloaded, match="Too many texts"):
                await encoder.encode_texts(["sand"])
            with pytest.raises(Overloaded, match="Too many pictures"):
                await encoder.encode_images([photo(), photo(seed=1)])
            await encoder.encode_texts(["snow"])
            await encoder.encode_images([photo()])


async def test_an_upload_beyond_the_capacity_is_admitted_to_an_empty_queue(tmp_path: Path) -> None:
    async with ClipEncoder.open(str(small_clip(tmp_path)), engine_options(), capacity=4) as encoder:
        assert len(await encoder.encode_images([photo(seed=n) for n in range(9)])) == 9


async def test_a_cancelled_upload_leaves_the_queue(tmp_path: Path) -> None:
    async with ClipEncoder.open(
        str(small_clip(tmp_path)), engine_options(), max_wait_seconds=10, image_batch_size=64
    ) as encoder:
        upload = asyncio.create_task(encoder.encode_images([photo(), photo(seed=1)]))
        await until(lambda: encoder.image_queue.has_waiting_items)
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload

        assert not encoder.image_queue.has_waiting_items
        assert encoder.image_queue.admitted == 0


async def test_a_search_has_priority_over_a_bulk_upload(tmp_path: Path) -> None:
    async with ClipEncoder.open(
        str(small_clip(tmp_path)), engine_options(), image_batch_size=1
    ) as encoder:
        upload = asyncio.create_task(encoder.encode_images([photo(seed=n) for n in range(200)]))
        await until(lambda: encoder.image_queue.batch_count > 0)
        before = encoder.image_queue.batch_count
        await encoder.encode_texts(["snow"])
        # One batch may run when the text arrives, and one start before its result is read.
        assert encoder.image_queue.batch_count - before <= 2
        assert not upload.done()
        await upload


@pytest.mark.parametrize("failure", ["memory", "bug"])
async def test_a_forward_pass_without_memory_is_an_overload_and_the_next_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    folder = small_clip(tmp_path)
    _, dual = checkpoint.load(str(folder), device=torch.device("cpu"), dtype=torch.float32)
    with monkeypatch.context() as patch:
        if failure == "memory":
            patch.setattr(dual.model, "get_text_features", lambda **_: torch.empty(2**50))
            with pytest.raises(Overloaded, match="too little free memory"):
                dual.encode_texts(["a red boat"])
        else:
            patch.setattr(dual.model, "get_text_features", lambda **_: torch.empty(-1))
            with pytest.raises(RuntimeError, match="negative dimension"):
                dual.encode_texts(["a red boat"])
    assert 1 == len(dual.encode_texts(["a red boat"]))
