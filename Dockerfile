# An image with sweeper (docs/how-to/container.md): docker build -t sweeper .
# torch's own package brings CUDA with it, so one image serves both a GPU and none. Without CUDA it is smaller:
#   docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu -t sweeper .
# The commit for every record, since the image has no clone: --build-arg COMMIT=$(git rev-parse --short=12 HEAD)
FROM python:3.12-slim

# Triton and torch.compile call a compiler when they run.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*

# First and apart, so that a builder keeps these gigabytes when the code changes.
ARG TORCH_INDEX=""
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch torchvision

WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY conf conf
COPY docs/schemas docs/schemas
COPY hydra_plugins hydra_plugins
COPY sweeper sweeper
RUN pip install --no-cache-dir . && rm -rf /build/*

ARG COMMIT=""
ENV SWEEPER_COMMIT=$COMMIT

# Any user may run it, and write nothing but the working folder: without a home, caches go to the temporary folder.
# `outputs` is there because a new volume takes its rights from the folder on which it is mounted.
RUN useradd --no-create-home --home-dir /nonexistent --uid 1000 sweeper && install --directory --mode 1777 /work /work/outputs
USER sweeper
WORKDIR /work
ENTRYPOINT ["sweeper"]
CMD ["--help"]
