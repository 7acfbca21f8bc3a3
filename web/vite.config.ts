import { createHash } from 'node:crypto';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/**
 * Writes the build's name into index.html: a hash over the emitted assets, so that the same source
 * gives the same name, and a changed asset another one.
 */
function buildName(): Plugin {
  return {
    name: 'build-name',
    transformIndexHtml: {
      order: 'post',
      handler(html, context) {
        const files = Object.keys(context.bundle ?? { dev: null }).sort();
        const name = createHash('sha256').update([...files, html].join('\n')).digest('hex').slice(0, 12);
        return html.replace('%BUILD%', name);
      },
    },
  };
}

export default defineConfig({
  plugins: [svelte(), buildName()],
  build: {
    target: 'es2022',
    // Inlined polyfills and data: scripts would need a looser content policy.
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    proxy: {
      '/v1': 'http://127.0.0.1:8000',
      '/socket.io': { target: 'http://127.0.0.1:8000', ws: true },
    },
  },
  test: { include: ['test/**/*.test.ts'] },
});
