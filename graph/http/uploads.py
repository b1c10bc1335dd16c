"""``POST /uploads/{id}``: files sent to upload targets of this server.

The form is the one that an S3 bucket accepts: the fields of the target, then the file.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from domain.entities.signed_forms import SignedForm
from domain.errors import Overloaded, Refusal, TooLarge, UploadForbidden
from domain.use_cases.uploads.receive_upload import ReceiveUpload
from graph.http.body import bad_request, limited_body
from graph.http.multipart import MULTIPART, STORE_NOTHING, CappedFile, FormParser
from graph.http.options import HttpOptions

FILE_FIELD = "file"

MAX_FORM_OVERHEAD_BYTES = 64 * 1024
"""The most bytes of a form without its file."""

MAX_FIELDS = 15
MAX_FIELD_BYTES = 4 * 1024
"""Low, since fields are held in memory before the signature is verified."""

CHUNK_BYTES = 256 * 1024

_STATUS: dict[type[Refusal], HTTPStatus] = {
    UploadForbidden: HTTPStatus.FORBIDDEN,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


@dataclass(frozen=True, slots=True)
class UploadEndpoint:
    """Receives one file. The signed form authorizes the request; API keys are ignored."""

    receive: ReceiveUpload
    max_bytes: int
    options: HttpOptions

    async def respond(self, request: Request) -> Response:
        """Stage the file, and answer 204 as S3 does."""
        target_id = _target_id(request)
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != MULTIPART:
            raise HTTPException(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"Send {MULTIPART}: every field of the target in order, then the file.",
            )
        body = limited_body(
            request,
            max_bytes=self.max_bytes + MAX_FORM_OVERHEAD_BYTES,
            pace=self.options.pace,
        )
        parser = _TargetFormParser(request, body, target_id=target_id, receive=self.receive)
        form = await parser.parse()
        try:
            await self._stage(parser.verified, form.get(FILE_FIELD))
        except Overloaded:
            raise
        except Refusal as refusal:
            status = _STATUS.get(type(refusal), HTTPStatus.BAD_REQUEST)
            raise HTTPException(status, refusal.message) from None
        finally:
            await form.close()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def _stage(self, verified: SignedForm | Refusal | None, file: object) -> None:
        if isinstance(verified, Refusal):
            raise verified
        if verified is None or not isinstance(file, UploadFile):
            raise bad_request(
                f"The form has no file; send it as “{FILE_FIELD}”, after the other fields."
            )
        await self.receive(verified, _chunks(file), size=file.size or 0)


class _TargetFormParser(FormParser):
    """Verifies the signed fields when the file begins, and stores nothing of a refused file.

    A refused file is still read to the end: clients do not read a response while they send.
    """

    verified: SignedForm | Refusal | None = None

    def __init__(
        self,
        request: Request,
        stream: AsyncGenerator[bytes],
        *,
        target_id: UUID,
        receive: ReceiveUpload,
    ) -> None:
        super().__init__(request, stream, max_file_bytes=STORE_NOTHING)
        self.max_files = 1
        self.max_fields, self.max_part_size = MAX_FIELDS, MAX_FIELD_BYTES
        self._target_id = target_id
        self._receive = receive

    def on_headers_finished(self) -> None:
        """Verify the fields when a file begins."""
        super().on_headers_finished()
        file = self._current_part.file
        if not isinstance(file, CappedFile):
            return
        fields = {name: value for name, value in self.items if isinstance(value, str)}
        try:
            self.verified = self._receive.admit(self._target_id, fields)
        except Refusal as refusal:
            self.verified = refusal
        else:
            file.max_bytes = self.verified.byte_size


def _target_id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"There is no upload target at {request.scope['path']:.100}."
        ) from None


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(CHUNK_BYTES):
        yield chunk
