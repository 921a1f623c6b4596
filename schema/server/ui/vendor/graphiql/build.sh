#!/usr/bin/env bash
# Makes `dist` anew from the versions in package-lock.json. Needs Node 18 or newer and the npm registry.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
npm ci --no-audit --no-fund --loglevel=error
node build.mjs
