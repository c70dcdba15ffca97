# Likewave's commands: a worker by default, as in docker-compose.yml.
FROM python:3.13-slim

COPY requirements.lock /app/
RUN pip install --no-cache-dir --require-hashes -r /app/requirements.lock \
    && useradd --system --create-home likewave

COPY models /app/models
COPY streams /app/streams

ENV PYTHONPATH=/app
USER likewave
WORKDIR /home/likewave
ENTRYPOINT ["python", "-m", "streams.cli"]
CMD ["worker"]
