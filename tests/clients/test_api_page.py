"""The recipes of docs/api.md, run unchanged on the real server."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

from graphql import GraphQLScalarType, build_schema, specified_scalar_types
from PIL import Image

from tests.e2e.process import KEY, ROOT, Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.conftest import Node

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SMALL_PAGE = 7
RECIPES = "\n".join(re.findall(r"^```js\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)).replace(
    "first: 100", f"first: {SMALL_PAGE}"
)
KNOWN = """
import { openAsBlob } from "node:fs";
const { URL_: url, KEY: key, READ_KEY: readKey, PICTURE } = process.env;
"""
LANDSCAPE = "query ($id: ID!) { image(id: $id) { placeholder width height } }"
TELL = "const tell = (it) => console.log(JSON.stringify(it));"


def run(node: Node, server: Server, code: str, folder: Path, **variables: object) -> Any:  # noqa: ANN401 - JSON
    """Run the recipes and then some code, and return what it tells."""
    script = folder / "recipes.mjs"
    script.write_text(
        f"{KNOWN}\n{RECIPES}\nconst tell = (it) => console.log(JSON.stringify(it));\n{code}"
    )
    said = node(script, cwd=folder, URL_=server.url, KEY=KEY, **variables)
    return json.loads(said.splitlines()[-1])


def test_all_pages_are_read(bare_node: Node, server: Server, tmp_path: Path) -> None:
    code = """
    const ids = new Set();
    for await (const image of allImages({ tagsNone: ["sent"] })) ids.add(image.id);
    const count = '{ images(filter: {tagsNone: ["sent"]}) { totalCount } }';
    tell([ids.size, (await ask(count)).images.totalCount]);
    """
    read, total = run(bare_node, server, code, tmp_path)
    assert read == total > 5 * SMALL_PAGE


def test_a_file_is_sent_without_a_key_and_waited_for(
    bare_node: Node, server: Server, tmp_path: Path, pictures: list[Path]
) -> None:
    code = """
    const file = new File([await openAsBlob(PICTURE)], "a.png");
    const announced = { filename: file.name, contentType: file.type, byteSize: file.size };
    const target = await announce(announced);
    await send(file, target);
    const { image, addedTags } = await complete(target.id, ["sent"]);
    const ready = await untilReady(image.id);
    const large = announce({ ...announced, byteSize: 2 ** 40 });
    const code = await large.catch((error) => error.code);
    tell({ addedTags, ready, code, picture: (await fetch(ready.thumbnail)).status });
    """
    told = run(bare_node, server, code, tmp_path, PICTURE=pictures[0])
    assert (["sent"], "READY", "TOO_LARGE", 200) == (
        told["addedTags"],
        told["ready"]["status"],
        told["code"],
        told["picture"],
    )


def test_a_proxy_keeps_the_key(bare_node: Node, server: Server, tmp_path: Path) -> None:
    code = """
    await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const through = `http://127.0.0.1:${proxy.address().port}/graphql`;
    const post = async (query) => (await fetch(through, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ query }),
    })).json();
    tell([await post("{ service { version } }"),
      await post("mutation { deleteImages(input: {ids: []}) { deletedImageIds } }")]);
    proxy.close();
    """
    read, changed = run(bare_node, server, code, tmp_path, READ_KEY=KEY)
    assert read["data"]["service"]["version"]
    assert {"deleteImages": {"deletedImageIds": []}} == changed["data"]


def test_a_placeholder_is_decoded_in_about_ten_lines(
    bare_node: Node, server: Server, tmp_path: Path
) -> None:
    left_red = Image.new("RGB", (300, 200), (20, 40, 200))
    left_red.paste((220, 30, 20), (0, 0, 150, 200))
    file = io.BytesIO()
    left_red.save(file, "PNG")
    [result] = server.upload({"halves.png": file.getvalue()})["results"]
    image = server.ask(LANDSCAPE, id=result["image"]["id"])["image"]
    pixels = run(
        bare_node,
        server,
        f"tell([...placeholderPixels({image['placeholder']!r}, 30, 20)]);",
        tmp_path,
    )
    for x, expected in ((4, (220, 30, 20)), (25, (20, 40, 200))):
        at = 4 * (10 * 30 + x)
        assert all(
            abs(seen - wanted) < 60
            for seen, wanted in zip(pixels[at : at + 3], expected, strict=True)
        )
    [decoder] = [part for part in PAGE.split("```") if "function placeholderPixels" in part]
    assert decoder.count("\n") <= 18


def test_every_scalar_is_in_the_configuration_of_codegen() -> None:
    schema = build_schema((ROOT / "graph" / "schema.graphql").read_text(encoding="utf-8"))
    own = {
        name
        for name, type_ in schema.type_map.items()
        if isinstance(type_, GraphQLScalarType) and name not in specified_scalar_types
    }
    [configured] = re.findall(r"scalars: \{ (.*?) \}", PAGE)
    assert own == set(re.findall(r"(\w+):", configured))
    assert own == set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
