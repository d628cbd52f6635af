#!/usr/bin/env bash
# Makes the GraphiQL files in crates/server/assets again, from the npm registry. Only needed to change their version;
# the results are committed, so that neither a build nor a browser at /admin fetches anything.
set -euo pipefail
cd "$(dirname "$0")/.."

# graphiql 4 and React 18 are the last that ship files a browser loads without a bundler.
graphiql=4.1.2
react=18.3.1

assets=$PWD/crates/server/assets
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init -y >/dev/null
npm install --silent --no-fund --no-audit --ignore-scripts \
  "graphiql@$graphiql" "react@$react" "react-dom@$react" graphql@16

# Source maps are not shipped. The fonts embedded in the CSS are left out (the page names installed ones instead):
# they would be half of the size.
pack() { gzip -9 -n >"$assets/$1.gz"; }
sed '/^\/\/# sourceMappingURL=/d' node_modules/graphiql/graphiql.min.js | pack graphiql.min.js
perl -0pe 's/\@font-face\s*\{.*?\}//gs' node_modules/graphiql/graphiql.min.css | pack graphiql.min.css
pack react.production.min.js <node_modules/react/umd/react.production.min.js
pack react-dom.production.min.js <node_modules/react-dom/umd/react-dom.production.min.js

# The notice: each package that graphiql.min.js.map says is inside, with its licence; equal texts once.
cat >packages.js <<'NODE'
const fs = require('fs');
const map = JSON.parse(fs.readFileSync('node_modules/graphiql/graphiql.min.js.map', 'utf8'));
const names = new Set(['graphiql', 'react', 'react-dom', '@graphiql/react', '@graphiql/toolkit',
  '@graphiql/plugin-doc-explorer', '@graphiql/plugin-history', 'codemirror-graphql', 'graphql-language-service']);
for (const source of map.sources) {
  const found = [...source.matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)/g)].pop();
  if (found) names.add(found[1]);
}
module.exports = [...names].sort();
NODE
# A package that the newest versions no longer need is still in the bundle: install it for its licence.
missing=$(node -p "require('./packages.js').filter((name) => !fs.existsSync('node_modules/' + name)).join(' ')")
# shellcheck disable=SC2086 # a list of names
[ -z "$missing" ] || npm install --silent --no-fund --no-audit --ignore-scripts $missing
cat >notice.js <<'NODE'
const fs = require('fs');
const groups = new Map();
for (const name of require('./packages.js')) {
  const dir = 'node_modules/' + name;
  const pkg = JSON.parse(fs.readFileSync(dir + '/package.json', 'utf8'));
  const file = fs.readdirSync(dir).find((f) => /^licen[cs]e/i.test(f));
  const author = typeof pkg.author === 'string' ? pkg.author : (pkg.author || {}).name;
  const text = file ? fs.readFileSync(dir + '/' + file, 'utf8').trim()
    : [pkg.license + ' licence', author, (pkg.repository || {}).url || pkg.homepage].filter(Boolean).join('\n');
  const key = text.replace(/\s+/g, ' ');
  if (!groups.has(key)) groups.set(key, { text, names: [] });
  groups.get(key).names.push(`${name} (${pkg.license})`);
}
const rule = '\n' + '-'.repeat(80) + '\n';
console.log('The .gz files in this folder contain the packages below, under the licences that follow each list.');
for (const { text, names } of groups.values()) console.log(rule + names.join('\n') + '\n\n' + text);
NODE
node notice.js >"$assets/NOTICE"
ls -l "$assets"
