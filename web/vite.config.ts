import react from '@vitejs/plugin-react';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/* The gateway puts a nonce of its own here in every answer (src/program/gateway/routes_dashboard.c). */
const NONCE = '__HARKARA_NONCE__';
const api = process.env['API'];

export default defineConfig({
    plugins: [react()],
    html: { cspNonce: NONCE },
    resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
    build: { target: 'es2022', assetsInlineLimit: 0, reportCompressedSize: false, sourcemap: false, chunkSizeWarningLimit: 900 },
    server: api === undefined ? {} : { proxy: { '/v1': api } },
    test: { include: ['src/**/*.test.{ts,tsx}'], environment: 'node' },
});
