from __future__ import annotations

import asyncio
import inspect

import grpc
import pytest

from prodcls_tf.errors import InputError, ServerError
from serving.async_client import AsyncClient
from serving.client import Client
from tests.serving.answering_server import AnsweringServer

UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "the queue is full")


@pytest.fixture
def server():
    with AnsweringServer().running() as running:
        yield running


def run(server, do, **options):
    """Runs a coroutine with a client of its own."""

    async def with_client():
        async with AsyncClient(server.address, **{"timeout": 20, **options}) as client:
            return await do(client)

    return asyncio.run(asyncio.wait_for(with_client(), 60))


def test_has_the_surface_of_the_sync_client():
    def surface(kind) -> dict[str, list[str]]:
        public = inspect.getmembers(kind, inspect.isfunction)
        return {
            name: list(inspect.signature(method).parameters)
            for name, method in public
            if not name.startswith("_") or name == "__init__"
        }

    assert surface(AsyncClient) == surface(Client)


def test_answers_are_those_of_the_sync_client(server):
    titles = ["pan " * number + "猫" * (number % 2) for number in range(20)]
    with Client(server.address) as client:
        right = client.classify(titles)
    assert run(server, lambda client: client.classify(titles), batch_size=3) == right


def test_many_coroutines_share_a_client(server):
    async def ask(client):
        return await asyncio.gather(*(client.classify([f"pan {n}"]) for n in range(50)))

    answers = run(server, ask)
    assert [answer.category for (answer,) in answers] == ["Home > Cookware"] * 50


def test_fields_status_health_and_readiness(server):
    async def ask(client):
        ready = await client.wait_until_ready(20)
        status = await client.status()
        return await client.fields(), await client.health(), status, ready

    fields, health, status, ready = run(server, ask)
    assert (fields, health) == (["title", "description"], "SERVING")
    assert (status[1], ready.version) == (ready, 3)


def test_unavailable_is_tried_again(server):
    server.faults += [UNAVAILABLE] * 3
    assert run(server, lambda client: client.fields()) == ["title", "description"]


def test_other_codes_are_kept(server):
    server.faults.append((grpc.StatusCode.INTERNAL, "no"))
    with pytest.raises(ServerError) as error:
        run(server, lambda client: client.fields())
    assert (error.value.code, error.value.details) == ("INTERNAL", "no")


def test_deadline_and_bad_questions(server):
    server.delay = 3.0
    texts = {"title": ["pan"], "description": [""]}
    with pytest.raises(ServerError, match="DEADLINE_EXCEEDED"):
        run(server, lambda client: client.classify(texts, timeout=0.2))
    with pytest.raises(InputError, match="Put it into a list"):
        run(server, lambda client: client.classify("pan"))


def test_cancelled_coroutine_leaves_the_client_usable(server):
    async def ask(client):
        server.delay = 20.0
        texts = {"title": ["pan"], "description": [""]}
        slow = asyncio.create_task(client.classify(texts))
        await asyncio.sleep(0.3)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        server.delay = 0.0
        return await client.classify(texts)

    assert run(server, ask)[0].category == "Home > Cookware"


def test_closed_client_says_so(server):
    async def ask():
        client = AsyncClient(server.address)
        await client.close()
        await client.status()

    with pytest.raises(ServerError, match="Make a new client"):
        asyncio.run(ask())
