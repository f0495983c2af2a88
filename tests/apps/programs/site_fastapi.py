"""A site of FastAPI with one page that takes work; for uvicorn, as site_fastapi:app."""

import os

from fastapi import FastAPI
from work import crunch

app = FastAPI()


@app.get("/")
async def page():
    return {"total": crunch(), "pid": os.getpid()}
