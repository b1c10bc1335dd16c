"""Everything HTTP: routes, request bodies, pictures, WebSocket, Server-Sent Events and pages."""
