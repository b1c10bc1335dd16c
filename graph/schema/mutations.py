"""The root type of mutations."""

import strawberry

from graph.schema.edits import EditMutation
from graph.schema.uploads import UploadMutation


@strawberry.type
class Mutation(UploadMutation, EditMutation):
    """Changes the library. Every mutation requires a key with the scope WRITE.

    A batch can succeed in part: the payload's `userErrors` name what was refused.
    """
