# The image of lvs-operator, for every architecture that Debian, Node.js and koffi know:
#   docker buildx build --platform linux/amd64,linux/arm64 --tag lvs-operator:TAG .
# Nothing is laid out here: tools/assemble-image.ts does it, and tests run what it makes.
FROM node:24-bookworm-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends iptables
WORKDIR /build
COPY .npmrc package.json package-lock.json ./
RUN npm ci
COPY . .
RUN node_modules/node/bin/node tools/assemble-image.ts /image

FROM scratch
COPY --from=build /image /
ENV PATH=/usr/sbin:/usr/bin
ENV NODE_COMPILE_CACHE=/usr/lib/lvs-operator/compile-cache
ENV NODE_COMPILE_CACHE_PORTABLE=1
# A director needs root, with NET_ADMIN and NET_RAW and nothing else; the chart says so.
USER 65532:65532
ENTRYPOINT ["/usr/bin/node", "/usr/lib/lvs-operator/lvs-operator.mjs"]
CMD ["--help"]
