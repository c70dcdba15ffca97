# Likewave's commands: a worker by default, as in docker-compose.yml.
FROM python:3.13-slim

COPY requirements.lock /app/
RUN pip install --no-cache-dir --require-hashes -r /app/requirements.lock \
    && useradd --system --uid 10001 --create-home likewave

COPY models /app/models
COPY streams /app/streams
RUN python -m compileall -q /app  # its root is read-only when it runs

ENV PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER likewave
WORKDIR /home/likewave
ENTRYPOINT ["python", "-m", "streams.cli"]
CMD ["worker"]
