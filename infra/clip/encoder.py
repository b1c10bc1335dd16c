"""An encoder that runs a CLIP or SigLIP model, with an LRU cache and micro-batching."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from infra.clip import engines
from infra.clip.batching import MicroBatcher
from infra.clip.engines import EngineOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from concurrent.futures import Executor

    from domain.entities.embeddings import Embedding, EmbeddingModel
    from domain.entities.images import Pixels
    from infra.clip.batching import BatchQueue
    from infra.clip.engine import Engine, ModelInput

TEXT_BATCH_SIZE = 32

logger = logging.getLogger(__name__)


class ClipEncoder:
    """Encodes on one thread, in micro-batches. A search waits for at most one batch of pictures.

    A call is admitted as a whole or refused as a whole. Embeddings of recent texts come from an
    LRU cache, even when the queue is full.
    """

    def __init__(  # noqa: PLR0913 - ``open`` builds the parts
        self,
        model: EmbeddingModel,
        engine: Engine,
        *,
        text_queue: BatchQueue[str, Embedding],
        image_queue: BatchQueue[ModelInput, Embedding],
        preprocessing: Executor,
        cache_size: int,
    ) -> None:
        self.model = model
        self.engine = engine
        self.text_queue = text_queue
        self.image_queue = image_queue
        self._preprocessing = preprocessing
        self._cache_size = cache_size
        self._cache: OrderedDict[str, Embedding] = OrderedDict()

    @classmethod
    @asynccontextmanager
    async def open(  # noqa: PLR0913 - each has a default and a setting or a test that needs it
        cls,
        name: str,
        options: EngineOptions = EngineOptions(),  # noqa: B008 - frozen
        *,
        capacity: int = 256,
        cache_size: int = 1024,
        max_wait_seconds: float = 0.002,
        image_batch_size: int | None = None,
    ) -> AsyncIterator[ClipEncoder]:
        """Load the model, by its folder or its name on the hub. Raises Misconfigured.

        At most ``capacity`` texts and ``capacity`` pictures are admitted at a time. A batch that is
        not full starts after ``max_wait_seconds``.
        """
        async with AsyncExitStack() as stack:
            batcher = await stack.enter_async_context(
                MicroBatcher.open(max_wait_seconds=max_wait_seconds)
            )
            # On the thread that is to run it.
            model, engine = await batcher.run(lambda: engines.load(name, options))
            logger.debug("The model %s runs with %s", model.name, engine.description)
            preprocessing = ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 2), "preprocessing")
            stack.push_async_callback(
                asyncio.to_thread, preprocessing.shutdown, cancel_futures=True
            )
            # Texts first: the first queue has priority, and searches wait for texts.
            text_queue = batcher.add_queue(
                "texts", engine.encode_texts, batch_size=TEXT_BATCH_SIZE, capacity=capacity
            )
            image_queue = batcher.add_queue(
                "pictures",
                engine.encode_images,
                batch_size=image_batch_size or engine.image_batch_size,
                capacity=capacity,
            )
            yield cls(
                model,
                engine,
                text_queue=text_queue,
                image_queue=image_queue,
                preprocessing=preprocessing,
                cache_size=cache_size,
            )

    @property
    def input_side(self) -> int:
        """The shorter side, in pixels, to which the model resizes a picture."""
        return self.engine.input_side

    @property
    def takes_centre_crop(self) -> bool:
        """Whether the model sees the middle square of a picture only."""
        return self.engine.takes_centre_crop

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
                    loop.run_in_executor(self._preprocessing, self.engine.preprocess, pixels)
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
