"""The limit a read is measured against: FastAPI answering bytes that are ready."""

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response


def main(body_file: str, port: str) -> None:
    body = Path(body_file).read_bytes()
    app = FastAPI(openapi_url=None)

    @app.get("/ready")
    async def ready() -> Response:
        return Response(body, media_type="application/json")

    uvicorn.run(app, port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
