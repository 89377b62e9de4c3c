"""The live feed: server-sent events of all records as they come."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from host.serve.api.context import context_of
from host.serve.api.queries import check_names
from host.serve.hub import Hub, Subscription

HEARTBEAT_S = 15.0  # so that both ends notice a connection that is gone
SEND_S = 30.0  # that a client may take before it reads on
RETRY_MS = 2000
HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]


async def feed(request: Request) -> Response:
    """Answer with the live feed, after the last message that the client knows by the header Last-Event-ID.

    A first message `reset` tells a client that it has missed something, so that it reads all again.
    """
    check_names(request, frozenset())
    hub = context_of(request).hub
    return Feed(hub, hub.subscribe(request.headers.get("last-event-id")))


class Feed(Response):
    """Response that sends the messages of a subscription until one of both ends."""

    def __init__(self, hub: Hub, subscription: Subscription) -> None:
        super().__init__()
        self._hub = hub
        self._subscription = subscription

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        watcher = asyncio.create_task(self._end_with_client(receive))
        try:
            await self._send(send)
        except TimeoutError:
            return  # the server closes the connection, as the response is incomplete
        finally:
            watcher.cancel()
            self._hub.leave(self._subscription)

    async def _send(self, send: Send) -> None:
        async def write(text: str, more: bool = True) -> None:
            async with asyncio.timeout(SEND_S):
                await send({"type": "http.response.body", "body": text.encode(), "more_body": more})

        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await write(f"retry: {RETRY_MS}\n\n" + ("" if self._subscription.complete else "event: reset\ndata: {}\n\n"))
        async for message in self._subscription.messages(HEARTBEAT_S):
            await write(message.text if message else ": still here\n\n")
        await write("", more=False)

    async def _end_with_client(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._subscription.end()
