"""Everything HTTP: routes, request bodies, pictures, WebSocket, SSE, pages."""
