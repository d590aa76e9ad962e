FROM python:3.11-slim
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY requirements.txt requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY pyproject.toml README.md ./
COPY schemas schemas
COPY core core
COPY http_api http_api
COPY mcp_server mcp_server
COPY gateway gateway
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && useradd --create-home --uid 10001 orchestrator
# By this label the registry knows that the image and server.json have one owner.
LABEL io.modelcontextprotocol.server.name="io.github.OWNER/orchestrator"
USER orchestrator
WORKDIR /home/orchestrator
# Beyond loopback callers must be known: make a key with `orchestrator keys create`.
ENV HOST=0.0.0.0 PORT=8000 AUTH=api_key
EXPOSE 8000
# The answer may take as long as a call waits for a busy store, 5 seconds.
HEALTHCHECK --interval=10s --timeout=8s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=7)"]
CMD ["orchestrator-api"]
