/// <reference types="vitest/config" />
import react from '@vitejs/plugin-react';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { gzipTwins } from './build/gzip.ts';

const api = process.env['GEMBA_API'] ?? 'http://127.0.0.1:8099';

// The console takes changes only from its own origin; here the page comes from another one.
const proxy = { '/api': { target: api, changeOrigin: true, headers: { origin: api } } };

export default defineConfig({
  plugins: [react(), gzipTwins()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  // The console forbids inline script and style, so nothing may be inlined as a data address either.
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, sourcemap: false },
  server: { proxy, fs: { allow: ['..'] } },
  preview: { proxy },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'], setupFiles: ['src/testing/setup.ts'], css: false },
});
