# An image with sweeper: docker build -t sweeper .
# With an NVIDIA GPU: docker run --rm --gpus all -v "$PWD/outputs:/work/outputs" sweeper train -m optimizer=sgd,lion seed=1,2,3
# Without:            docker run --rm -v "$PWD/outputs:/work/outputs" sweeper train dataset=digits
# torch's own package brings CUDA with it, so one image serves both. SWEEPER_COMMIT names the commit in every record:
#   docker build --build-arg COMMIT=$(git rev-parse --short=12 HEAD) -t sweeper .
FROM python:3.12-slim

WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY conf conf
COPY docs/schemas docs/schemas
COPY hydra_plugins hydra_plugins
COPY sweeper sweeper
RUN pip install --no-cache-dir . && rm -rf /build/*

ARG COMMIT=""
ENV SWEEPER_COMMIT=$COMMIT

# Any user may run it, and none may write anywhere but in the working folder: caches go to a temporary one.
RUN useradd --create-home --uid 1000 sweeper && mkdir /work && chown sweeper /work
USER sweeper
WORKDIR /work
ENTRYPOINT ["sweeper"]
CMD ["--help"]
