"""A site of FastAPI with a page that takes work and one that waits; for uvicorn, as site_fastapi:app."""

import asyncio
import os

from fastapi import FastAPI
from work import crunch

app = FastAPI()


@app.get("/")
async def page():
    return {"total": crunch(), "pid": os.getpid()}


async def query():
    await asyncio.sleep(0.05)


@app.get("/slow")
async def slow():
    await query()
    return {"total": 0, "pid": os.getpid()}
