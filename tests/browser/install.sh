#!/usr/bin/env bash
# Installs what the browser tests need: Chromium and its driver by apt, where that and root are there, and
# onnxruntime-web and axe-core by npm, in the versions of package.json. Adds fonts-noto-cjk by apt, if that goes well.
# Says what is missing in the end.
set -uo pipefail
cd "$(dirname "$0")"

has() { command -v "$1" >/dev/null; }
browser() { has chromium || has chromium-browser || has google-chrome; }

if ! { browser && has chromedriver; } && has apt-get && [ "$(id -u)" = 0 ]; then
	packages="chromium chromium-driver"
	export DEBIAN_FRONTEND=noninteractive
	# Only the downloads may be cut short: an installation that is stopped stays half done.
	# shellcheck disable=SC2086
	timeout 45 apt-get update -qq && timeout 60 apt-get install -qq -y --download-only --no-install-recommends $packages \
		&& apt-get install -qq -y --no-download --no-install-recommends $packages
fi >/dev/null
# Signs of Chinese for screenshots: nothing fails without them.
if has apt-get && [ "$(id -u)" = 0 ] && ! { has fc-list && [ -n "$(fc-list :lang=zh family)" ]; }; then
	export DEBIAN_FRONTEND=noninteractive
	timeout 60 apt-get install -qq -y --download-only --no-install-recommends fonts-noto-cjk \
		&& apt-get install -qq -y --no-download --no-install-recommends fonts-noto-cjk
fi >/dev/null 2>&1 || true
if has npm; then
	npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error --prefer-offline \
		--fetch-retries=1 --fetch-timeout=30000
fi >/dev/null

browser || echo "there is no Chromium: install chromium, and run this again"
has chromedriver || echo "there is no chromedriver: install chromium-driver, and run this again"
[ -d node_modules/onnxruntime-web/dist ] || echo "there is no onnxruntime-web: install npm, and run this again"
[ -f node_modules/axe-core/axe.min.js ] || echo "there is no axe-core: install npm, and run this again"
exit 0
