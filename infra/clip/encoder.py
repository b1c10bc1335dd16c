"""An encoder that runs a CLIP or SigLIP model with transformers and torch."""

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
from infra.clip.batching import Batching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from concurrent.futures import Executor

    from domain.entities.embeddings import Embedding, EmbeddingModel
    from domain.entities.images import Pixels
    from infra.clip.batching import Lane
    from infra.clip.dual_encoder import DualEncoder, ModelInput

Precision: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]

BATCH = 32
IMAGE_BATCH_ON_CPU = 4
"""A CPU is hardly faster at larger ones, and a text may have to wait for one."""

NATIVE_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
"""What x86 and ARM call their instructions that compute in bfloat16."""


class ClipEncoder:
    """An Encoder. Texts overtake pictures, so that a search waits for one batch of them at most.

    A call is taken in whole or refused whole. Texts that were asked for recently are remembered
    and never refused.
    """

    def __init__(  # noqa: PLR0913 - what open puts together
        self,
        model: EmbeddingModel,
        dual: DualEncoder,
        *,
        texts: Lane[str, Embedding],
        pictures: Lane[ModelInput, Embedding],
        preparing: Executor,
        cache_size: int,
    ) -> None:
        """Take what ``open`` has put together."""
        self.model = model
        self.input_side = dual.input_side
        """The shorter side to which the model shrinks a picture, in pixels: it needs no more."""
        self.device: torch.device = dual.model.device
        self.dtype: torch.dtype = dual.model.dtype
        self.texts = texts
        self.pictures = pictures
        self._dual = dual
        self._preparing = preparing
        self._cache_size = cache_size
        self._recent: OrderedDict[str, Embedding] = OrderedDict()

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
        wait: float = 0.002,
        image_batch: int | None = None,
    ) -> AsyncIterator[ClipEncoder]:
        """Load the model, by its folder or its name on the hub. Raises Misconfigured.

        A forward pass runs on ``threads``, or on as many as torch likes for 0. At most
        ``capacity`` texts and as many pictures are under way. A batch that is not full waits
        ``wait`` seconds for company.
        """
        place = _device(device)
        precision = _dtype(dtype, place)
        model, dual = await asyncio.to_thread(checkpoint.load, name, device=place, dtype=precision)
        if image_batch is None:
            image_batch = IMAGE_BATCH_ON_CPU if place.type == "cpu" else BATCH
        async with AsyncExitStack() as stack:
            batching = await stack.enter_async_context(
                Batching.open(wait=wait, prepare=lambda: _set_threads(threads))
            )
            preparing = ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 2), "preparing")
            stack.push_async_callback(asyncio.to_thread, preparing.shutdown, cancel_futures=True)
            yield cls(
                model,
                dual,
                texts=batching.lane(
                    "texts", dual.encode_texts, batch_size=BATCH, capacity=capacity
                ),
                pictures=batching.lane(
                    "pictures", dual.encode_images, batch_size=image_batch, capacity=capacity
                ),
                preparing=preparing,
                cache_size=cache_size,
            )

    async def encode_texts(self, texts: Sequence[str]) -> list[Embedding]:
        """Embed each text. Raises Overloaded."""
        known = {text: self._recent[text] for text in texts if text in self._recent}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        with self.texts.admit(len(new)):
            known |= zip(new, await self.texts.run(new), strict=True)
        self._remember(known)
        return [known[text] for text in texts]

    async def check(self) -> None:
        """Run the model on a word, past the cache and the bound of the queue."""
        await self.texts.run(["ready"])

    async def encode_images(self, pictures: Sequence[Pixels]) -> list[Embedding]:
        """Embed each picture. Raises Overloaded."""
        loop = asyncio.get_running_loop()
        with self.pictures.admit(len(pictures)):
            inputs = await asyncio.gather(
                *(
                    loop.run_in_executor(self._preparing, self._dual.prepare, pixels)
                    for pixels in pictures
                )
            )
            return await self.pictures.run(inputs)

    def _remember(self, embeddings: dict[str, Embedding]) -> None:
        for text, embedding in embeddings.items():
            self._recent[text] = embedding
            self._recent.move_to_end(text)
        while len(self._recent) > self._cache_size:
            self._recent.popitem(last=False)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise Misconfigured(
            f"There is no device {name} here that torch can use; "
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
        abilities = torch.cpu.get_capabilities()
        native = any(abilities.get(name) for name in NATIVE_BFLOAT16)
    return torch.bfloat16 if native else torch.float32


def _set_threads(count: int) -> None:
    if count:
        torch.set_num_threads(count)
