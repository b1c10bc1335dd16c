"""Refusals that have no code in a payload are raised on."""

import pytest

from domain.errors import ImageNotFound, Overloaded, SearchExpired
from graph.schema.user_errors import ImageUserError, UploadUserError


def test_a_refusal_that_no_upload_causes_is_raised_on() -> None:
    with pytest.raises(SearchExpired):
        UploadUserError.of(SearchExpired("gone"), field=())
    with pytest.raises(ImageNotFound):
        UploadUserError.of(ImageNotFound("gone"), field=())


def test_a_refusal_that_no_change_causes_is_raised_on() -> None:
    with pytest.raises(Overloaded):
        ImageUserError.of(Overloaded("later"), field=())
