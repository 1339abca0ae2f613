# The same commands that CI and the README run. Build: docker build -t mammoscope . ; run: docker run --rm mammoscope
FROM python:3.11-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends git make gcc libc6-dev ca-certificates \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /mammoscope
COPY . .
RUN make .venv/demo
CMD ["make", "demo"]
