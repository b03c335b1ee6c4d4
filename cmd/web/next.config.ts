// SPDX-License-Identifier: ISC
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { NextConfig } from 'next';

const skipped = new Set(['.next', '.unit', 'node_modules', 'out', 'screenshots']);

function* files(folder: string): Generator<string> {
  for (const name of readdirSync(folder).sort()) {
    if (skipped.has(name)) continue;
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* files(path);
    else yield path;
  }
}

/* The build id depends on the sources only, so any machine makes the same build. */
function buildId(): string {
  const hash = createHash('sha256');
  for (const path of files('.'))
    if (/\.(tsx?|css|json|mjs)$/.test(path) && !path.endsWith('next-env.d.ts'))
      hash.update(path).update('\0').update(readFileSync(path));
  return hash.digest('hex').slice(0, 16);
}

const config: NextConfig = {
  output: 'export',
  trailingSlash: true,
  reactStrictMode: true,
  poweredByHeader: false,
  generateBuildId: buildId,
  turbopack: { root: import.meta.dirname },
};

export default config;
