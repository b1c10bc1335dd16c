"""User errors: refusals without a code of the payload are raised."""

import pytest

from domain.errors import ImageNotFound, Overloaded, SearchExpired
from graph.schema.user_errors import ImageUserError, UploadUserError


def test_a_refusal_without_an_upload_code_is_raised() -> None:
    with pytest.raises(SearchExpired):
        UploadUserError.of(SearchExpired("gone"), field=())
    with pytest.raises(ImageNotFound):
        UploadUserError.of(ImageNotFound("gone"), field=())


def test_a_refusal_without_an_image_code_is_raised() -> None:
    with pytest.raises(Overloaded):
        ImageUserError.of(Overloaded("later"), field=())
