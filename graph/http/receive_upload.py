"""The bytes of upload targets over HTTP, where there is no bucket to send them to.

A form with the fields of the target and then the file, as an S3 bucket takes it.
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
from domain.errors import Refusal, TooLarge, UploadForbidden
from domain.use_cases.uploads.receive_upload import ReceiveUpload
from graph.http.body import Bounded, Form, bad_request, bounded
from graph.http.options import HttpOptions

FILE = "file"
FORM_BYTES = 64 * 1024
"""What a form may have beside the file."""

MAX_FIELDS = 15
MAX_FIELD_BYTES = 4 * 1024
"""Fields are held in memory, whoever sends them."""

CHUNK_BYTES = 256 * 1024
NOTHING = -1
_STATUS: dict[type[Refusal], HTTPStatus] = {
    UploadForbidden: HTTPStatus.FORBIDDEN,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


@dataclass(frozen=True, slots=True)
class Receiving:
    """``POST /uploads/{id}``. What admits is in the form: no key is needed, and none looked at."""

    receive: ReceiveUpload
    max_bytes: int
    options: HttpOptions

    async def answer(self, request: Request) -> Response:
        """Keep the file, and answer 204 as S3 does."""
        target_id = _target_id(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "multipart/form-data":
            raise HTTPException(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "Send multipart/form-data: every field of the target in order, then the file.",
            )
        limit = self.max_bytes + FORM_BYTES
        body = bounded(request, limit=limit, idle=self.options.idle_seconds)
        form = _TargetForm(request, body, target_id=target_id, receive=self.receive)
        fields = await form.parse()
        try:
            await self._keep(form.ticket, fields.get(FILE))
        except Refusal as refusal:
            status = _STATUS.get(type(refusal), HTTPStatus.BAD_REQUEST)
            raise HTTPException(status, refusal.message) from None
        finally:
            await fields.close()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def _keep(self, ticket: SignedForm | Refusal | None, file: object) -> None:
        if isinstance(ticket, Refusal):
            raise ticket
        if ticket is None or not isinstance(file, UploadFile):
            raise bad_request(f"The form has no file; send it as “{FILE}”, after the fields.")
        await self.receive(ticket, _chunks(file), size=file.size or 0)


class _TargetForm(Form):
    """Looks at the fields as soon as the file begins; of a file not admitted, nothing is kept.

    It is read to the end all the same: who is still sending would not hear the answer.
    """

    ticket: SignedForm | Refusal | None = None

    def __init__(
        self,
        request: Request,
        stream: AsyncGenerator[bytes],
        *,
        target_id: UUID,
        receive: ReceiveUpload,
    ) -> None:
        super().__init__(request, stream, keep=NOTHING)
        self.max_files = 1
        self.max_fields, self.max_part_size = MAX_FIELDS, MAX_FIELD_BYTES
        self._target_id = target_id
        self._receive = receive

    def on_headers_finished(self) -> None:
        """Admit a file that begins, or not."""
        super().on_headers_finished()
        file = self._current_part.file
        if not isinstance(file, Bounded):
            return
        fields = {name: value for name, value in self.items if isinstance(value, str)}
        try:
            self.ticket = self._receive.admit(self._target_id, fields)
        except Refusal as refusal:
            self.ticket = refusal
        else:
            file.keep = self.ticket.byte_size


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
