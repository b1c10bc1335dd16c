"""`pictograph demo`, from the first start to one that finds everything there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pictograph.cli.demo import EXAMPLE_SEARCHES
from tests.e2e.pictures import picture
from tests.e2e.process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

FIND = """
query ($text: String!) {
  searchImages(by: {text: $text}, first: 100) { nodes { id filename tags altText } }
}
"""
DELETE = """
mutation ($ids: [ID!]!) { deleteImages(input: {ids: $ids}) { deletedImageIds } }
"""
COUNT = "{ images(first: 0) { totalCount } }"


def test_a_demo_fills_itself_while_it_answers_goes_on_after_a_stop_and_keeps_to_itself(
    tmp_path: Path,
) -> None:
    command = ("demo", "--postcards", "24", "--port", "0")
    # Neither is anybody's: the demo would not start if it looked at them.
    elsewhere: dict[str, object] = {
        "data_dir": tmp_path,
        "database_url": "postgresql://nobody@127.0.0.1:1/none",
        "s3_bucket": "none",
    }
    with ServerProcess.start(elsewhere, command=command) as demo:
        while not demo.ask(COUNT, key=None)["images"]["totalCount"]:
            time.sleep(0.1)
    with ServerProcess.start(elsewhere, command=command) as demo:
        key = demo.wait_for(r"Changes need this key: (\S+)")
        assert demo.wait_for(r"(pictograph import ~/Pictures)")
        for query in EXAMPLE_SEARCHES:
            assert demo.wait_for(f"({query})")
        uploaded = demo.upload({"a.jpg": picture(5)}, key=key)
        assert [] == uploaded["userErrors"]
        assert demo.wait_for(r"(24 postcards can be searched)", seconds=300)
        found = demo.ask(FIND, key=None, text=EXAMPLE_SEARCHES[0])["searchImages"]["nodes"]
        assert 25 == len(found)
        [first] = [node["id"] for node in found if node["filename"] == "a.jpg"]
        assert 24 == sum("postcard" in node["tags"] and bool(node["altText"]) for node in found)
        second = next(node["id"] for node in found if node["id"] != first)
        assert [first, second] == demo.ask(DELETE, key=key, ids=[first, second])["deleteImages"][
            "deletedImageIds"
        ]
    with ServerProcess.start(elsewhere, command=command) as demo:
        assert demo.wait_for(r"(All postcards are in the library)")
        assert key == demo.wait_for(r"Changes need this key: (\S+)")
        found = demo.ask(FIND, key=None, text=EXAMPLE_SEARCHES[1])["searchImages"]["nodes"]
        assert 23 == len(found)
