// SPDX-License-Identifier: ISC
/* externalize.mjs FOLDER: moves the scripts that next build writes into its HTML
   to a file for each page, so that the pages work under a Content-Security-Policy
   that allows no inline script. They only fill queues that the other scripts
   read at any time, so one deferred file in the position of the first keeps the
   meaning. Ends with 1 when anything is left that such a policy would refuse. */

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
if (!folder) {
  console.error('usage: externalize.mjs FOLDER');
  process.exit(100);
}

const inlineScript = /<script(?![^>]*\ssrc=)([^>]*)>([\s\S]*?)<\/script>/g;
const executes = (attributes) => !/type="(?!text\/javascript|module)[^"]*"/.test(attributes);
/* what else a policy without 'unsafe-inline' refuses */
const refused = [/<style[\s>]/i, /<[^>]*\sstyle=/i, /<[^>]*\son[a-z]+=/i, /(?:href|src)="javascript:/i];

let bad = false;
for (const name of readdirSync(folder, { recursive: true })) {
  if (!name.endsWith('.html')) continue;
  const path = join(folder, name);
  const scripts = [];
  let html = readFileSync(path, 'utf8').replace(inlineScript, (whole, attributes, body) => {
    if (!executes(attributes)) return whole;
    scripts.push(body.trim().replace(/;?$/, ';'));
    return scripts.length === 1 ? '<!--moved-->' : '';
  });
  if (scripts.length > 0) {
    const text = scripts.join('\n');
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
    const file = `_next/static/start-${hash}.js`;
    writeFileSync(join(folder, file), text);
    html = html.replace('<!--moved-->', `<script src="/${file}" defer=""></script>`);
    writeFileSync(path, html);
  }
  for (const pattern of refused) {
    const found = pattern.exec(html);
    if (!found) continue;
    console.error(`${path}: the policy would refuse ${found[0].slice(0, 200)}`);
    bad = true;
  }
}
process.exit(bad ? 1 : 0);
