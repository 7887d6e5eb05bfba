#!/bin/sh
# Check the dashboard as a whole: types, tests, and that the committed bundle is what the sources
# build, byte for byte. Needs Node 20.19 or later; `npm ci` runs no scripts of packages.
set -eu
cd "$(dirname "$0")"
[ -d node_modules ] || npm ci --ignore-scripts --no-fund --no-audit
npm run check
npm test
npm run bundle:check
