"""The files of GraphiQL, in the last release that needs no build step."""

import base64
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

CDN = "https://unpkg.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file of an npm package, pinned by its SHA-256."""

    name: str
    """The file name on this server."""
    package: str
    version: str
    path: str
    """The path inside the package."""
    sha256: str

    @property
    def cdn_url(self) -> str:
        """The URL of the file on the CDN."""
        return f"{CDN}/{self.package}@{self.version}/{self.path}"

    @property
    def integrity(self) -> str:
        """The digest that browsers verify (Subresource Integrity)."""
        return "sha256-" + base64.b64encode(bytes.fromhex(self.sha256)).decode()

    def is_in(self, folder: Path) -> bool:
        """Tell whether the folder has the unaltered file."""
        path = folder / self.name
        return path.is_file() and sha256(path.read_bytes()).hexdigest() == self.sha256


ASSETS = (
    Asset(
        name="react.js",
        package="react",
        version="18.3.1",
        path="umd/react.production.min.js",
        sha256="d949f1c3687aedadcedac85261865f29b17cd273997e7f6b2bfc53b2f9d4c4dd",
    ),
    Asset(
        name="react-dom.js",
        package="react-dom",
        version="18.3.1",
        path="umd/react-dom.production.min.js",
        sha256="35f4f974f4b2bcd44da73963347f8952e341f83909e4498227d4e26b98f66f0d",
    ),
    Asset(
        name="graphiql.js",
        package="graphiql",
        version="4.1.2",
        path="graphiql.min.js",
        sha256="867226ba8af5ce7949903fc53932f78dac9f4bfc6cc8da0fd3869b8bc6c5256b",
    ),
    Asset(
        name="explorer.js",
        package="@graphiql/plugin-explorer",
        version="3.2.5",
        path="dist/index.umd.js",
        sha256="9a29da99ff466480eb973a0c5c3bd4e790ca93a0c2e43ea935cb480d614cc52d",
    ),
    Asset(
        name="graphiql.css",
        package="graphiql",
        version="4.1.2",
        path="graphiql.min.css",
        sha256="30487e07635d312a63f647b140d37740a73c53332b0975bf4b1fe985ca6ec885",
    ),
    Asset(
        name="explorer.css",
        package="@graphiql/plugin-explorer",
        version="3.2.5",
        path="dist/style.css",
        sha256="f9f76eb37ed07f770420a883dd5bd3be031d73ca8e013d4d1942847afcf997a9",
    ),
)
"""In the order in which the page loads them."""
