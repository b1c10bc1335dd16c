"""An encoder that runs a CLIP or SigLIP model, with an LRU cache and micro-batching."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

from domain.errors import Misconfigured
from infra.clip import checkpoint
from infra.clip.batching import MicroBatcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from concurrent.futures import Executor

    from domain.entities.embeddings import Embedding, EmbeddingModel
    from domain.entities.images import Pixels
    from infra.clip.batching import BatchQueue
    from infra.clip.dual_encoder import DualEncoder, ModelInput

Precision: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]

BATCH_SIZE = 32
CPU_IMAGE_BATCH_SIZE = 4
"""Larger batches are hardly faster on a CPU, and a search waits for the batch that runs."""

BFLOAT16_CPU_CAPABILITIES = ("avx512_bf16", "amx_bf16", "bf16")
"""The names of the x86 and ARM instruction sets for bfloat16 in ``torch.cpu``."""


class ClipEncoder:
    """Encodes on one thread, in micro-batches. A search waits for at most one batch of pictures.

    A call is admitted as a whole or refused as a whole. Embeddings of recent texts come from an
    LRU cache, even when the queue is full.
    """

    def __init__(  # noqa: PLR0913 - ``open`` builds the parts
        self,
        model: EmbeddingModel,
        dual: DualEncoder,
        *,
        text_queue: BatchQueue[str, Embedding],
        image_queue: BatchQueue[ModelInput, Embedding],
        preprocessing: Executor,
        cache_size: int,
    ) -> None:
        self.model = model
        self.input_side = dual.input_side
        """The shorter side to which the model resizes a picture, in pixels."""
        self.takes_centre_crop = dual.takes_centre_crop
        """Whether the model sees the middle square of a picture only."""
        self.device: torch.device = dual.model.device
        self.dtype: torch.dtype = dual.model.dtype
        self.text_queue = text_queue
        self.image_queue = image_queue
        self._dual = dual
        self._preprocessing = preprocessing
        self._cache_size = cache_size
        self._cache: OrderedDict[str, Embedding] = OrderedDict()

    @classmethod
    @asynccontextmanager
    async def open(  # noqa: PLR0913 - each has a default and a setting or a test that needs it
        cls,
        name: str,
        *,
        device: str = "auto",
        dtype: Precision = "auto",
        threads: int = 0,
        capacity: int = 256,
        cache_size: int = 1024,
        max_wait_seconds: float = 0.002,
        image_batch_size: int | None = None,
    ) -> AsyncIterator[ClipEncoder]:
        """Load the model, by its folder or its name on the hub. Raises Misconfigured.

        A forward pass runs on ``threads`` threads; 0 leaves their number to torch. At most
        ``capacity`` texts and ``capacity`` pictures are admitted at a time. A batch that is not
        full starts after ``max_wait_seconds``.
        """
        torch_device = _device(device)
        torch_dtype = _dtype(dtype, torch_device)
        model, dual = await asyncio.to_thread(
            checkpoint.load, name, device=torch_device, dtype=torch_dtype
        )
        if image_batch_size is None:
            on_cpu = torch_device.type == "cpu"
            image_batch_size = CPU_IMAGE_BATCH_SIZE if on_cpu else BATCH_SIZE
        async with AsyncExitStack() as stack:
            batcher = await stack.enter_async_context(
                MicroBatcher.open(
                    max_wait_seconds=max_wait_seconds, initializer=lambda: _set_threads(threads)
                )
            )
            preprocessing = ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 2), "preprocessing")
            stack.push_async_callback(
                asyncio.to_thread, preprocessing.shutdown, cancel_futures=True
            )
            # Texts first: the first queue has priority, and searches wait for texts.
            text_queue = batcher.add_queue(
                "texts", dual.encode_texts, batch_size=BATCH_SIZE, capacity=capacity
            )
            image_queue = batcher.add_queue(
                "pictures", dual.encode_images, batch_size=image_batch_size, capacity=capacity
            )
            yield cls(
                model,
                dual,
                text_queue=text_queue,
                image_queue=image_queue,
                preprocessing=preprocessing,
                cache_size=cache_size,
            )

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        embeddings = {text: self._cache[text] for text in texts if text in self._cache}
        misses = [text for text in dict.fromkeys(texts) if text not in embeddings]
        with self.text_queue.admit(len(misses)):
            embeddings |= zip(misses, await self.text_queue.submit(misses), strict=True)
        self._add_to_cache(embeddings)
        return [embeddings[text] for text in texts]

    async def check(self) -> None:
        """Run the model once, for a health check: past the cache and the queue's capacity."""
        await self.text_queue.submit(["ready"])

    async def encode_images(self, pictures: Sequence[Pixels]) -> list[Embedding]:
        loop = asyncio.get_running_loop()
        # Admitted before preprocessing, so that waiting pictures cannot fill memory as tensors.
        with self.image_queue.admit(len(pictures)):
            inputs = await asyncio.gather(
                *(
                    loop.run_in_executor(self._preprocessing, self._dual.preprocess, pixels)
                    for pixels in pictures
                )
            )
            return await self.image_queue.submit(inputs)

    def _add_to_cache(self, embeddings: dict[str, Embedding]) -> None:
        for text, embedding in embeddings.items():
            self._cache[text] = embedding
            self._cache.move_to_end(text)
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise Misconfigured(
            f"torch finds no device {name} on this machine; "
            "set PICTOGRAPH_DEVICE to auto or to cpu."
        ) from error


def _dtype(name: Precision, device: torch.device) -> torch.dtype:
    if name != "auto":
        return {
            "float32": torch.float32,
            "bfloat16": torch.bfloat16,
            "float16": torch.float16,
        }[name]
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        native = any(capabilities.get(name) for name in BFLOAT16_CPU_CAPABILITIES)
    return torch.bfloat16 if native else torch.float32


def _set_threads(count: int) -> None:
    if count:
        torch.set_num_threads(count)
