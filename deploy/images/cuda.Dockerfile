# A base for the engine on NVIDIA GPUs: CUDA 12.5 and cuDNN 9, with Node beside them. `node deploy/images.ts --cuda` builds it and the engine
# on top (CUDA=… names another image to start from). Unverified: no registry to take CUDA from, and no GPU, where this was written.
ARG NODE=node:24-bookworm-slim
ARG CUDA=nvidia/cuda:12.5.1-cudnn-runtime-ubuntu22.04
FROM ${NODE} AS node
FROM ${CUDA}
COPY --from=node /usr/local/bin/node /usr/local/bin/node
# XLA calls ptxas and reads libdevice, which are in no runtime image.
RUN apt-get update && apt-get install -y --no-install-recommends cuda-nvcc-12-5 && rm -rf /var/lib/apt/lists/*
ENV STRATA_DEVICE=cuda
