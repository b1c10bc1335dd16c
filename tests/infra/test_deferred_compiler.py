"""A model is loaded without PyTorch's compiler, which can still be imported and used."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, TypeAlias

import pytest

from postcards import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run: TypeAlias = Callable[[str], list[str]]

HEAD = f"""
import sys
from dataclasses import replace
import torch
from infra.clip import checkpoint
from infra.clip.deferred_compiler import COMPILER, deferred_compiler

def load():
    return checkpoint.load({str(MODEL)!r}, device=torch.device("cpu"), dtype=torch.float32)[1]
"""


FORKS = """
import contextlib, io, json, os
for line in sys.stdin:
    reader, writer = os.pipe()
    if not (child := os.fork()):
        words = io.StringIO()
        with contextlib.redirect_stdout(words):
            exec(json.loads(line), globals())
        os.write(writer, json.dumps(words.getvalue().split()).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        print(answer.read(), flush=True)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Run code in a process that has not loaded a model, and return the words that it prints.

    The processes are forked from one that has imported torch, which takes seconds.
    """
    arguments = [sys.executable, "-c", HEAD + FORKS]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(arguments, text=True, **pipes) as process:  # type: ignore[call-overload]  # the pipes
        assert process.stdin
        assert process.stdout

        def run(code: str) -> list[str]:
            print(json.dumps(code), file=process.stdin, flush=True)
            words: list[str] = json.loads(process.stdout.readline())
            return words

        yield run
        process.stdin.close()


def test_a_loaded_model_encodes_without_the_compiler_and_can_be_compiled_afterwards(
    run: Run,
) -> None:
    code = """
model = load()
[before] = model.encode_texts(["a red boat"])
print(COMPILER in sys.modules, "torch.distributed.tensor" in sys.modules)
compiled = replace(model, model=torch.compile(model.model, backend="eager"))
[after] = compiled.encode_texts(["a red boat"])
print(COMPILER in sys.modules, max(abs(a - b) for a, b in zip(before, after)) < 1e-6)
"""
    assert ["False", "False", "True", "True"] == run(code)


def test_whatever_else_is_asked_of_the_stand_in_imports_the_compiler(run: Run) -> None:
    code = """
with deferred_compiler():
    import torch._dynamo
    stand_in = torch._dynamo
    print(stand_in.disable(print) is print, stand_in.disable(recursive=False)(print) is print)
    print(stand_in.config.__name__)
print(sys.modules[COMPILER] is stand_in)
load()
"""
    assert ["True", "True", "torch._dynamo.config", "False"] == run(code)


def test_a_compiler_that_is_imported_already_is_left_alone(run: Run) -> None:
    code = """
import torch._dynamo
compiler = torch._dynamo
load()
print(sys.modules[COMPILER] is compiler)
"""
    assert ["True"] == run(code)


def test_the_context_of_traced_masks_is_the_compilers(run: Run) -> None:
    code = """
with deferred_compiler():
    from torch._dynamo._trace_wrapped_higher_order_op import TransformGetItemToIndex
context = TransformGetItemToIndex()
print(type(context).__module__)
"""
    assert ["torch._dynamo._trace_wrapped_higher_order_op"] == run(code)


def test_a_module_of_the_stand_in_is_the_compilers(run: Run) -> None:
    code = """
with deferred_compiler():
    from torch._dynamo.eval_frame import OptimizedModule
print(OptimizedModule.__module__, sys.modules[COMPILER].__file__ is not None)
load()
"""
    assert ["torch._dynamo.eval_frame", "True"] == run(code)
